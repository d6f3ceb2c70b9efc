package reconcile_test

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
	"isobar.dev/engine/view"
	"isobar.dev/providers/fake"
)

// Whichever write a daemon dies after, no run is left as if it still went on,
// here or in chat.
func TestNoRunIsLeftApplying(t *testing.T) {
	t.Parallel()
	buried := 0
	for n, struck := 1, true; struck && !t.Failed(); n++ {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t)
			s.push("c1", map[string]environment{"prod": nets("prod", "a")})
			s.fault = storetest.Fault{Write: n, When: storetest.After}
			s.start()
			s.pass(10 * time.Second)
			if struck = s.disk.Crashed(); struck {
				s.fault = storetest.Fault{}
				s.end()
				s.start()
			}
			s.pass(2 * time.Minute)
			s.wantState("prod", "in sync")
			runs, err := s.data.Runs(t.Context(), store.RunFilter{})
			must(t, err)
			for _, r := range runs {
				if r.State == store.Applying || r.Ended.IsZero() {
					t.Errorf("killed after write %d: run %s is left %s", n, r.ID, r.State)
				}
				if r.State == store.Failed {
					buried++
				}
			}
			for ref, head := range s.room.heads() {
				if strings.Contains(head, "applying") {
					t.Errorf("killed after write %d: %s says %s", n, ref, head)
				}
			}
			s.end()
		})
	}
	if buried == 0 {
		t.Error("no write was in the midst of a run")
	}
}

// TestAKilledRunKeepsItsSteps: what a process did that did not live to report it,
// the ledger knows. Chat hears of each, once.
func TestAKilledRunKeepsItsSteps(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": {Environment: spec.Environment{Desired: phases()[0]}}})
		var killed atomic.Bool
		s.world.OnCall(func(c fake.Call) fake.Decision {
			if c.Op == provider.OpCreate && c.Kind == "machine" && killed.CompareAndSwap(false, true) {
				s.data = s.data.Reopen() // the store is another's from now on, as after a crash
				return fake.Decision{Before: fake.ErrCrash}
			}
			return fake.Decision{}
		})
		s.start()
		s.pass(10 * time.Second)
		s.end()
		s.start()
		s.pass(20 * time.Minute)
		s.wantState("prod", "in sync")
		runs, err := s.data.Runs(t.Context(), store.RunFilter{})
		must(t, err)
		first, err := s.data.Run(t.Context(), runs[len(runs)-1].ID)
		must(t, err)
		var report view.RunJSON
		must(t, json.Unmarshal(first.Report, &report))
		if first.State != store.Failed || report.Done == 0 || report.InDoubt == 0 || report.NotStarted == 0 || report.Why != "its process ended first" {
			t.Errorf("its report is\n%s", first.Report)
		}
		for _, step := range report.Steps {
			if told := s.room.count("reply", "`"+step.Address+"` "+step.Op); step.State == view.StepDone && told != 1 {
				t.Errorf("the chat was told %d times of %s:\n%s", told, step.ID, strings.Join(s.room.all(), "\n"))
			}
		}
	})
}

// TestAKilledApplyIsNotSaidToGoOn: whoever goes on after a process that died in an
// apply says so at once, though its own look takes long.
func TestAKilledApplyIsNotSaidToGoOn(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": nets("prod", "a", "b")})
		var killed atomic.Bool
		s.world.OnCall(func(c fake.Call) fake.Decision {
			switch {
			case c.Op == provider.OpCreate && killed.CompareAndSwap(false, true):
				s.data = s.data.Reopen() // the store is another's from now on, as after a crash
				return fake.Decision{Before: fake.ErrCrash}
			case killed.Load():
				time.Sleep(time.Minute) // of the play's clock
			}
			return fake.Decision{}
		})
		s.start()
		s.pass(10 * time.Second)
		s.end()
		if got := s.row("prod").State; got != "applying" {
			t.Fatalf("the row says %q", got)
		}
		s.start()
		s.pass(10 * time.Second)
		if row := s.row("prod"); row.State != "failed" || !strings.Contains(row.Note, "its process ended first") {
			t.Errorf("the row says %q: %s", row.State, row.Note)
		}
		s.pass(20 * time.Minute)
		s.wantState("prod", "in sync")
	})
}
