package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/diag"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
	"isobar.dev/providers/fake"
)

// TestStoppedAtEveryCall stops an apply at each of its calls in turn, between
// that call's intent and its effect: what was sent is heard out and recorded,
// nothing else is begun, and the next run does just the rest.
func TestStoppedAtEveryCall(t *testing.T) {
	t.Parallel()
	life := phases()
	for _, width := range []int{1, 8} {
		for phase := range life {
			for n := 0; ; n++ {
				if !stoppedAt(t, width, life[:phase+1], n) {
					if n < 5 {
						t.Errorf("phase %d has %d calls", phase, n)
					}
					break
				}
			}
		}
	}
}

// stoppedAt lives through phases and stops the last one at its mutating call n;
// it reports whether there was one.
func stoppedAt(t *testing.T, width int, life [][]resource.Desired, n int) bool {
	t.Helper()
	name := fmt.Sprintf("width %d, phase %d, call %d", width, len(life)-1, n)
	s := newSim(options{width: width})
	for _, want := range life[:len(life)-1] {
		s.want(want...)
		s.mustRun(t)
	}
	want := life[len(life)-1]
	s.want(want...)
	d := s.mustDraft(t)
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	calls, sent := 0, 0
	s.world.OnCall(func(c fake.Call) fake.Decision {
		mu.Lock()
		defer mu.Unlock()
		if !c.Op.Mutates() || c.Op == provider.OpFind {
			return fake.Decision{}
		}
		if calls++; calls-1 == n {
			stop()
		} else if ctx.Err() != nil {
			sent++
		}
		return fake.Decision{}
	})
	out := s.Apply(ctx, d, nil)
	s.world.OnCall(nil)
	if ctx.Err() == nil {
		stop()
		return false
	}
	if out.Err != nil || out.Count(apply.InDoubt)+out.Count(apply.Failed)+out.Count(apply.Moved) > 0 {
		t.Fatalf("%s: %s", name, results(out))
	}
	if sent > width-1 { // those that were past their intent as the stop came
		t.Fatalf("%s: %d more calls were made after the stop", name, sent)
	}
	for _, e := range s.state().Entries {
		if e.Open != nil {
			t.Fatalf("%s: the intent on %s was left open", name, e.Address)
		}
	}
	s.mustRun(t)
	s.settled(t, want...)
	if creates := doubles(s.world.Calls()); creates != "" {
		t.Fatalf("%s: %s", name, creates)
	}
	return true
}

// doubles tells a token under which something was created twice, or "".
func doubles(calls []fake.Call) string {
	seen := map[string]bool{}
	for _, c := range calls {
		if c.Op == provider.OpCreate && c.Done {
			if seen[c.Token] {
				return "created twice: " + c.Kind + " " + c.Token
			}
			seen[c.Token] = true
		}
	}
	return ""
}

// A call that is refused for a while is not sent again once its run is stopped.
func TestStoppedWhileRefused(t *testing.T) {
	t.Parallel()
	for _, class := range []resource.Class{resource.Throttled, resource.Transient, resource.Conflict} {
		s := newSim(options{width: 1})
		want := []resource.Desired{obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16")}), obj("disk", "b", resource.Map{"size": resource.Int(1)})}
		s.want(want...)
		ctx, stop := context.WithCancel(t.Context())
		calls := 0
		s.world.OnCall(func(c fake.Call) fake.Decision {
			if c.Op != provider.OpCreate {
				return fake.Decision{}
			}
			if calls++; calls == 2 {
				stop()
			}
			return fake.Decision{Before: &resource.Failure{Class: class, Message: "not now"}}
		})
		d := s.mustDraft(t)
		out := s.Apply(ctx, d, nil)
		if calls != 2 || !out.Stopped || out.Count(apply.Done) > 0 || out.Count(apply.InDoubt) > 0 {
			t.Errorf("%s: %d calls, %s", class, calls, results(out))
		}
		s.world.OnCall(nil)
		s.mustRun(t)
		s.settled(t, want...)
		stop()
	}
}

// slow lets each mutating call of a kind take a while, and calls f once in the
// midst of the first.
func (s *stage) slow(kind string, f func()) {
	var begun atomic.Bool
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Kind == kind && c.Op == provider.OpCreate {
			if !begun.Swap(true) {
				f()
			}
			time.Sleep(3 * time.Second)
		}
		return fake.Decision{}
	})
}

func (s *stage) cancel(what, by string) store.Run {
	s.t.Helper()
	run, _, err := s.Cancel(s.t.Context(), what, by)
	must(s.t, err)
	return run
}

// noneOpen wants no intent of prod open.
func (s *stage) noneOpen() {
	s.t.Helper()
	st, err := s.data.State(s.t.Context(), "prod")
	must(s.t, err)
	for _, e := range st.Entries {
		if e.Open != nil {
			s.t.Fatalf("%s was left open", e.Address)
		}
	}
}

// estateOf is the first of the phases as an environment.
func estateOf(phase int) map[string]environment {
	return map[string]environment{"prod": {Environment: spec.Environment{Desired: phases()[phase]}}}
}

// TestCancel stops an apply in mode auto: what is left waits for a person.
func TestCancel(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", estateOf(0))
		s.slow("network", func() { s.cancel("prod", "bob") })
		s.start()
		s.pass(10 * time.Second)
		s.noneOpen()
		s.wantState("prod", "waiting")
		done := s.live()
		if note := s.row("prod").Note; done == 0 || done > 6 || !strings.HasSuffix(note, "needs an approval: the run before was cancelled by bob") {
			t.Fatalf("%d objects, the note is %q", done, note)
		}
		s.wantRuns("prod", "waiting: ", "cancelled: cancelled by bob")
		if s.room.count("edit", "◐ *prod* · cancelled by bob: ", "not started") == 0 || s.room.count("reply", "what is left waits for a person or a commit") != 1 {
			t.Fatalf("the chat saw\n%s", strings.Join(s.room.all(), "\n"))
		}
		if s.meter.count("prod cancelled") != 1 {
			t.Errorf("the meter saw %v", s.meter.runs)
		}
		s.pass(10 * time.Minute)
		if s.live() != done || s.room.count("post") != 2 {
			t.Fatalf("%d objects, %d before\n%s", s.live(), done, strings.Join(s.room.all(), "\n"))
		}
		rows, err := s.data.AuditRows(t.Context(), store.AuditFilter{})
		must(t, err)
		run := ""
		for _, r := range rows {
			if r.Kind == "cancel" && r.Actor == "bob" {
				run = r.Run
			}
		}
		kept, err := s.data.Run(t.Context(), run)
		if err != nil || kept.State != store.Cancelled {
			t.Fatalf("the audit log names %q: %+v, %v", run, kept, err)
		}
		s.say(s.row("prod").PlanDigest, "ann", store.Approve)
		s.pass(30 * time.Second)
		s.wantState("prod", "in sync")
		if s.live() != 10 || doubles(s.world.Calls()) != "" {
			t.Fatalf("%d objects, %s", s.live(), doubles(s.world.Calls()))
		}
		// Its next drift is put back unasked again.
		must(t, s.world.Mutate("network", s.idOf("network", "main"), func(f resource.Map) { f["label"] = text("hacked") }))
		s.pass(2 * time.Minute)
		s.wantState("prod", "in sync")
	})
}

func (s *stage) idOf(kind, name string) resource.ID {
	st, err := s.data.State(s.t.Context(), "prod")
	must(s.t, err)
	e := st.Current(at(kind, name))
	if e == nil {
		s.t.Fatalf("the ledger has no %s/%s", kind, name)
	}
	return e.Record.ID
}

// A commit takes up what a person cancelled.
func TestCancelThenCommit(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", estateOf(0))
		s.slow("network", func() { s.cancel("prod", "bob") })
		s.start()
		s.pass(10 * time.Second)
		s.wantState("prod", "waiting")
		s.push("c2", estateOf(1))
		s.pass(50 * time.Second)
		s.wantState("prod", "in sync")
		if s.live() != 9 {
			t.Fatalf("%d objects", s.live())
		}
	})
}

// A run that waits is turned away.
func TestCancelOfWhatWaits(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		digest := s.wait()
		run := s.cancel("prod", "bob")
		s.pass(time.Second)
		s.wantState("prod", "cancelled")
		if note := s.row("prod").Note; note != "plan "+view.PlanID(digest)+" was cancelled by bob" {
			t.Errorf("the note is %q", note)
		}
		if _, err := s.Verdict(t.Context(), "prod", digest, "ann", store.Approve); !errors.Is(err, reconcile.ErrNoPlan) {
			t.Fatalf("approving it: %v", err)
		}
		s.wantRuns("prod", "cancelled: cancelled by bob")
		s.wantHeads("◐ *prod* · cancelled by bob (1 change) · 00:00:10 UTC · `c1` \"change c1\" by ann")
		if _, _, err := s.Cancel(t.Context(), run.ID, "bob"); !errors.Is(err, reconcile.ErrNotUnderWay) {
			t.Fatalf("again: %v", err)
		}
		s.pass(10 * time.Minute)
		s.wantState("prod", "cancelled")
		if s.live() != 0 || s.room.count("post") != 1 {
			t.Fatalf("%d objects, the chat saw\n%s", s.live(), strings.Join(s.room.all(), "\n"))
		}
		s.push("c2", map[string]environment{"prod": withMode(nets("prod", "a", "b"), "approve")})
		s.pass(10 * time.Second)
		s.wantState("prod", "waiting")
	})
}

// A cancel of what waits outlives the process that took it.
func TestCancelOfWhatWaitsIsKept(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		digest := s.wait()
		s.end()
		runs, err := s.data.Runs(t.Context(), store.RunFilter{})
		must(t, err)
		s.data = s.data.Reopen()
		must(t, s.data.PutApproval(t.Context(), store.Approval{Env: "prod", Digest: digest, By: "bob", At: time.Now(), Verdict: store.Cancel, Run: runs[0].ID}))
		s.start()
		s.pass(2 * time.Minute)
		s.wantState("prod", "cancelled")
		s.wantRuns("prod", "cancelled: cancelled by bob")
	})
}

// A process that shares the store sees within a third of its lease's time that
// somebody cancelled its run elsewhere.
func TestCancelFromElsewhere(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", estateOf(0))
		asked := make(chan time.Time, 1)
		s.slow("network", func() {
			elsewhere := &reconcile.Daemon{Store: s.data, Runner: &reconcile.Runner{Now: time.Now}}
			if _, _, err := elsewhere.Cancel(context.Background(), "prod", "bob"); err != nil {
				t.Error(err)
			}
			asked <- time.Now()
		})
		s.start()
		s.pass(15 * time.Second)
		at := <-asked
		for _, c := range mutating(s.world.Calls()) {
			if c.At.After(at.Add(2 * time.Second)) {
				t.Errorf("begun %s after the cancel: %+v", c.At.Sub(at), c)
			}
		}
		s.noneOpen()
		s.wantState("prod", "waiting")
		s.wantRuns("prod", "waiting: ", "cancelled: cancelled by bob")
	})
}

// TestCancelThenCrash lets the process die before the run ended: that it was
// cancelled is known, and nothing is taken up unasked.
func TestCancelThenCrash(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", estateOf(0))
		var once sync.Once
		s.world.OnCall(func(c fake.Call) fake.Decision {
			if c.Op == provider.OpCreate && c.Kind == "network" {
				once.Do(func() {
					s.cancel("prod", "bob")
					s.data = s.data.Reopen() // the store is another's from now on, as after a crash
				})
				return fake.Decision{After: fake.ErrCrash}
			}
			return fake.Decision{}
		})
		s.pass(time.Second)
		s.start()
		s.pass(10 * time.Second)
		s.end()
		s.world.OnCall(nil)
		s.wantRuns("prod", "applying: ")
		s.start()
		s.pass(time.Minute)
		s.wantState("prod", "waiting")
		s.noneOpen()
		s.wantRuns("prod", "waiting: ", "cancelled: cancelled by bob; its process ended first; what it had begun is settled by the next run")
		s.say(s.row("prod").PlanDigest, "ann", store.Approve)
		s.pass(30 * time.Second)
		s.wantState("prod", "in sync")
		if s.live() != 10 {
			t.Fatalf("%d objects", s.live())
		}
	})
}

// TestNewerCommitStopsAnApply has a commit take the place of the one whose apply
// is under way, if it wants something else of the environment and can be planned.
func TestNewerCommitStopsAnApply(t *testing.T) {
	other := estateOf(0)
	other["test"] = nets("test", "a")
	wrong := map[string]environment{"prod": {broken: diag.List{{Severity: diag.Error, Code: "CUE-1", Message: "a typo"}}}}
	for name, c := range map[string]struct {
		next map[string]environment
		runs []string
		live int
	}{
		"changed":         {estateOf(1), []string{"applied: ", "cancelled: cancelled by the newer commit c2 \"change c2\" by ann"}, 9},
		"the same":        {other, []string{"applied: "}, 11},
		"it has mistakes": {wrong, []string{"failed: a typo", "applied: "}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, s *stage) {
				s.push("c1", estateOf(0))
				s.slow("network", func() { s.push("c2", c.next); time.Sleep(6 * time.Second) })
				s.start()
				s.pass(70 * time.Second)
				s.wantRuns("prod", c.runs...)
				if s.live() != c.live || doubles(s.world.Calls()) != "" {
					t.Fatalf("%d objects, %s", s.live(), doubles(s.world.Calls()))
				}
			})
		})
	}
}
