package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"isobar.dev/engine/resource"
)

// leaveUntold sets apart what an object would be made anew for alone and nobody can
// tell yet, since it comes from something that this plan makes: it may come out as it
// is. The object stays, and the plan after this one knows. Where something else asks
// for a new object, or what it names goes before the new one is there, nothing is.
func (b *builder) leaveUntold(it *item) {
	if it.entry.Record.Broken != "" {
		return
	}
	var untold []FieldChange
	for _, c := range it.diff.changes {
		if !c.Replaces {
			continue
		}
		if !b.mayStay(it, c) {
			return
		}
		untold = append(untold, c)
	}
	if len(untold) == 0 {
		return
	}
	it.diff.changes = slices.DeleteFunc(it.diff.changes, func(c FieldChange) bool { return c.Replaces })
	it.diff.untold = untold
	it.resolved = maps.Clone(it.resolved)
	for _, c := range untold {
		it.resolved[c.Path[0]] = it.live.Object.Fields[c.Path[0]]
	}
	if it.replaces() { // as it seemed before all was known that is made anew
		it.action, it.fresh, it.first = "", false, false
	}
}

// mayStay reports whether a field may come out as it is: each output that it waits for
// is to come from this plan, may be told alike by another object, and is told before
// the object that the field is of would have to go.
func (b *builder) mayStay(it *item, c FieldChange) bool {
	waits := false
	for _, r := range it.refs {
		if r.field != c.Path[0] {
			continue
		}
		if _, unknown := b.output(r.Ref).(resource.Unknown); !unknown {
			continue
		}
		t := b.byAddr[r.Address]
		switch {
		case t == nil || t == it || t.kind.Lookup || !b.coming(r.Ref):
			return false
		case r.Out == "id" && !t.kind.Named: // no other object's is the same
			return false
		case r.points && t.fresh && t.entry != nil && t.live.Seen != Absent:
			return false
		}
		waits = true
	}
	return waits && !b.foretold(it, c)
}

// foretold reports whether what a field will be can be told from the spec, and is not
// what it is: each output that it waits for is a field that the spec gives.
func (b *builder) foretold(it *item, c FieldChange) bool {
	will := resource.Rewrite(rawAt(it.want.Fields, c), func(v resource.Value) resource.Value {
		r, ok := v.(resource.Ref)
		if !ok {
			return v
		}
		out := b.output(r)
		if t := b.byAddr[r.Address]; resource.HasUnknown(out) && t != nil && t.want != nil {
			if f := t.kind.Field(r.Out); f != nil && !f.Computed && t.want.Fields[r.Out] != nil {
				return t.want.Fields[r.Out]
			}
		}
		return out
	})
	return len(resource.Refs(will)) == 0 && !resource.HasUnknown(will) && !same(it.kind.At(c.Path), will, c.Before)
}

// ofUntold notes of what may have to be made anew that it stays for now.
func (it *item) ofUntold() []Note {
	if it.diff == nil || it.fresh {
		return nil
	}
	var out []Note
	for _, c := range it.diff.untold {
		var from []string
		for _, r := range it.refs {
			if _, unknown := it.output(r.Ref).(resource.Unknown); unknown && r.field == c.Path[0] {
				from = append(from, r.Short())
			}
		}
		is := " is immutable"
		if !c.Sensitive && len(c.Path) == 1 && !resource.HasUnread(c.Before) {
			is = fmt.Sprintf(" is %s and immutable", resource.Encode(c.Before))
		}
		out = append(out, Note{Address: it.addr, Text: fmt.Sprintf(
			"%s%s, and what %s will be is known once this plan is done: the object stays; where it comes out otherwise, the next plan says so", c.Path, is, strings.Join(slices.Compact(from), ", "))})
	}
	return out
}

// valued reports whether a wanted item has of what lives at an address no more than
// values: it does not name the object itself in an aspect, and needs it for no longer
// than until it told them.
func (it *item) valued(of resource.Address, aspect string) bool {
	some := false
	for _, r := range it.refs {
		if r.Address != of || r.aspect != aspect {
			continue
		}
		if r.points {
			return false
		}
		some = true
	}
	return some
}

// pointing gives the references in v that name an object as such, where f has a
// reference to its kind, and not only a value that it tells.
func pointing(f *resource.Field, v resource.Value) map[resource.Ref]bool {
	out := map[resource.Ref]bool{}
	references(f, v, func(kind string, e resource.Value) {
		for _, r := range resource.Refs(e) {
			if r.Address.Type() == kind {
				out[r] = true
			}
		}
	})
	return out
}
