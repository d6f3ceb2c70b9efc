package apply

import (
	"maps"
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// dropped goes on after a create whose object lacks the mark that the call
// carried, as made shows it: it notes that the object is ours, then marks it and
// sets what else was dropped, each behind an intent of its own. What fails of
// that is for the next plan, which the ledger tells.
func (t *taking) dropped(rec ledger.Record, want resource.Map, made resource.Object) event {
	made.Address = t.step.Address
	made.Fields = t.x.run.Veil.Conceal(made.Fields, want)
	lost := t.lost(made, want)
	rec.ID, rec.Outs, rec.Bare = made.ID, t.desc.Outputs(made), true
	rec.Applied = maps.Clone(want)
	for _, c := range lost {
		delete(rec.Applied, c.Path[0])
	}
	t.ev.result.ID = made.ID
	t.x.trail.created(t.entry.Key, made)
	if err := t.write(ledger.Event{Type: ledger.Done, Record: &rec}); err != nil {
		return t.unheard("done", err)
	}
	mark := plan.Step{ID: "mark " + t.step.Address.Local(), Op: ledger.Adopt}
	if ev := t.then(mark, made).mark(); !finished(ev) {
		return t.partly(ev)
	}
	made.Mark = markOf(t.x.run.Estate, t.entry.Key)
	update := plan.Step{ID: "update " + t.step.Address.Local(), Op: ledger.Update, Want: t.step.Want, Changes: lost, Deps: t.step.Deps}
	if len(lost) > 0 {
		if ev := t.then(update, made).update(); !finished(ev) {
			return t.partly(ev)
		}
	}
	made.Fields = maps.Clone(made.Fields)
	maps.Copy(made.Fields, want)
	t.x.trail.created(t.entry.Key, made)
	return t.end(Done)
}

// lost lists the fields of a creating call that its object does not show,
// though a read tells them and an update can set them.
func (t *taking) lost(made resource.Object, want resource.Map) []resource.Change {
	var out []resource.Change
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if f := t.field(name); f.Unseen() || f.Immutable {
			continue
		}
		out = append(out, resource.Change{Path: resource.Path{name}, After: want[name]})
	}
	return t.outstanding(made, out)
}

// then takes one more step on the object that this one has made.
func (t *taking) then(s plan.Step, live resource.Object) *taking {
	s.Address, s.Live, s.Meta = t.step.Address, live.ID, t.step.Meta
	next := &taking{
		x: t.x, calls: t.calls, begun: true, step: &s, seen: sighting{object: live, found: true}, account: t.account, kind: t.kind, desc: t.desc,
		ev: event{st: t.ev.st, result: Result{Step: s, ID: live.ID}},
	}
	next.entry, _ = t.x.run.Journal.entry(t.entry.Key)
	return next
}

func finished(ev event) bool { return ev.result.Outcome == Done || ev.result.Outcome == Converged }

// partly ends the create as the step after it ended. It is not taken again: the
// object is there. What was not sent is the next run's.
func (t *taking) partly(ev event) event {
	if ev.result.Outcome == NotStarted {
		t.ev.fatal = ev.fatal
		return t.end(Done)
	}
	t.ev.fatal, t.ev.result.Err = ev.fatal, ev.result.Err
	return t.end(ev.result.Outcome)
}
