package apply

import (
	"maps"
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// update brings one aspect of an object to what is wanted.
func (t *taking) update() event {
	live, ok := t.ground()
	if !ok {
		return t.moved("it is gone")
	}
	want, err := t.x.resolve(t.step.Want)
	if err != nil {
		return t.failed(err)
	}
	changes, err := t.changes()
	if err != nil {
		return t.failed(err)
	}
	if differs, ok := t.stands(live, changes); !ok {
		return t.moved("it is no longer what the plan saw: %s", differs)
	}
	rec := t.entry.Record
	rec.Applied, rec.Meta, rec.Schema = t.applied(want, live.Fields, changes), t.step.Meta, t.x.run.Schema
	rec.Deps = t.aspectDeps()
	left := t.outstanding(live, changes)
	if len(left) == 0 {
		rec.Outs = t.outsNow(live)
		if err := t.write(ledger.Event{Type: ledger.Settled, Record: &rec}); err != nil {
			return t.unwritten(err)
		}
		return t.end(Converged)
	}
	if err := t.intend(rec, left); err != nil {
		return t.unwritten(err)
	}
	object := resource.Object{Address: t.step.Address, ID: live.ID, Mark: live.Mark, Fields: maps.Clone(want)}
	for _, c := range left {
		if len(c.Path) == 1 && c.After != nil {
			object.Fields[c.Path[0]] = c.After
		}
	}
	for _, p := range t.step.Left {
		if v := withValue(object.Fields[p[0]], p[1:], valueAt(live.Fields[p[0]], p[1:])); v != nil {
			object.Fields[p[0]] = v
		} else {
			delete(object.Fields, p[0])
		}
	}
	t.x.trail.set(t.entry.Key, left) // refused or not: one of several calls may be heard
	p, err := t.account.Session.Update(t.calls, live, object, left)
	p, err = t.hearOut(p, err)
	if err == nil {
		rec.Outs = t.outsAfter(live, p.Object)
	} else {
		t.left = p.Object.Fields
	}
	return t.outcome(ledger.Event{Type: ledger.Done, Record: &rec}, err)
}

// stranded is what the ledger holds once a call was refused that left more of its
// object otherwise than it found it: that is our own doing, and nobody's drift. It
// is nil where the call left nothing.
func (t *taking) stranded() *ledger.Record {
	if len(t.left) == 0 {
		return nil
	}
	rec := t.entry.Record
	rec.Applied = maps.Clone(rec.Applied)
	if rec.Applied == nil {
		rec.Applied = resource.Map{}
	}
	maps.Copy(rec.Applied, t.left)
	return &rec
}

// ground is the live object that a step stands on. One that this run made may
// not be readable yet: then it is what the create told.
func (t *taking) ground() (resource.Object, bool) {
	made, ours := t.x.trail.object(t.entry.Key)
	switch {
	case t.seen.found && !(ours && t.seen.young):
		return t.seen.object, true
	case t.seen.found:
		o := t.seen.object
		if o.Mark.IsZero() {
			o.Mark = made.Mark
		}
		return o, true
	case ours:
		return made, true
	case t.seen.young:
		return resource.Object{Address: t.step.Address, ID: t.entry.Record.ID, Mark: markOf(t.x.run.Estate, t.entry.Key), Fields: t.entry.Record.Applied}, true
	}
	return resource.Object{}, false
}

// changes resolves what the step changes.
func (t *taking) changes() ([]resource.Change, error) {
	out := make([]resource.Change, len(t.step.Changes))
	for i, c := range t.step.Changes {
		m, err := t.x.resolve(resource.Map{"v": orNull(c.After)})
		if err != nil {
			return nil, err
		}
		out[i] = c
		if c.After != nil {
			out[i].After = m["v"]
		}
	}
	return out, nil
}

func orNull(v resource.Value) resource.Value {
	if v == nil {
		return resource.Null{}
	}
	return v
}

// stands reports whether each field that the step touches is as the plan saw
// it, or as wanted already, or as this run left it; else it says how the first
// differs.
func (t *taking) stands(live resource.Object, changes []resource.Change) (string, bool) {
	if t.step.Token == "" {
		return "", true // made in this run: there was nothing to see
	}
	for _, c := range changes {
		top := c.Path[0]
		f := t.field(top)
		planned, now := t.step.Before[top], live.Fields[top]
		if f.Unseen() || plan.Same(f, planned, now) || bothEmpty(planned, now) || t.x.trail.explains(t.entry.Key, f, planned, now) {
			continue
		}
		if plan.Same(t.fieldAt(c.Path), valueAt(now, c.Path[1:]), c.After) {
			continue
		}
		return t.difference(c.Path[:1], planned, now), false
	}
	return "", true
}

func (t *taking) field(name string) *resource.Field {
	if f := t.desc.Field(name); f != nil {
		return f
	}
	return &resource.Field{Name: name}
}

func (t *taking) fieldAt(p resource.Path) *resource.Field {
	if f := t.desc.At(p); f != nil {
		return f
	}
	return &resource.Field{Name: p[len(p)-1]}
}

// outstanding drops changes that the live object shows already.
func (t *taking) outstanding(live resource.Object, changes []resource.Change) []resource.Change {
	var out []resource.Change
	for _, c := range changes {
		f := t.fieldAt(c.Path)
		now := valueAt(live.Fields[c.Path[0]], c.Path[1:])
		if !f.Unseen() && (plan.Same(f, now, c.After) || bothEmpty(now, c.After)) {
			continue
		}
		c.Before = now
		out = append(out, c)
	}
	return out
}

// valueAt walks down maps; nil where the path leads nowhere.
func valueAt(v resource.Value, p resource.Path) resource.Value {
	for _, e := range p {
		m, ok := v.(resource.Map)
		if !ok {
			return nil
		}
		v = m[e]
	}
	return v
}

// withValue is v with another value where a path leads through maps; v itself is
// not written to, and stays as it is where the path leads nowhere.
func withValue(v resource.Value, p resource.Path, to resource.Value) resource.Value {
	if len(p) == 0 {
		return to
	}
	m, ok := v.(resource.Map)
	if !ok {
		return v
	}
	m = maps.Clone(m)
	if next := withValue(m[p[0]], p[1:], to); next != nil {
		m[p[0]] = next
	} else {
		delete(m, p[0])
	}
	return m
}

func bothEmpty(a, b resource.Value) bool { return resource.Empty(a) && resource.Empty(b) }

// applied is what the ledger holds once the changes are done: of elements with data
// that are left as they are, what it held before.
func (t *taking) applied(want, live resource.Map, changes []resource.Change) resource.Map {
	out := maps.Clone(t.entry.Record.Applied)
	if out == nil {
		out = resource.Map{}
	}
	for _, c := range changes {
		top := c.Path[0]
		if v := want[top]; v != nil {
			out[top] = v
		} else {
			delete(out, top)
		}
	}
	had := t.entry.Record.Applied
	for _, p := range t.step.Left {
		if f := t.desc.Field(p[0]); f != nil && f.Data && len(p) == 2 && out[p[0]] != nil {
			out[p[0]] = withValue(out[p[0]], p[1:], valueAt(had[p[0]], p[1:]))
		}
	}
	return t.desc.Identified(out, had, live)
}

// aspectDeps is the entry's dependencies with those of the step's aspect anew.
func (t *taking) aspectDeps() []ledger.Dep {
	var out []ledger.Dep
	for _, d := range t.entry.Record.Deps {
		if d.Aspect != t.step.Aspect {
			out = append(out, d)
		}
	}
	return append(out, t.x.deps(t.step, func(a string) bool { return a == t.step.Aspect })...)
}

// outsAfter is the outputs after an update: what the call told, else what was
// read; a volatile one that the call did not tell is read anew.
func (t *taking) outsAfter(live, told resource.Object) resource.Map {
	outs := maps.Clone(t.entry.Record.Outs)
	if outs == nil {
		outs = resource.Map{}
	}
	told.ID = live.ID
	maps.Copy(outs, t.desc.Outputs(told))
	for _, o := range t.desc.Outs {
		if !o.Volatile || told.Fields[o.Name] != nil {
			continue
		}
		ans := t.account.Session.Read(t.calls, []resource.Want{{Kind: t.step.Address.Kind, By: resource.Selector{IDs: []resource.ID{live.ID}}}})
		if len(ans) == 1 && ans[0].Err == nil && len(ans[0].Objects) == 1 {
			maps.Copy(outs, t.desc.Outputs(ans[0].Objects[0]))
		}
		break
	}
	return outs
}

// outsNow is the outputs of an object that is as wanted already: what brought it
// there, such as a step on what it is in, may have changed them too.
func (t *taking) outsNow(live resource.Object) resource.Map {
	outs := maps.Clone(t.entry.Record.Outs)
	if outs == nil {
		outs = resource.Map{}
	}
	for name, v := range t.desc.Outputs(live) {
		if !resource.HasUnread(v) {
			outs[name] = v
		}
	}
	return outs
}

// hearOut waits for work that a call left running.
func (t *taking) hearOut(p provider.Progress, err error) (provider.Progress, error) {
	if err != nil || p.Handle == "" {
		return p, err
	}
	if werr := t.write(ledger.Event{Type: ledger.Accepted, Handle: p.Handle}); werr != nil {
		return p, &resource.Failure{Class: resource.UnknownOutcome, Message: werr.Error(), Err: werr}
	}
	return t.hear(p)
}

// remove deletes an object that the ledger owns and its live mark confirms.
func (t *taking) remove() event {
	live, ok := t.ground()
	if !ok {
		if err := t.write(ledger.Event{Type: ledger.Forgotten, Why: "gone"}); err != nil {
			return t.unwritten(err)
		}
		return t.end(Converged)
	}
	if !t.ours(live) {
		return t.moved("%s does not bear our mark any more", live.ID)
	}
	if !t.placed(live) {
		return t.moved("%s bears the mark of %s by now", live.ID, live.Mark.Address)
	}
	if err := t.rehearsed(); err != nil {
		return t.failed(err)
	}
	if err := t.intend(t.entry.Record, nil); err != nil {
		return t.unwritten(err)
	}
	applied := resource.Object{Address: t.step.Address, ID: t.entry.Record.ID, Fields: t.entry.Record.Applied}
	p, err := t.account.Session.Delete(t.calls, live, applied)
	_, err = t.hearOut(p, err)
	if resource.ClassOf(err) == resource.NotFound {
		err = nil
	}
	if err == nil {
		t.x.trail.deleted(t.entry.Record.ID, t.entry.Record.Outs)
	}
	return t.outcome(ledger.Event{Type: ledger.Done, Gone: true}, err)
}

// ours reports whether the live mark says that the object is its environment's.
func (t *taking) ours(live resource.Object) bool {
	m := live.Mark
	return t.kind.Unmarked || m.Token == t.entry.Token && m.Estate == t.x.run.Estate && m.Env == t.entry.Address.Env
}

// placed reports whether the live mark says that the object is where the ledger has
// it, or had it before.
func (t *taking) placed(live resource.Object) bool {
	a := live.Mark.Address
	return t.kind.Unmarked || a == t.entry.Address || slices.Contains(t.entry.Was, a)
}

// letGo forgets an object that bears no mark of ours, or is gone: nobody is called.
func (t *taking) letGo(there bool) event {
	why := "gone"
	if there {
		why = "released"
	}
	if err := t.write(ledger.Event{Type: ledger.Forgotten, Why: why}); err != nil {
		return t.unwritten(err)
	}
	return t.end(Done)
}

// mark writes our mark onto an object, or takes it off.
func (t *taking) mark() event {
	live, ok := t.ground()
	if t.step.Op == ledger.Release && (!ok || t.kind.Unmarked || !t.ours(live)) {
		return t.letGo(ok)
	}
	if !ok {
		return t.moved("it is gone")
	}
	if m := live.Mark; t.step.Op == ledger.Adopt && !m.IsZero() && !t.ours(live) && (m.Estate != t.x.run.Estate || t.step.Over == "" || m.Token != t.step.Over) {
		return t.moved("%s bears the mark of %s, estate %s, by now", live.ID, m.Address, m.Estate)
	}
	if err := t.intend(t.entry.Record, nil); err != nil {
		return t.unwritten(err)
	}
	rec := t.entry.Record
	if t.step.Op == ledger.Release {
		err := t.account.Session.Mark(t.calls, live, nil)
		return t.outcome(ledger.Event{Type: ledger.Done, Gone: true}, err)
	}
	m := markOf(t.x.run.Estate, t.entry.Key)
	err := t.account.Session.Mark(t.calls, live, &m)
	rec.Bare = rec.Bare && err != nil
	return t.outcome(ledger.Event{Type: ledger.Done, Record: &rec}, err)
}
