package plan

import (
	"fmt"
	"slices"
	"strings"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// An object that was renamed, and whose name the spec has no more while it has the
// one before: where that is described as the object was, the rename was taken back.
// Described otherwise it may be another thing, given a name that had become free.
// Only a person knows, and nothing is done to either unasked.

// namesake is an object, and the name before that the spec has again.
type namesake struct {
	old      *ledger.Entry
	was, now resource.Address
	fields   []string // that the spec has otherwise than the object was
}

// namesakes takes from wanted items the objects that may not be meant. They are
// items of their own then.
func (b *builder) namesakes() {
	for _, it := range slices.Clone(b.items) {
		now, ok := b.renamedTo(it)
		if !ok {
			continue
		}
		it.resolve(b)
		fields := b.anew(it)
		if len(fields) == 0 {
			continue
		}
		it.namesake = &namesake{it.entry, it.addr, now, fields}
		old := &item{addr: it.entry.Address, entry: it.entry, live: it.live, kind: it.kind, namesake: it.namesake}
		it.entry, it.live, it.fresh = nil, Reading{}, true
		b.byKey[old.entry.Key] = old
		b.items = slices.Insert(b.items, slices.Index(b.items, it)+1, old)
	}
}

// renamedTo gives the address to which an item's object was renamed that the spec has
// no more: as the ledger says, or only the mark where a store was set back. What the
// spec says to come from there does.
func (b *builder) renamedTo(it *item) (now resource.Address, ok bool) {
	e := it.entry
	if it.want == nil || e == nil || it.stray || it.kind.Lookup || e.Open != nil || it.live.Seen != Present ||
		it.followsMark() && !slices.Contains(e.Was, it.addr) { // a mark that names where it was may only not be written anew yet
		return now, false
	}
	now = e.Address
	if now == it.addr {
		if now, ok = strayed(b.in, e); !ok || !it.kind.Marked || b.byAddr[now] != nil {
			return now, false
		}
	} else if !slices.Contains(e.Names(), it.addr) {
		return now, false
	}
	from := it.want.Meta.MovedFrom
	return now, from == nil || *from != now
}

// anew lists the fields that the spec has otherwise than they were applied to the
// item's object, and than they were before that, sorted.
func (b *builder) anew(it *item) []string {
	var out []string
	for _, c := range b.tried(it, it).changes {
		name := c.Path[0]
		had, want := it.entry.Prev[name], it.resolved[name]
		_, none := had.(resource.Null)
		before := none && resource.Empty(want) || had != nil && same(it.kind.Field(name), want, had)
		if c.Cause == CauseSpec && !before {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// sameOrNew holds both, what is to be made and what would go, until a person says
// what becomes of the old object.
func (b *builder) sameOrNew(it *item) {
	n := it.namesake
	if n == nil || b.in.Released[n.old.Key] != "" || b.in.Confirmed[n.old.Key] != "" {
		return
	}
	if it.want != nil {
		it.hold(HeldFollows, fmt.Sprintf("it may be %s, which had this name before it became %s: that is held", n.old.Record.ID, n.now.Local()), "")
		return
	}
	text := fmt.Sprintf("%s was %s before it became %s, which is no more in the spec; %s is in it again, with another value of %s: it may be that object or a new one",
		n.old.Record.ID, n.was.Local(), n.now.Local(), n.was.Local(), strings.Join(n.fields, ", "))
	keep := fmt.Sprintf("to change that object, write $meta: movedFrom: %q at %s; for a new one", n.now.Local(), n.was.Local())
	forget := fmt.Sprintf("isobar forget %s %s", b.in.Env, n.old.Address.Local())
	if n.old.Address == n.was { // the ledger has it under the name of what is wanted, of which no deletion is confirmed
		it.hold(HeldUnowned, text, keep+", let go of the old one: "+forget)
		return
	}
	it.hold(HeldOrphan, text, fmt.Sprintf("%s, delete the old one: isobar confirm %s %s, or let go of it: %s", keep, b.in.Env, n.old.Address.Local(), forget))
}
