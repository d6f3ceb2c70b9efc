package reconcile_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/providers/fake"
)

// TestProtectionAloneIsLearnt has a commit that does nothing but protect: the
// next one takes the object out, and it stays.
func TestProtectionAloneIsLearnt(t *testing.T) {
	for _, mode := range []string{"auto", "approve"} {
		t.Run(mode, func(t *testing.T) {
			play(t, func(t *testing.T, s *stage) {
				s.push("c1", map[string]environment{"prod": nets("prod", "a", "b")})
				s.start()
				s.pass(10 * time.Second)
				e := withMode(nets("prod", "a", "b"), mode)
				e.Desired[1].Meta.PreventDestroy = true
				s.push("c2", map[string]environment{"prod": e})
				s.pass(2 * time.Minute)
				s.wantState("prod", "in sync")
				s.push("c3", map[string]environment{"prod": withMode(nets("prod", "a"), mode)})
				s.pass(2 * time.Minute)
				if s.live() != 2 || s.row("prod").PlanDigest != "" {
					t.Fatalf("%d objects, plan %q", s.live(), s.row("prod").PlanDigest)
				}
				s.wantState("prod", "held")
			})
		})
	}
}

// TestDeniedIsNeverApplied asks the runner itself.
func TestDeniedIsNeverApplied(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.judge.deny = "prod"
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(10 * time.Second)
		once := reconcile.Once{Runner: s.Runner, Store: s.data, Tenure: s.Tenure, NewID: s.token}
		try, err := once.Draft(t.Context(), reconcile.Job{Tree: tree("c1"), Env: "prod", Trigger: "command"})
		must(t, err)
		if _, err := once.Apply(t.Context(), try, nil); !errors.Is(err, reconcile.ErrDenied) || s.live() != 0 {
			t.Fatalf("%v, %d objects", err, s.live())
		}
	})
}

// TestOldApprovalIsNotUsed approves a plan that is then not needed; when the
// same plan comes again, a person is asked again.
func TestOldApprovalIsNotUsed(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": withMode(nets("prod", "a"), "approve")})
		s.start()
		s.pass(10 * time.Second)
		digest := s.row("prod").PlanDigest
		s.push("c2", map[string]environment{"prod": withMode(nets("prod"), "approve")})
		s.end()
		s.data = s.data.Reopen()
		must(t, s.data.PutApproval(t.Context(), store.Approval{Env: "prod", Digest: digest, By: "ann", At: time.Now(), Verdict: store.Approve}))
		s.start()
		s.pass(3 * time.Minute)
		s.push("c3", map[string]environment{"prod": withMode(nets("prod", "a"), "approve")})
		s.pass(3 * time.Minute)
		s.wantState("prod", "waiting")
		if again := s.row("prod").PlanDigest; again != digest || s.live() != 0 {
			t.Fatalf("plan %s after %s, %d objects", again, digest, s.live())
		}
		s.end()
		s.start()
		s.pass(3 * time.Minute)
		s.wantState("prod", "waiting")
	})
}

// TestLateCreateIsNotMadeTwice has a create leave long after its intent, as a
// throttled one does, and its answer lost: reads may trail the call and not
// the intent.
func TestLateCreateIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	const lag = 5 * time.Minute
	s := newSim(options{lag: lag})
	s.want(obj("network", "a", resource.Map{"cidr": text("10.0.0.0/16")}))
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op != provider.OpCreate {
			return fake.Decision{}
		}
		s.clock.pass(lag + time.Minute)
		return fake.Decision{After: &resource.Failure{Class: resource.UnknownOutcome, Message: "no answer came"}}
	})
	_, _, err := s.run(t.Context())
	must(t, err)
	s.world.OnCall(nil)
	for range 20 {
		_, _, err := s.run(t.Context())
		must(t, err)
		if n := len(s.world.Objects()); n != 1 {
			t.Fatalf("%d objects", n)
		}
		s.clock.pass(time.Minute)
	}
	if s.id("network", "a") == "" {
		t.Fatal("what was made is not known")
	}
}

// TestLimitsOfNone holds deletions where a spec allows none, or next to none.
func TestLimitsOfNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits spec.Deletes
		takes  int // objects out of the spec
		held   int
	}{
		"no object":             {spec.Deletes{Max: 0, MaxShare: 1}, 1, 1},
		"nothing at all":        {spec.Deletes{Max: 0, MaxShare: 0.0001}, 1, 1},
		"no share, one object":  {spec.Deletes{Max: 5, MaxShare: 0}, 1, 0},
		"no share, two objects": {spec.Deletes{Max: 5, MaxShare: 0}, 2, 2},
		"hardly any share":      {spec.Deletes{Max: 5, MaxShare: 0.001}, 2, 2},
		"enough of both":        {spec.Deletes{Max: 2, MaxShare: 0.5}, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(options{})
			var want []resource.Desired
			for _, n := range []string{"a", "b", "c", "d"} {
				want = append(want, obj("network", n, resource.Map{"cidr": text("10.0.0.0/16")}))
			}
			s.want(want...)
			s.mustRun(t)
			s.specs.put("c", commit{envs: map[string]environment{"prod": {Environment: spec.Environment{Desired: want[c.takes:], Deletes: c.limits}}}})
			s.bounded = true
			d := s.mustDraft(t)
			held := 0
			for _, h := range d.Plan.Held {
				if h.Why == plan.HeldBudget {
					held++
				}
			}
			if held != c.held || len(d.Plan.Steps) != c.takes-c.held {
				t.Fatalf("%d held\n%s", held, brief(d.Plan))
			}
		})
	}
}

// TestSessionThatNeverOpens does not keep an environment waiting for ever.
func TestSessionThatNeverOpens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(options{})
		s.want(obj("network", "a", resource.Map{"cidr": text("10.0.0.0/16")}))
		cat := fake.Catalogue(s.world)
		cat.Types[0].Open = func(ctx context.Context, _ provider.Config) (provider.Session, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		s.Sessions = &reconcile.Sessions{Catalogue: cat}
		began := time.Now()
		d := s.mustDraft(t)
		if len(d.Plan.Steps) != 0 || len(d.Plan.Held) != 1 || !strings.Contains(d.Plan.Held[0].Text, "deadline") || time.Since(began) > 2*time.Minute {
			t.Fatalf("after %v: %s", time.Since(began), brief(d.Plan))
		}
	})
}

// TestHeldPartIsTold has a commit that changes one object and takes out another
// that is protected: one thread says both, and the next looks add none.
func TestHeldPartIsTold(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		e := nets("prod", "a", "b")
		e.Desired[1].Meta.PreventDestroy = true
		s.push("c1", map[string]environment{"prod": e})
		s.start()
		s.pass(10 * time.Second)
		e = nets("prod", "a")
		e.Desired[0].Fields["label"] = text("next")
		s.push("c2", map[string]environment{"prod": e})
		s.pass(10 * time.Second)
		s.wantState("prod", "held")
		s.pass(10 * time.Minute)
		s.wantState("prod", "held")
		if s.room.count("post") != 2 || s.room.count("edit m5", "⚠", "applied 1 change", "1 held") != 1 ||
			s.room.count("reply m5", "held", "network/b", "preventDestroy") != 1 || s.room.count("isobar apply") != 0 {
			t.Fatalf("the chat saw\n%s", strings.Join(s.room.all(), "\n"))
		}
	})
}

// TestBrokenCommitAdvice tells what a daemon needs, not a person at a clone.
func TestBrokenCommitAdvice(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": {broken: diag.List{{Severity: diag.Error, Code: "CUE-1", Message: "a typo"}}}})
		s.start()
		s.pass(10 * time.Minute)
		if s.room.count("reply m1", "error a typo") != 1 || s.room.count("reply m1", "nothing was applied: push a mended commit") != 1 ||
			s.room.count("isobar apply") != 0 || s.room.count("deny") != 0 {
			t.Fatalf("the chat saw\n%s", strings.Join(s.room.all(), "\n"))
		}
	})
}
