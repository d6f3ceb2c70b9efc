package plan

import (
	"fmt"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// restore gives a wanted item that would be replaced the object that it had
// before, where that was replaced, still stands and is as the spec wants it: a
// replacement that went wrong half-way, and was taken out of the spec again.
// Nothing is made anew then; what had replaced it goes, once nothing refers to it.
// It reports whether it did so, which it does once for an item.
func (b *builder) restore(it *item) bool {
	if it.stray || it.restored || it.entry.Address != it.addr || it.entry.Open != nil {
		return false
	}
	var former *item
	for _, y := range b.deposedAt(it.addr) {
		if (former == nil || y.entry.Token > former.entry.Token) && b.serves(it, y) {
			former = y
		}
	}
	if former == nil {
		return false
	}
	it.entry, former.entry = swapped(former.entry, ledger.Current), swapped(it.entry, ledger.Deposed)
	it.live, former.live = former.live, it.live
	b.byKey[it.entry.Key], b.byKey[former.entry.Key] = it, former
	it.restored, it.action, it.fresh, it.first, it.held = true, "", false, false, nil
	former.left, former.action, former.held, former.lost, former.reasons = true, "", nil, false, nil
	b.unwanted(former)
	return true
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

// serves reports whether the object of a deposed entry would be what the item
// wants, with an update at most.
func (b *builder) serves(it, y *item) bool {
	if y.entry.Open != nil || y.entry.Record.Broken != "" || y.live.Seen != Present || b.in.Released[y.entry.Key] != "" ||
		y.kind.Marked && !b.ours(y) {
		return false
	}
	try := &item{addr: it.addr, want: it.want, kind: it.kind, entry: y.entry, live: y.live, refs: it.refs, output: it.output, resolved: it.resolved}
	try.diff = &differ{item: try, fought: b.in.Paused}
	applied := y.entry.Record.Applied
	if hidden := b.in.Applied[y.entry.Key]; hidden != nil {
		applied = hidden
	}
	try.diff.object(try.resolved, applied, y.live.Object.Fields)
	for i := range try.diff.changes {
		if try.diff.changes[i].Replaces {
			return false
		}
	}
	return len(try.diff.unread) == 0 && len(try.diff.refused) == 0
}

// swapped is an entry in another role; the ledger's own is not written to.
func swapped(e *ledger.Entry, as ledger.Role) *ledger.Entry {
	out := *e
	out.Role = as
	return &out
}

// ofRestored notes that an object that was replaced stays after all.
func (it *item) ofRestored() []Note {
	if !it.restored {
		return nil
	}
	return []Note{{Address: it.addr, Ledger: true, Text: fmt.Sprintf(
		"%s was to be replaced, and the spec wants it again: it stays, and what was made in its place goes", it.entry.Record.ID)}}
}
