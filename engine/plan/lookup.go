package plan

import (
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// A lookup finds something that isobar did not make. What it found is pinned in
// the ledger and stays so until its fields change or somebody asks for it anew:
// the world's next image replaces no machine by itself.

// Pinned reports whether an entry holds what a lookup's fields found in a scope,
// so that it need not be asked: e may be nil, and a scope of "" fits any.
func Pinned(e *ledger.Entry, d *resource.Desired, k *resource.Descriptor, scope string) bool {
	if e == nil || !e.Made || scope != "" && e.Record.Scope != "" && scope != e.Record.Scope {
		return false
	}
	for i := range k.Fields {
		f := &k.Fields[i]
		if !same(f, d.Fields[f.Name], e.Record.Applied[f.Name]) {
			return false
		}
	}
	return true
}

// EntryOf gives the entry that a wanted resource has, also under the address
// that it had before where nothing else is wanted there, or nil.
func EntryOf(s *ledger.State, d *resource.Desired, wanted map[resource.Address]bool) *ledger.Entry {
	e := s.Current(d.Address)
	if from := d.Meta.MovedFrom; e == nil && from != nil && !wanted[*from] {
		e = s.Current(*from)
	}
	return e
}

// pinned is what a lookup's entry holds, as if it had been read.
func pinned(e *ledger.Entry) Reading {
	return Reading{Seen: Present, Object: resource.Object{Address: e.Address, ID: e.Record.ID, Fields: e.Record.Outs}}
}

// lookup decides on a wanted lookup. Until something is found its item shows
// what was pinned before, if anything.
func (b *builder) lookup(it *item) {
	it.resolved, it.diff = it.want.Fields, &differ{item: it, applied: it.want.Fields}
	r, asked := b.in.Found[it.addr]
	switch {
	case !asked && Pinned(it.entry, it.want, it.kind.Descriptor, b.in.Scopes[it.alias()]):
		return
	case !asked:
		r = Reading{Seen: Unread, Why: "it was not asked"}
	}
	it.action = Pin
	switch r.Seen {
	case Present:
	case Absent:
		it.hold(HeldNothing, r.Why, "correct the lookup's fields")
		return
	default:
		it.hold(HeldUnread, "it could not be looked up: "+r.Why, "")
		return
	}
	was := resource.Map{}
	if it.entry != nil {
		was = it.kind.Outputs(it.live.Object)
	}
	it.live = r
	it.reasons = []Reason{b.whyAsked(it)}
	if it.entry == nil {
		b.which(it)
	}
	b.differPin(it, was)
	if it.entry != nil && len(it.diff.changes) == 0 && !b.elsewhere(it) {
		it.action, it.reasons = "", nil // the same was found: the ledger learns with what fields
	}
}

// differPin lists what a lookup finds now beside what was pinned before.
func (b *builder) differPin(it *item, was resource.Map) {
	now := it.kind.Outputs(it.live.Object)
	for _, name := range unionKeys(was, now) {
		if !resource.Equal(was[name], now[name]) {
			it.diff.changes = append(it.diff.changes, FieldChange{Path: resource.Path{name}, Before: was[name], After: now[name], Cause: CauseLookup, At: it.want.At})
		}
	}
}

// elsewhere reports whether a pin is of another scope than its alias sees now.
func (b *builder) elsewhere(it *item) bool {
	home, now := it.entry.Record.Scope, b.in.Scopes[it.alias()]
	return home != "" && now != "" && home != now
}

// whyAsked says why a lookup was asked although it may have a pin.
func (b *builder) whyAsked(it *item) Reason {
	why := Reason{Cause: CauseLookup, At: it.want.At, Text: "looked up"}
	switch {
	case it.entry == nil:
	case b.elsewhere(it):
		why.Text = "looked up in " + b.in.Scopes[it.alias()]
	case !Pinned(it.entry, it.want, it.kind.Descriptor, ""):
		why.Text = "looked up anew, its fields changed"
	default:
		why.Text = "looked up anew, as asked for"
	}
	return why
}

// nameLookups says of a dependency that is a lookup that nothing was made anew.
func (b *builder) nameLookups(reasons []Reason) {
	for i := range reasons {
		if r := &reasons[i]; r.Cause == CauseDependency {
			if t := b.byAddr[r.Of]; t != nil && t.kind.Lookup {
				r.Text = t.addr.Local() + " found another"
			}
		}
	}
}

// holdPins holds the new pins that something held would have to follow: an
// object that can't take the new value keeps the old one in the ledger, too, so
// that it is not held for good. It gives what it held.
func (b *builder) holdPins(it *item) []*item {
	var out []*item
	for _, r := range it.refs {
		t := b.byAddr[r.Address]
		if t == nil || t.action != Pin || t.entry == nil || t.held != nil {
			continue
		}
		t.hold(HeldFollows, it.addr.Local()+" uses it, and is held: "+string(it.held.Why), "")
		out = append(out, t)
	}
	return out
}

// pinStep is the step that writes down what a lookup found.
func pinStep(it *item) Step {
	s := Step{ID: it.createID(), Op: ledger.Pin, Want: it.want.Fields, Outs: it.kind.Outputs(it.live.Object), Live: it.live.Object.ID, Meta: it.want.Meta}
	if it.entry != nil {
		s.Token, s.Before = it.entry.Token, it.kind.Outputs(pinned(it.entry).Object)
	}
	return s
}

// pinChange is a pin as people see it: what was found, and what it was before.
func pinChange(it *item) Change {
	c := Change{Address: it.addr, Action: Pin, ID: it.live.Object.ID, Reasons: it.reasons, Fields: it.diff.changes, At: it.want.At, After: resource.Map{}}
	for _, m := range []resource.Map{it.want.Fields, it.kind.Outputs(it.live.Object)} {
		for k, v := range m {
			c.After[k] = v
		}
	}
	if it.entry == nil {
		return c
	}
	c.Token, c.Before = it.entry.Token, resource.Map{}
	for _, m := range []resource.Map{it.entry.Record.Applied, it.kind.Outputs(pinned(it.entry).Object)} {
		for k, v := range m {
			c.Before[k] = v
		}
	}
	return c
}
