package plan_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// TestAnImportOfWhatIsAsWantedChangesNothing is the law of adoption: what stands
// as a spec wants it, made by whom ever, is imported by marks alone, and then no
// plan has anything to do; and where the spec moved on, the import still only
// marks, and the next plan converges.
func TestAnImportOfWhatIsAsWantedChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, imports)
}

// FuzzImport lets the fuzzer look for worlds.
func FuzzImport(f *testing.F) { f.Fuzz(rapid.MakeFuzz(imports)) }

func imports(t *rapid.T) {
	w := newWorld()
	desired := drawDesired(t)
	w.rest(t, desired)
	if rapid.Bool().Draw(t, "moved on") {
		desired = drawDesired(t)
	}
	in, fields := w.abandon(desired)
	p := plan.Build(in)
	for _, s := range p.Steps {
		if s.Op != ledger.Adopt || s.Token != "" || len(s.Changes) > 0 {
			t.Fatalf("an import wants to %s\n%s", s.ID, brief(p))
		}
		if err := w.adopt(&s); err != nil {
			t.Fatalf("%v\n%s", err, brief(p))
		}
	}
	for id, was := range fields {
		if now := w.object(id).Fields; !resource.Equal(now, was) {
			t.Fatalf("%s was %s and is %s", id, resource.Encode(was), resource.Encode(now))
		}
	}
	q := plan.Build(w.input(desired))
	for _, c := range q.Changes {
		for _, f := range c.Fields {
			if f.Cause == plan.CauseDrift || f.Conflict {
				t.Fatalf("%s of %s counts as drift\n%s\nafter\n%s", f.Path, c.Address, brief(q), brief(p))
			}
		}
	}
	agreed := len(p.Held) == 0 && len(p.Steps) == len(desired)
	for _, c := range p.Changes {
		agreed = agreed && len(c.Fields) == 0
	}
	if agreed && (len(q.Steps) > 0 || len(q.Held) > 0) {
		t.Fatalf("a plan is left\n%s\nafter\n%s", brief(q), brief(p))
	}
}

// abandon forgets everything that isobar knows of the world: its objects stand
// there as if somebody else had made them. It gives the input that imports what
// stands at the addresses of a spec, and how the objects are.
func (w *world) abandon(desired []resource.Desired) (plan.Input, map[resource.ID]resource.Map) {
	found := map[resource.Address]plan.Import{}
	fields := map[resource.ID]resource.Map{}
	for _, d := range desired {
		if e := w.state.Current(d.Address); e != nil && w.objects[e.Record.ID] != nil {
			w.objects[e.Record.ID].mark = resource.Mark{}
			o := w.object(e.Record.ID)
			found[d.Address] = plan.Import{Named: string(o.ID), Reading: plan.Reading{Seen: plan.Present, Object: o}}
		}
	}
	for _, id := range w.ids() {
		w.objects[id].mark = resource.Mark{}
		fields[id] = w.object(id).Fields
	}
	w.state, w.events = &ledger.State{}, nil
	in := w.input(desired)
	in.Imports = found
	if len(found) == 0 {
		in.Imports = map[resource.Address]plan.Import{addr("net", "nowhere"): {Reading: plan.Reading{Seen: plan.Absent, Why: "gone"}}}
	}
	return in, fields
}

// adopt does an import's step as apply does.
func (w *world) adopt(s *plan.Step) error {
	w.tokens++
	key := ledger.Key{Address: s.Address, Token: fmt.Sprintf("token-%04d", w.tokens)}
	kind := w.kinds[s.Address.Type()]
	rec := ledger.Record{ID: s.Live, Applied: s.Want, Meta: s.Meta, Schema: "1", Outs: kind.Outputs(w.object(s.Live)), Deps: slices.Clone(s.Deps)}
	if !kind.Marked {
		return w.write(ledger.Event{Address: key.Address, Token: key.Token, Type: ledger.Adopted, Record: &rec})
	}
	if err := w.write(ledger.Event{Address: key.Address, Token: key.Token, Type: ledger.Intended, Intent: &ledger.Intent{Op: s.Op, Record: rec}}); err != nil {
		return err
	}
	w.objects[s.Live].mark = resource.Mark{Estate: estate, Env: "prod", Address: key.Address, Token: key.Token}
	return w.write(ledger.Event{Address: key.Address, Token: key.Token, Type: ledger.Done, Record: &rec})
}
