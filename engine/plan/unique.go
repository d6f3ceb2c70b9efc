package plan

import (
	"cmp"
	"fmt"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// value is a unique value of one field of a kind, within what it is unique in.
type value struct{ kind, field, within, text string }

// linkUnique lets what takes a unique value wait for what has it now to let go,
// and holds it where that keeps it.
func (g *graph) linkUnique() {
	holders := map[value]*item{}
	for _, it := range g.b.items {
		if it.entry == nil || it.lost {
			continue
		}
		hold := func(_ *resource.Field, v value) { holders[v] = it }
		home := cmp.Or(it.entry.Record.Scope, g.b.in.Scopes[it.alias()])
		it.uniques(it.entry.Record.Applied, home, hold) // it may be unread
		if it.live.Seen == Present {
			it.uniques(it.live.Object.Fields, home, hold)
		}
	}
	for _, it := range g.b.left {
		it.uniques(it.live.Object.Fields, g.b.in.Scopes[it.addr.Provider], func(_ *resource.Field, v value) { holders[v] = it })
	}
	for _, it := range g.b.items {
		if it.want == nil {
			continue
		}
		it.uniques(it.resolved, g.b.in.Scopes[it.alias()], func(f *resource.Field, v value) {
			if other := holders[v]; other != nil && other != it {
				g.afterRelease(it, f, other)
			}
		})
	}
}

// uniques tells the unique values among fields of an object in a scope.
func (it *item) uniques(fields resource.Map, scope string, tell func(*resource.Field, value)) {
	if it.kind.Descriptor == nil { // unknown
		return
	}
	for i := range it.kind.Fields {
		f := &it.kind.Fields[i]
		if v := fields[f.Name]; f.Unique && v != nil && !resource.HasUnknown(v) && !resource.HasUnread(v) {
			if within, known := uniqueWithin(f, fields, scope); known {
				tell(f, value{it.addr.Type(), f.Name, within, string(resource.Encode(v))})
			}
		}
	}
}

// uniqueWithin names what a field's value is unique in; it is not known where that
// is still to be made, and then nobody is in it.
func uniqueWithin(f *resource.Field, fields resource.Map, scope string) (within string, known bool) {
	switch f.UniqueIn {
	case "":
		return scope, true
	case resource.Anywhere:
		return "", true
	}
	v := fields[f.UniqueIn]
	if v == nil {
		return scope, true
	}
	return scope + " " + string(resource.Encode(v)), !resource.HasUnknown(v) && !resource.HasUnread(v)
}

// afterRelease lets the step that takes a unique field's value come after the
// one by which other lets go of it.
func (g *graph) afterRelease(it *item, f *resource.Field, other *item) {
	takes := g.steps[it.updateID(f.Aspect)]
	if c := g.steps[it.createID()]; c != nil && f.Aspect == "" {
		takes = c
	}
	if takes == nil {
		return
	}
	if other.goes() && !other.releases() {
		takes.needVia(other.deleteID(), need{named: f.Name})
		return
	}
	gives := g.steps[other.updateID(f.Aspect)]
	if gives != nil && gives.it == other && gives.Op == ledger.Update && !same(f, other.resolved[f.Name], it.resolved[f.Name]) {
		takes.needVia(gives.ID, need{named: f.Name})
		return
	}
	it.hold(HeldUnique, fmt.Sprintf("%s must be unique, and %s has the same", f.Name, other.addr.Local()), "choose another "+f.Name)
}

// linkFound lets what finds its object wait until an entry that was deposed, and
// may have that very object, has let go of it: nobody's objects alone are found.
func (g *graph) linkFound() {
	for _, it := range g.b.items {
		finds := g.steps[it.createID()]
		if finds == nil || !it.kind.Found {
			continue
		}
		for _, other := range g.b.items {
			if other.addr == it.addr && other != it && other.goes() && other.entry.Role == ledger.Deposed {
				finds.need(other.deleteID())
			}
		}
	}
}
