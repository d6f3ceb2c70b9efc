package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
	"isobar.dev/engine/view"
)

// TestRestoredLedger sets the ledger back to each moment of its past while the
// cloud stays as it is: what the ledger forgot is found by its marks.
func TestRestoredLedger(t *testing.T) {
	t.Parallel()
	life := phases()
	for i := range life { // what carries no mark cannot be found again
		life[i] = slices.DeleteFunc(life[i], func(d resource.Desired) bool { return d.Address.Kind == "record" })
	}
	for upTo := range life {
		events := pastOf(t, life[:upTo+1], nil)
		for cut := range events {
			var s *sim
			pastOf(t, life[:upTo+1], &s)
			restored := store.NewMemory()
			if _, err := restored.Append(t.Context(), "prod", 0, 0, events[:cut]); err != nil {
				t.Fatal(err)
			}
			s.reopen = func() store.Store { return restored }
			s.restart(storetest.Fault{})
			want := life[upTo]
			s.want(want...)
			if err := s.converge(t.Context(), nil, false); err != nil {
				t.Fatalf("phase %d, event %d: %v", upTo, cut, err)
			}
			if err := s.laws(want, nil); err != nil {
				t.Fatalf("phase %d, event %d: %v", upTo, cut, err)
			}
		}
	}
}

// pastOf lives through phases and gives the events.
func pastOf(t *testing.T, life [][]resource.Desired, out **sim) []ledger.Event {
	t.Helper()
	s := newSim(options{width: 1})
	for _, want := range life {
		s.want(want...)
		s.mustRun(t)
		s.clock.pass(time.Second)
	}
	events, err := s.under.Events(t.Context(), "prod", 0)
	must(t, err)
	if out != nil {
		*out = s
	}
	return events
}

// TestLostLedgerNamesWhatBearsNoMark loses the ledger: what bears no mark is
// neither made twice nor taken, but named for an import, also where what it
// stands in is of that sort. After it a plan finds nothing to do.
func TestLostLedgerNamesWhatBearsNoMark(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	want := []resource.Desired{
		obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16")}),
		obj("record", "api", resource.Map{"name": text("api"), "values": resource.List{text("1.2.3.4")}}),
		obj("record", "www", resource.Map{"name": text("www"), "values": resource.List{ref("network", "main", "gateway")}}),
	}
	s.want(want...)
	s.mustRun(t)
	s.reopen = memory()
	s.restart(storetest.Fault{})
	d := s.mustDraft(t)
	var mends []string
	var imports []reconcile.Import
	for _, h := range d.Plan.Held {
		if h.Why != plan.HeldUnowned {
			t.Fatalf("%s is held: %s", h.Address, h.Text)
		}
		mends = append(mends, h.Mend)
		imports = append(imports, reconcile.Import{Address: h.Address, Named: strings.Fields(strings.SplitN(h.Mend, ";", 2)[0])[9]})
	}
	if len(mends) != 2 || !strings.Contains(mends[0], "isobar import prod fake.record/api ") || !strings.Contains(mends[1], "isobar import prod fake.record/www ") {
		t.Fatalf("the mends are %q; the plan is %s", mends, brief(d.Plan))
	}
	before := len(s.world.Objects())
	if out := s.Apply(t.Context(), d, nil); out.Err != nil || len(s.world.Objects()) != before {
		t.Fatalf("%d objects of %d\n%s", len(s.world.Objects()), before, results(out))
	}
	s.runs++
	d, err := s.Draft(t.Context(), reconcile.Job{Tree: tree("c"), Env: "prod", Run: fmt.Sprint("run-", s.runs), Imports: imports})
	must(t, err)
	if out := s.Apply(t.Context(), d, nil); !out.OK() {
		t.Fatalf("the import:\n%s", results(out))
	}
	s.settled(t, want...)
}

// record is an object that bears no mark.
func record(name, label string) resource.Desired {
	return obj("record", name, resource.Map{"name": text(label), "values": resource.List{text("1.2.3.4")}})
}

// TestARestoredStoreDeletesNothingUnmarked sets the store back to before a person let
// go of what bears no mark, and before it was replaced: that is not deleted, nor made
// anew, until a person names it, also by a destroy; what that person says is over where
// the spec wants the object again.
func TestARestoredStoreDeletesNothingUnmarked(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newSim(options{})
	must(t, s.under.PutEnvironment(ctx, store.Environment{Name: "prod"}))
	s.want(record("a", "a"), record("b", "b"))
	s.mustRun(t)
	past, err := s.under.Events(ctx, "prod", 0)
	must(t, err)
	must(t, s.says(ctx, "prod", "fake.record/b", store.Release))
	s.want(record("a", "a"))
	s.mustRun(t)
	s.clock.pass(time.Hour)
	s.setBack(t, past)
	back, ok := s.under.(*store.Memory)
	if !ok {
		t.Fatalf("the store is %T", s.under)
	}
	must(t, back.SetBack(ctx, s.clock.now()))
	s.clock.pass(time.Hour)
	once := &reconcile.Once{
		Runner: s.Runner, Store: s.under, NewID: s.token,
		Tenure: reconcile.Tenure{Leases: s.under, Owner: "local", TTL: time.Hour, Now: s.clock.now},
	}
	draft := func(destroy bool) *reconcile.Attempt { // one that keeps what waits to be named
		t.Helper()
		a, err := once.Draft(ctx, reconcile.Job{Tree: tree("c"), Env: "prod", Destroy: destroy})
		must(t, err)
		return a
	}
	waits := func(destroy bool, kind plan.Action, name string) {
		t.Helper()
		p := draft(destroy).Plan
		i := slices.IndexFunc(p.Held, func(h plan.Held) bool { return h.Why == plan.HeldOrphan })
		if len(p.Held) != 1 || i < 0 || p.Held[i].Action != kind || p.Held[i].Address.Name != name || !strings.Contains(p.Held[i].Text, "restored at") {
			t.Fatalf("%s; held %+v", brief(p), p.Held)
		}
	}
	does := func(kind plan.Action, id resource.ID) {
		t.Helper()
		a := draft(false)
		if len(a.Plan.Held) > 0 || len(a.Plan.Changes) != 1 || a.Plan.Changes[0].Action != kind || a.Plan.Changes[0].ID != id {
			t.Fatalf("%s; held %+v", brief(a.Plan), a.Plan.Held)
		}
		if run, err := once.Apply(ctx, a, nil); err != nil || run.State != view.Applied {
			t.Fatalf("%+v, %v", run, err)
		}
	}
	idOf := func(name string) resource.ID { return s.state().Current(at("record", name)).Record.ID }
	a, b := idOf("a"), idOf("b")
	waits(false, plan.Delete, "b")
	waits(true, plan.Delete, "b")
	must(t, s.says(ctx, "prod", "fake.record/b", store.Delete))
	s.want(record("a", "a"), record("b", "b")) // the word is over
	if p := draft(false).Plan; !p.Empty() {
		t.Fatalf("as it was: %s; held %+v", brief(p), p.Held)
	}
	s.want(record("a", "a"))
	waits(false, plan.Delete, "b")
	s.clock.pass(time.Second)
	must(t, s.says(ctx, "prod", "fake.record/b", store.Delete))
	does(plan.Delete, b)

	s.want(record("a", "a2")) // it is made anew to be called that
	waits(false, plan.Replace, "a")
	s.clock.pass(time.Second)
	must(t, s.says(ctx, "prod", "fake.record/a", store.Delete))
	does(plan.Replace, a)
	s.want(kept()) // what was made since is ours
	if p := draft(false).Plan; len(p.Held) > 0 || !strings.Contains(brief(p), "delete fake.record/a") {
		t.Fatalf("%s; held %+v", brief(p), p.Held)
	}
}
