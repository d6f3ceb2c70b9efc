package reconcile_test

import (
	"errors"
	"testing"
	"time"

	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/store"
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
