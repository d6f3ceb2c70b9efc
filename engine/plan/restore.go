package plan

import (
	"fmt"
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// settleOn finds of several objects at one address the one that stays: where the
// one that the item has would be replaced, another that is as the spec wants it.
// Nothing is made anew then. What was renamed since is looked for under its former
// names, too. What that changes for others is looked at again.
func (b *builder) settleOn() {
	defer sortItems(b.items)
	for more := true; more; {
		more = false
		for _, it := range slices.Clone(b.items) {
			if it.want == nil || it.entry == nil || it.kind.Lookup || it.settled || it.entry.Open != nil || it.live.Seen != Present {
				continue
			}
			former, strays := b.replacedBy(it), b.straysAt(it.addr)
			if from := it.entry.Address; from != it.addr {
				strays = append(strays, b.straysAt(from)...)
			}
			if len(former)+len(strays) == 0 {
				continue
			}
			if it.resolve(b); !b.wouldReplace(it, it) {
				continue
			}
			it.settled = b.restore(it, former) || b.prefer(it, strays)
			more = more || it.settled
		}
	}
}

// restore gives a wanted item that would be replaced the object that it had
// before, where that was replaced, still stands and is as the spec wants it: a
// replacement that went wrong half-way, and was taken out of the spec again. What
// had replaced it goes, once nothing refers to it. It reports whether it did so.
func (b *builder) restore(it *item, deposed []*item) bool {
	former := b.newest(it, deposed)
	if former == nil || it.stray {
		return false
	}
	it.entry, former.entry = swapped(former.entry, ledger.Current), swapped(it.entry, ledger.Deposed)
	it.live, former.live, former.addr = former.live, it.live, former.entry.Address
	b.byKey[it.entry.Key], b.byKey[former.entry.Key] = it, former
	it.restored, it.over, former.left = true, former.untold(), true
	return true
}

// prefer gives a wanted item that would be replaced a stray of its address that
// is as the spec wants it: the ledger is lost, or older than a replacement. What the
// item had in the ledger is deposed by it, as the replacement did; a stray that it
// had stays one.
func (b *builder) prefer(it *item, strays []*item) bool {
	found := b.newest(it, strays)
	if found == nil {
		return false
	}
	delete(b.byKey, it.entry.Key)
	if !it.stray {
		old := &item{addr: it.entry.Address, entry: swapped(it.entry, ledger.Deposed), live: it.live, kind: it.kind}
		b.byKey[old.entry.Key] = old
		b.items = slices.Insert(b.items, slices.Index(b.items, it)+1, old)
	}
	it.instead = it.entry.Record.ID
	it.entry, it.live, it.stray = found.entry, found.live, true
	b.byKey[it.entry.Key] = it
	return true
}

// newest gives of the items whose objects would be what the item wants the one
// made last, or nil.
func (b *builder) newest(it *item, of []*item) *item {
	var out *item
	for _, y := range of {
		if (out == nil || y.entry.Token > out.entry.Token) && b.serves(it, y) {
			out = y
		}
	}
	return out
}

// straysAt lists the strays at an address that this store may have made and
// that nobody spoke of, as items.
func (b *builder) straysAt(a resource.Address) []*item {
	var out []*item
	for i := range b.in.Strays {
		o := &b.in.Strays[i]
		key := ledger.Key{Address: a, Token: o.Mark.Token}
		ended := b.in.Ledger.Ended[key.Token]
		if o.Mark.Address != a || b.byKey[key] != nil || ended != "" && ended != "not done" || b.another(o) != 0 || twins(b.in, o) != nil {
			continue
		}
		kind := b.in.Kinds[a.Type()]
		out = append(out, &item{addr: a, entry: strayEntry(o, kind), live: Reading{Seen: Present, Object: *o}, kind: kind, stray: true})
	}
	return out
}

// replacedBy lists what a wanted item's object may have replaced and still stands: at
// its address, and at those that the object had before, which nothing else has now. The
// ledger may have such a one as the current object of an old name, once that is left.
func (b *builder) replacedBy(it *item) []*item {
	out := slices.Clone(b.deposedAt(it.addr))
	names := append(it.entry.Names(), it.entry.Address)
	for _, y := range b.items {
		if a := y.addr; y.want == nil && y.entry != nil && !y.stray && !y.away && a != it.addr && b.byAddr[a] == nil && slices.Contains(names, a) && y.entry.Token < it.entry.Token {
			out = append(out, y)
		}
	}
	return out
}

// deposedAt lists what was replaced at an address and still stands.
func (b *builder) deposedAt(a resource.Address) []*item {
	if b.deposed == nil {
		b.deposed = map[resource.Address][]*item{}
		for _, y := range b.items {
			if y.want == nil && y.entry != nil && !y.stray && !y.away && y.entry.Role == ledger.Deposed {
				b.deposed[y.addr] = append(b.deposed[y.addr], y)
			}
		}
	}
	return b.deposed[a]
}

// serves reports whether the object of an entry would be what the item wants,
// with an update at most.
func (b *builder) serves(it, y *item) bool {
	if y.entry.Open != nil || y.entry.Record.Broken != "" || y.live.Seen != Present || b.in.Released[y.entry.Key] != "" ||
		y.kind.Marked && !b.ours(y) {
		return false
	}
	if _, elsewhere := strayed(b.in, y.entry); elsewhere && y.kind.Marked {
		return false // it was not replaced, it moved
	}
	d := b.tried(it, y)
	return !replacing(d) && len(d.unread) == 0 && len(d.refused) == 0
}

// wouldReplace reports whether an entry's object can't be what the item wants.
func (b *builder) wouldReplace(it, y *item) bool {
	return y.entry.Record.Broken != "" || replacing(b.tried(it, y))
}

func replacing(d *differ) bool {
	return slices.ContainsFunc(d.changes, func(c FieldChange) bool { return c.Replaces })
}

// tried compares the object of an entry with what the item wants.
func (b *builder) tried(it, y *item) *differ {
	try := &item{
		addr: it.addr, want: it.want, kind: it.kind, entry: y.entry, live: y.live, stray: y.stray,
		refs: it.refs, output: it.output, resolved: it.resolved,
	}
	try.diff = b.differ(try)
	applied := y.entry.Record.Applied
	if hidden := b.in.Applied[y.entry.Key]; hidden != nil {
		applied = hidden
	}
	try.diff.object(try.resolved, applied, y.live.Object.Fields)
	return try.diff
}

// swapped is an entry in another role; the ledger's own is not written to.
func swapped(e *ledger.Entry, as ledger.Role) *ledger.Entry {
	out := *e
	out.Role = as
	return &out
}

// ofRestored notes that an object stays for which another would have been replaced.
func (it *item) ofRestored() []Note {
	switch {
	case it.instead != "":
		return []Note{{Address: it.addr, Ledger: true, Text: fmt.Sprintf(
			"%s bears its mark too and is as the spec wants it, which %s is not: it is taken in", it.entry.Record.ID, it.instead)}}
	case !it.restored:
		return nil
	}
	text := "%s was to be replaced, and the spec wants it again: it stays, and what was made in its place goes"
	if it.over {
		text = "%s was here before, and the spec wants it again: it stays"
	}
	return []Note{{Address: it.addr, Ledger: true, Text: fmt.Sprintf(text, it.entry.Record.ID)}}
}
