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
