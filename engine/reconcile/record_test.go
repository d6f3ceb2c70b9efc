package reconcile_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
)

// onRecord gives an environment's audit rows in short, those that follow each
// other and read the same once, and proves the log.
func (s *stage) onRecord(env string) []string {
	s.t.Helper()
	if _, err := s.data.VerifyAudit(s.t.Context(), ""); err != nil {
		s.t.Fatal(err)
	}
	rows, err := s.data.AuditRows(s.t.Context(), store.AuditFilter{Env: env})
	must(s.t, err)
	var out []string
	for _, r := range rows {
		var body struct {
			State   string `json:"state"`
			Verdict string `json:"verdict"`
		}
		must(s.t, json.Unmarshal(r.Body, &body))
		words := strings.Join(strings.Fields(r.Kind+" "+body.State+" "+body.Verdict), " ")
		if r.Kind == "approval" || r.Kind == "approval used" {
			words += " " + r.Actor
		}
		out = append(out, words)
	}
	return slices.Compact(out)
}

func (s *stage) wantRecord(env string, want ...string) {
	s.t.Helper()
	if got := s.onRecord(env); !slices.Equal(got, want) {
		s.t.Fatalf("on record of %s is\n  %s\nwant\n  %s", env, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// TestEveryDecisionIsOnRecord: who asked for what, what came of it, and when, in
// the order in which it was.
func TestEveryDecisionIsOnRecord(t *testing.T) {
	play(t, func(_ *testing.T, s *stage) {
		digest := s.wait()
		s.pass(20 * time.Minute)
		s.wantRecord("prod", "run waiting")
		s.say(digest, "ann", store.Reject)
		s.push("c2", map[string]environment{"prod": withMode(nets("prod", "a", "b"), "approve")})
		s.pass(time.Minute)
		s.say(s.row("prod").PlanDigest, "mei", store.Approve)
		s.pass(20 * time.Minute)
		s.wantState("prod", "in sync")
		s.wantRecord("prod", "run waiting", "approval reject ann", "run waiting", "approval approve mei", "approval used mei",
			"run applying", "events", "run applied")
	})
}

// TestDenialIsOnRecord: once, however often the daemon looks; and each time that
// a person tries.
func TestDenialIsOnRecord(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.judge.deny = "prod"
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(20 * time.Minute)
		s.wantRecord("prod", "policy denied", "run denied")
		once := reconcile.Once{Runner: s.Runner, Store: s.data, Tenure: s.Tenure, NewID: s.token}
		_, err := once.Draft(t.Context(), reconcile.Job{Tree: tree("c1"), Env: "prod", Trigger: "command", Actor: "ann"})
		must(t, err)
		rows, err := s.data.AuditRows(t.Context(), store.AuditFilter{Env: "prod", Limit: 1})
		must(t, err)
		if r := rows[0]; r.Kind != "policy" || r.Actor != "ann" || !strings.Contains(string(r.Body), `"trigger":"command"`) || !strings.Contains(string(r.Body), `"rule":"`) {
			t.Fatalf("on record is %+v %s", r, r.Body)
		}
	})
}

func TestRefusedEnvironmentIsOnRecord(t *testing.T) {
	playPair(t, func(t *testing.T, p *pair) {
		p.has(p.a, "a1", "prod")
		p.start()
		p.pass(10 * time.Second)
		p.has(p.b, "b1", "prod")
		p.pass(20 * time.Minute)
		p.wantRecord("prod", "run applying", "events", "run applied", "environment refused")
		rows, err := p.data.AuditRows(t.Context(), store.AuditFilter{Env: "prod", Limit: 1})
		must(t, err)
		if body := string(rows[0].Body); !strings.Contains(body, `"rule":"SRV-801"`) || !strings.Contains(body, `"repo":"b"`) {
			t.Fatalf("on record is %s", body)
		}
	})
}

func TestRefreshIsOnRecord(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": {Environment: spec.Environment{Mode: "auto", Desired: onImage("")}}})
		s.start()
		s.pass(30 * time.Second)
		must(t, s.Refresh(t.Context(), "prod", []string{"fake.image/os"}))
		s.pass(time.Minute)
		if got := s.onRecord("prod"); got[len(got)-1] != "lookups asked anew" {
			t.Fatalf("on record is %v", got)
		}
	})
}
