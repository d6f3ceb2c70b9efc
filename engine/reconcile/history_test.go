package reconcile_test

import (
	"testing"
	"time"

	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
)

// TestHistoryIsBounded has drift put back again and again for two days, with a
// history of hours: runs, messages and evaluations stay bounded, what is kept is
// the newest, and the audit log stays whole.
func TestHistoryIsBounded(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.history = reconcile.History{For: 3 * time.Hour, Told: time.Hour, AtLeast: 2, AtMost: 10}
		s.push("c1", map[string]environment{"prod": nets("prod", "a"), "calm": nets("calm", "b")})
		s.start()
		s.pass(time.Minute)
		for _, id := range []string{"a", "b"} {
			_, err := s.data.Deliver(t.Context(), store.Delivery{Repo: "shop", ID: id, At: time.Now()})
			must(t, err)
		}
		for number, open := range []bool{true, false} {
			must(t, s.data.PutPull(t.Context(), store.Pull{Repo: "shop", Number: number + 1, Open: open, Updated: time.Now()}))
		}
		const rounds = 60
		for range rounds {
			for _, o := range s.world.Objects() {
				if o.Mark.Env == "prod" {
					must(t, s.world.Mutate("network", o.ID, func(f resource.Map) { f["label"] = text("hacked") }))
				}
			}
			s.pass(40 * time.Minute)
		}
		s.wantState("prod", "in sync")
		prod, err := s.data.Runs(t.Context(), store.RunFilter{Env: "prod"})
		must(t, err)
		if len(prod) < 2 || len(prod) > 10 || s.meter.count("prod applied") < rounds/2 {
			t.Errorf("%d runs are kept of %d", len(prod), s.meter.count("prod applied"))
		}
		calm, err := s.data.Runs(t.Context(), store.RunFilter{Env: "calm"})
		must(t, err)
		if len(calm) != 1 {
			t.Errorf("the last run of an environment is gone: %d", len(calm))
		}
		told, err := s.data.Deliveries(t.Context(), "shop", 0, 9)
		must(t, err)
		pulls, err := s.data.Pulls(t.Context(), "shop")
		must(t, err)
		if len(told) != 1 || told[0].ID != "b" || len(pulls) != 1 || !pulls[0].Open {
			t.Errorf("of pull requests are left %+v, %+v", told, pulls)
		}
		if _, err := s.data.VerifyAudit(t.Context(), ""); err != nil {
			t.Error(err)
		}
		if n := s.room.count("post"); n < rounds/2 {
			t.Errorf("%d threads", n)
		}
	})
}
