package plan

import (
	"fmt"
	"maps"
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// A store that was restored may be older than a move: its ledger has the object at
// the address where it was, and the object's mark says where it is. The mark is
// the newer of the two, unless the ledger itself has the move and only the mark
// has not been written yet.

// strayed reports whether the live mark is an entry's own and names an address of
// this environment at which the ledger never had it.
func strayed(in *Input, e *ledger.Entry) (to resource.Address, ok bool) {
	r := in.Live[e.Key]
	m := r.Object.Mark
	if r.Seen != Present || e.Open != nil || m.Token != e.Token || m.Estate != in.Estate || m.Env != in.Env {
		return to, false
	}
	to = m.Address
	return to, to != e.Address && to.Env == in.Env && to.Type() == e.Address.Type() && !slices.Contains(e.Was, to)
}

// movements gives the entries that have moved to wanted addresses, as their marks
// say, by those. Blocked ones are those where the ledger has another object.
func movements(in *Input, wanted map[resource.Address]bool) (free, blocked map[resource.Address]*ledger.Entry) {
	free, blocked = map[resource.Address]*ledger.Entry{}, map[resource.Address]*ledger.Entry{}
	for _, e := range in.Ledger.Entries {
		to, ok := strayed(in, e)
		switch {
		case !ok || !wanted[to] || !in.Kinds[to.Type()].Marked:
		case !vacant(in, to):
			blocked[to] = e
		case free[to] == nil || free[to].Token < e.Token: // of two that name it the newer
			free[to] = e
		}
	}
	return free, blocked
}

// vacant reports whether the ledger has no object at an address, or one that is gone.
func vacant(in *Input, a resource.Address) bool {
	e := in.Ledger.Current(a)
	return e == nil || vanished(in, e)
}

// vanished reports whether an entry's object is gone for certain.
func vanished(in *Input, e *ledger.Entry) bool {
	return e.Open == nil && in.Live[e.Key].Seen == Absent
}

// returned gives the entries that go back to a name that they had before, the last
// one first, by that address: the spec has them there again and no more where they
// are, as when commits that renamed them were reverted. What a person lets go of does not.
func returned(in *Input, wants []*resource.Desired, wanted map[resource.Address]bool) map[resource.Address]*ledger.Entry {
	out := map[resource.Address]*ledger.Entry{}
	onward := map[resource.Address]bool{} // what the spec moves to somewhere else
	for _, w := range wants {
		if w.Meta.MovedFrom != nil {
			onward[*w.Meta.MovedFrom] = true
		}
	}
	for _, e := range in.Ledger.Entries {
		if wanted[e.Address] || onward[e.Address] || e.Open != nil || in.Live[e.Key].Seen != Present || in.Released[e.Key] != "" {
			continue
		}
		home, ok := homeOf(in, e, wanted)
		if !ok {
			continue
		}
		if had := out[home]; had == nil || had.Role != ledger.Current && e.Role == ledger.Current || had.Role == e.Role && had.Token < e.Token {
			out[home] = e
		}
	}
	return out
}

// homeOf gives the last name before that the spec has of an entry, where no other
// object has it.
func homeOf(in *Input, e *ledger.Entry, wanted map[resource.Address]bool) (home resource.Address, ok bool) {
	names := e.Names()
	for i := len(names) - 1; i >= 0; i-- {
		if a := names[i]; wanted[a] && in.Ledger.Current(a) == nil && newestStray(in, a) == nil {
			return a, true
		}
	}
	return home, false
}

// exchange lets objects that changed places, as all their marks say, be where they
// are by now. Where the spec describes them rather as the ledger has them the marks
// are wrong, and a person says so.
func (b *builder) exchange() {
	for _, it := range b.items {
		ring := b.ring(it)
		was, now := 0, 0
		for i, x := range ring {
			x.resolve(b)
			was, now = was+b.effort(x, x), now+b.effort(x, ring[(i+1)%len(ring)])
		}
		if len(ring) == 0 || now > was {
			continue
		}
		entry, live := ring[0].entry, ring[0].live
		for i, x := range ring {
			if i == len(ring)-1 {
				x.entry, x.live = entry, live
			} else {
				x.entry, x.live = ring[i+1].entry, ring[i+1].live
			}
			b.byKey[x.entry.Key] = x
		}
	}
}

// ring gives the items of which each has in the ledger the object that bears the
// mark of the one before it, and the first that of the last; nil where they end
// elsewhere.
func (b *builder) ring(it *item) []*item {
	ring := []*item{it}
	for at := it; ; {
		if at == nil || at.want == nil || at.entry == nil || at.stray || !at.kind.Marked || at.entry.Address != at.addr || at.entry.Role != ledger.Current {
			return nil
		}
		to, ok := strayed(b.in, at.entry)
		if at = b.byAddr[to]; !ok {
			return nil
		}
		if at == it {
			break
		}
		if ring = append(ring, at); len(ring) > len(b.byAddr) {
			return nil // it leads into another ring
		}
	}
	slices.Reverse(ring)
	return ring
}

// effort is what it would take to make the object of y what x wants.
func (b *builder) effort(x, y *item) int {
	d := b.tried(x, y)
	n := len(d.changes) + len(d.refused)
	if replacing(d) {
		n += 1000
	}
	return n
}

// gaveWay reports whether the entry's object has moved to an address that the spec
// has no more, as its mark says, and another bears the mark of the item's address:
// that one is the item's, and this one is nobody's to make it again.
func (it *item) gaveWay(in *Input, wanted map[resource.Address]bool) bool {
	to, ok := strayed(in, it.entry)
	if !ok || wanted[to] || !it.kind.Marked {
		return false
	}
	o := newestStray(in, it.addr)
	return o != nil && foreign(in, o) == 0
}

// succeeded holds the replacement of what bears the mark of an address from which the
// ledger never saw another object go, as that one's mark says: the spec may be of the
// time when that one was here, and mean it.
func (b *builder) succeeded(it *item) {
	for _, e := range b.in.Ledger.At(it.addr) {
		to, ok := strayed(b.in, e)
		if !ok || e.Key == it.entry.Key || !it.kind.Marked || b.byAddr[to] != nil || b.in.Released[e.Key] != "" {
			continue
		}
		old := b.in.Live[e.Key].Object.ID
		it.hold(HeldUnowned, fmt.Sprintf("%s bears its mark, and %s, which the ledger had here before, that of %s: the spec may mean either", it.live.Object.ID, old, to.Local()),
			fmt.Sprintf("write %s into the spec as %s is and this one as %s is, then change what is to be changed; or let go of them: isobar forget %s %s",
				to.Local(), old, it.live.Object.ID, b.in.Env, it.addr.Local()))
		return
	}
}

// usurped reports whether the live mark is another environment's of this estate, as
// that one writes it, with a token of its own, or somebody else.
func (it *item) usurped(in *Input) bool {
	m := it.live.Object.Mark
	return it.kind.Marked && it.live.Seen == Present && m.Estate == in.Estate && m.Env != in.Env && m.Env != ""
}

// went reports whether the entry's object is another environment's by now, so that
// the item has none: that one's ledger says so; or its mark does, and another object
// bears the mark of the item's address.
func (it *item) went(in *Input) bool {
	key := it.entry.Key
	if _, away := in.Away[key]; away {
		return true
	}
	of := &item{entry: it.entry, kind: it.kind, live: in.Live[key]}
	if it.entry.Open != nil || !of.usurped(in) || of.live.Object.Mark.Token == it.entry.Token {
		return false
	}
	if _, gone := in.Gone[of.live.Object.Mark.Token]; gone {
		return false
	}
	if o := newestStray(in, it.addr); o == nil || foreign(in, o) != 0 || twins(in, o) != nil {
		return false
	}
	in.Away = maps.Clone(in.Away)
	if in.Away == nil {
		in.Away = map[ledger.Key]resource.Address{}
	}
	in.Away[key] = of.live.Object.Mark.Address
	return true
}

// placed reports whether the live mark names where the entry is, or was before.
func (it *item) placed() bool {
	m := it.live.Object.Mark.Address
	return m == it.addr || m == it.entry.Address || slices.Contains(it.entry.Was, m)
}

// moves reports whether the entry gets another address, of which its mark does not
// tell yet.
func (it *item) moves() bool {
	return it.entry.Address != it.addr && !it.followsMark()
}

// followsMark reports whether the entry gets the address that its mark has by now.
func (it *item) followsMark() bool {
	m := it.live.Object.Mark
	return it.entry.Address != it.addr && it.kind.Marked && it.live.Seen == Present && m.Token == it.entry.Token && m.Address == it.addr
}

// ofMovement notes that the ledger follows a mark.
func (it *item) ofMovement() []Note {
	switch {
	case it.want == nil || it.entry == nil:
		return nil
	case it.entry.Address != it.addr && slices.Contains(it.entry.Names(), it.addr) && (it.want.Meta.MovedFrom == nil || *it.want.Meta.MovedFrom != it.entry.Address):
		return []Note{{Address: it.addr, Ledger: true, Text: fmt.Sprintf(
			"%s was %s, which is no more in the spec, and this before: it is this again", it.live.Object.ID, it.entry.Address.Local())}}
	case !it.followsMark():
		return nil
	}
	return []Note{{Address: it.addr, Ledger: true, Text: fmt.Sprintf(
		"%s was %s and bears this address's mark: it was moved, the ledger takes it in", it.live.Object.ID, it.entry.Address.Local())}}
}

// ofDeparture notes that the ledger lets go of what is another environment's.
func (b *builder) ofDeparture(it *item) []Note {
	if !it.away || b.in.Lost || b.in.Destroy {
		return nil
	}
	return []Note{{Address: it.addr, Ledger: true, Text: fmt.Sprintf("%s is the object of %s, as its mark says: the ledger lets go of it", it.entry.Record.ID, b.in.Away[it.entry.Key])}}
}

// waits holds an item whose object the ledger has elsewhere, until another one has
// made room.
func (b *builder) waits(it *item) {
	if e := it.blocked; e != nil {
		mend := "apply what else there is: the ledger follows once this address is free in it"
		if m := b.in.Live[e.Key].Object.Mark; m.Token != e.Token {
			mend = fmt.Sprintf("where it is to be this one, take %s out of the spec; where the mark is wrong, take its isobar: tags off by hand", e.Address.Local())
		}
		it.held = nil
		it.hold(HeldUnowned, fmt.Sprintf("%s bears its mark, and the ledger has it as %s", e.Record.ID, e.Address.Local()), mend)
	}
}

// crossed holds an item whose object's mark says that it became another one.
func (b *builder) crossed(it *item) {
	if it.entry == nil || it.stray || it.entry.Address != it.addr {
		return
	}
	if to, ok := strayed(b.in, it.entry); ok && it.kind.Marked && b.byAddr[to] != nil {
		it.hold(HeldUnowned, fmt.Sprintf("%s bears the mark of %s, and the ledger has it here", it.live.Object.ID, to.Local()), b.whichOf(it, to))
	}
}

// whichOf mends what the ledger and the mark tell differently.
func (b *builder) whichOf(it *item, to resource.Address) string {
	if b.ring(it) != nil {
		return fmt.Sprintf("where the mark is wrong, as the spec has it, set its tag %s to %s by hand; else write into the spec which is which", resource.MarkAddress, it.entry.Address)
	}
	return fmt.Sprintf("with %s in the spec, and nothing else there in the ledger, isobar apply %s takes the move in; where the mark is wrong, set its tag %s to %s by hand",
		to.Local(), b.in.Env, resource.MarkAddress, it.entry.Address)
}
