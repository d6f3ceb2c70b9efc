package reconcile_test

import (
	"slices"
	"testing"
	"time"

	"isobar.dev/engine/ledger"
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
