package plan

import (
	"fmt"
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
		case in.Ledger.Current(to) != nil:
			blocked[to] = e
		case free[to] == nil || free[to].Token < e.Token: // of two that name it the newer
			free[to] = e
		}
	}
	return free, blocked
}

// returned gives the entries that go back to where their last move took them from,
// by that address: the spec has them there again and no more where they are, as
// when a commit that renamed them was reverted.
func returned(in *Input, wants []*resource.Desired, wanted map[resource.Address]bool) map[resource.Address]*ledger.Entry {
	out := map[resource.Address]*ledger.Entry{}
	onward := map[resource.Address]bool{} // what the spec moves to somewhere else
	for _, w := range wants {
		if w.Meta.MovedFrom != nil {
			onward[*w.Meta.MovedFrom] = true
		}
	}
	for _, e := range in.Ledger.Entries {
		home := e.From
		if home.IsZero() || wanted[e.Address] || onward[e.Address] || !wanted[home] || e.Open != nil || in.Live[e.Key].Seen != Present ||
			in.Ledger.Current(home) != nil || newestStray(in, home) != nil {
			continue
		}
		if had := out[home]; had == nil || had.Role != ledger.Current && e.Role == ledger.Current || had.Role == e.Role && had.Token < e.Token {
			out[home] = e
		}
	}
	return out
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
	case it.entry.From == it.addr && it.entry.Address != it.addr:
		return []Note{{Address: it.addr, Ledger: true, Text: fmt.Sprintf(
			"%s was %s, which is no more in the spec, and this before: it is this again", it.live.Object.ID, it.entry.Address.Local())}}
	case !it.followsMark():
		return nil
	}
	return []Note{{Address: it.addr, Ledger: true, Text: fmt.Sprintf(
		"%s was %s and bears this address's mark: it was moved, the ledger takes it in", it.live.Object.ID, it.entry.Address.Local())}}
}

// waits holds an item whose object the ledger has elsewhere, until another one has
// made room.
func (it *item) waits() {
	if e := it.blocked; e != nil {
		it.held = nil
		it.hold(HeldUnowned, fmt.Sprintf("%s bears its mark, and the ledger has it as %s", e.Record.ID, e.Address.Local()),
			"apply what else there is: the ledger follows once this address is free in it")
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
	return fmt.Sprintf("with %s in the spec, and nothing else there in the ledger, isobar apply %s takes the move in; where the mark is wrong, set its tag %s to %s by hand",
		to.Local(), b.in.Env, resource.MarkAddress, it.entry.Address)
}
