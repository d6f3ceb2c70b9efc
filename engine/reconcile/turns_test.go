package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/view"
)

// TestAWaitForTheBudgetIsTold has a provider allow a call in ten seconds: the run
// under way says of each step that waits how long and where, and no more of it once
// the calls are through.
func TestAWaitForTheBudgetIsTold(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.budgets = provider.NewBudgets(provider.Rate{Start: 0.1, Min: 0.1, Max: 0.1, Burst: 1}, provider.Clock{Now: time.Now})
		s.push("c1", map[string]environment{"prod": nets("prod", "a", "b", "c")})
		s.start()
		var now *view.Run
		for range 300 {
			s.pass(time.Second)
			if now = s.Underway("prod"); now != nil && waits(now) == 2 {
				break
			}
		}
		if now == nil || waits(now) != 2 {
			t.Fatalf("nothing waits: %+v", now)
		}
		s.pass(3 * time.Second)
		now = s.Underway("prod")
		if got := now.Now(); !strings.Contains(got, " running, ") || !strings.Contains(got, " for its turn in the rate budget of fake") {
			t.Errorf("status says %q", got)
		}
		if text := string(now.JSON()); strings.Count(text, `"waits"`) != 2 || !strings.Contains(text, `"for_ms"`) {
			t.Errorf("JSON says %s", text)
		}
		s.pass(10 * time.Minute)
		s.wantState("prod", "in sync")
		if s.Underway("prod") != nil || len(s.budgets.Waits()) > 1 {
			t.Errorf("%+v still wait", s.budgets.Waits())
		}
	})
}

// waits counts the steps that wait for their turn.
func waits(r *view.Run) (n int) {
	for i := range r.Steps {
		if r.Steps[i].Turn != nil {
			n++
		}
	}
	return n
}
