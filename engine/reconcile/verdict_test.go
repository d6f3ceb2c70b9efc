package reconcile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
	"isobar.dev/providers/fake"
)

// wantRuns wants an environment's runs, newest first, each as "STATE: NOTE", and
// a kept report that says the same.
func (s *stage) wantRuns(env string, want ...string) {
	s.t.Helper()
	runs, err := s.data.Runs(s.t.Context(), store.RunFilter{Env: env})
	must(s.t, err)
	var got []string
	for _, r := range runs {
		got = append(got, string(r.State)+": "+r.Note)
		full, err := s.data.Run(s.t.Context(), r.ID)
		must(s.t, err)
		var kept view.RunJSON
		must(s.t, json.Unmarshal(full.Report, &kept))
		ended := r.State == store.Approved || r.State == store.Rejected || r.State == store.Superseded
		if (ended || r.State == store.Applied) && (string(kept.State) != string(r.State) || kept.Verdict != r.Note) {
			s.t.Errorf("run %s is %s (%s), its report says %s (%s)", r.ID, r.State, r.Note, kept.State, kept.Verdict)
		}
	}
	if !slices.Equal(got, want) {
		s.t.Fatalf("the runs are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// wantHeads wants the heads of the threads as they read now, oldest first.
func (s *stage) wantHeads(want ...string) {
	s.t.Helper()
	var got []string
	at := map[string]int{}
	for i, l := range s.room.all() {
		if text, ok := strings.CutPrefix(l, "post #ops "); ok {
			at[fmt.Sprint("m", i+1)] = len(got)
			got = append(got, text)
		} else if edit, ok := strings.CutPrefix(l, "edit "); ok {
			ref, text, _ := strings.Cut(edit, " ")
			got[at[ref]] = text
		}
	}
	if !slices.Equal(got, want) {
		s.t.Fatalf("the heads are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// wait starts a daemon over a plan that waits for a person, and gives its digest.
func (s *stage) wait() string {
	s.t.Helper()
	s.push("c1", map[string]environment{"prod": withMode(nets("prod", "a"), "approve")})
	s.start()
	s.pass(10 * time.Second)
	s.wantState("prod", "waiting")
	return s.row("prod").PlanDigest
}

func (s *stage) say(digest, by string, v store.Verdict) {
	s.t.Helper()
	_, err := s.Verdict(s.t.Context(), "prod", digest, by, v)
	must(s.t, err)
}

func TestApproval(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": withMode(nets("prod", "a"), "approve")})
		s.start()
		s.pass(10 * time.Second)
		s.wantState("prod", "waiting")
		s.pass(5 * time.Minute)
		s.wantState("prod", "waiting")
		if s.live() != 0 || s.room.count("post") != 1 {
			t.Fatalf("%d objects, the chat saw\n%s", s.live(), strings.Join(s.room.all(), "\n"))
		}
		first := s.row("prod").PlanDigest
		if _, err := s.Verdict(t.Context(), "prod", "deadbeefdead", "ann", store.Approve); !errors.Is(err, reconcile.ErrNoPlan) {
			t.Fatalf("approving nothing: %v", err)
		}
		// The spec moves on before the approval comes: the old digest is not applied.
		s.push("c2", map[string]environment{"prod": withMode(nets("prod", "a", "b"), "approve")})
		s.pass(10 * time.Second)
		second := s.row("prod").PlanDigest
		if _, err := s.Verdict(t.Context(), "", first, "ann", store.Approve); !errors.Is(err, reconcile.ErrNoPlan) || first == second {
			t.Fatalf("approving the old plan: %v", err)
		}
		if _, err := s.Verdict(t.Context(), "", second[:8], "ann", store.Approve); err != nil {
			t.Fatal(err)
		}
		s.pass(10 * time.Second)
		s.wantState("prod", "in sync")
		if s.live() != 2 {
			t.Fatalf("%d objects", s.live())
		}
		a, err := s.data.Approval(t.Context(), "prod", second)
		if err != nil || a.Run == "" {
			t.Fatalf("the approval was not used: %+v, %v", a, err)
		}
		s.wantRuns("prod", "applied: approved by ann", "approved: approved by ann", "superseded: superseded by a newer plan")
		s.wantHeads(
			"○ *prod* · superseded by a newer plan (1 change) · 00:05:15 UTC · `c1` \"change c1\" by ann",
			"✓ *prod* · applied 2 changes in 0.0 s, nothing drifted · approved by ann at 00:05:20 UTC · `c2` \"change c2\" by ann",
		)
		if s.room.count("reply m4", "network/b", "created") != 1 || s.room.count("reply m4") != 3 {
			t.Fatalf("the chat saw\n%s", strings.Join(s.room.all(), "\n"))
		}
	})
}

func TestMovedWorldAsksAgain(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": withMode(nets("prod", "a"), "auto")})
		s.start()
		s.pass(10 * time.Second)
		e := withMode(nets("prod", "a"), "approve")
		e.Desired[0].Fields["label"] = text("b")
		s.push("c2", map[string]environment{"prod": e})
		s.pass(10 * time.Second)
		s.wantState("prod", "waiting")
		digest := s.row("prod").PlanDigest
		id := s.world.Objects()[0].ID
		must(t, s.world.Mutate("network", id, func(f resource.Map) { f["label"] = text("meanwhile") }))
		if _, err := s.Verdict(t.Context(), "prod", digest, "ann", store.Approve); err != nil {
			t.Fatal(err)
		}
		s.pass(10 * time.Second)
		s.wantState("prod", "waiting")
		next := s.row("prod").PlanDigest
		if got := s.world.Objects()[0].Fields.Text("label"); got != "meanwhile" || next == digest || next == "" {
			t.Fatalf("label %s, plan %s after %s", got, next, digest)
		}
		if _, err := s.Verdict(t.Context(), "prod", next, "ann", store.Reject); err != nil {
			t.Fatal(err)
		}
		s.pass(3 * time.Minute)
		s.wantState("prod", "rejected")
		if got := s.world.Objects()[0].Fields.Text("label"); got != "meanwhile" {
			t.Fatalf("a rejected plan was applied: %s", got)
		}
		s.wantRuns("prod", "rejected: rejected by ann", "superseded: approved by ann, then superseded by a newer plan", "applied: ")
		s.wantHeads(
			"✓ *prod* · applied 1 change in 0.0 s, nothing drifted · `c1` \"change c1\" by ann",
			"○ *prod* · approved by ann, then superseded by a newer plan (1 change) · 00:00:20 UTC · `c2` \"change c2\" by ann",
			"✗ *prod* · rejected by ann at 00:00:30 UTC (1 change) · `c2` \"change c2\" by ann",
		)
		if got, want := s.row("prod").Note, "plan "+view.PlanID(next)+" was rejected by ann"; got != want {
			t.Fatalf("the note is %q, want %q", got, want)
		}
	})
}

// TestMovedPartAsksAgain applies of an approved plan what is as it was, and asks
// about the part that moved.
func TestMovedPartAsksAgain(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": withMode(nets("prod", "a", "b"), "auto")})
		s.start()
		s.pass(10 * time.Second)
		e := withMode(nets("prod", "a", "b"), "approve")
		e.Desired[0].Fields["label"], e.Desired[1].Fields["label"] = text("z"), text("z")
		s.push("c2", map[string]environment{"prod": e})
		s.pass(10 * time.Second)
		digest := s.row("prod").PlanDigest
		labels := func() map[string]string {
			out := map[string]string{}
			for _, o := range s.world.Objects() {
				out[o.Mark.Address.Name] = o.Fields.Text("label")
			}
			return out
		}
		for _, o := range s.world.Objects() {
			if o.Mark.Address.Name == "a" {
				must(t, s.world.Mutate("network", o.ID, func(f resource.Map) { f["label"] = text("meanwhile") }))
			}
		}
		s.say(digest, "ann", store.Approve)
		s.pass(10 * time.Second)
		s.wantState("prod", "waiting")
		if got := labels(); got["a"] != "meanwhile" || got["b"] != "z" {
			t.Fatalf("the labels are %v", got)
		}
		s.wantRuns("prod", "waiting: ", "applied: approved by ann", "approved: approved by ann", "applied: ")
		runs, err := s.data.Runs(t.Context(), store.RunFilter{Env: "prod"})
		must(t, err)
		full, err := s.data.Run(t.Context(), runs[1].ID)
		must(t, err)
		if !strings.Contains(string(full.Report), `label was \"a\" and is \"meanwhile\"`) {
			t.Fatalf("the report does not say what moved:\n%s", full.Report)
		}
		// The same approval is no good twice.
		_, err = s.Verdict(t.Context(), "prod", digest, "ann", store.Approve)
		if !errors.Is(err, reconcile.ErrNoPlan) || !strings.Contains(err.Error(), "was used already by run "+runs[1].ID+" at ") || !strings.Contains(err.Error(), "approved by ann") {
			t.Fatalf("approving it again: %v", err)
		}
		next := s.row("prod").PlanDigest
		s.say(next, "bob", store.Approve)
		s.pass(10 * time.Second)
		s.wantState("prod", "in sync")
		if got := labels(); got["a"] != "z" {
			t.Fatalf("the labels are %v", got)
		}
	})
}

// TestApprovalOutlivesTheProcess finds an approval that was given just before
// the process ended.
func TestApprovalOutlivesTheProcess(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": withMode(nets("prod", "a"), "approve")})
		s.start()
		s.pass(10 * time.Second)
		digest := s.row("prod").PlanDigest
		s.end()
		s.data = s.data.Reopen()
		must(t, s.data.PutApproval(t.Context(), store.Approval{Env: "prod", Digest: digest, By: "ann", At: time.Now(), Verdict: store.Approve}))
		s.start()
		s.pass(10 * time.Second)
		s.wantState("prod", "in sync")
		s.wantRuns("prod", "applied: approved by ann", "approved: approved by ann")
		if runs, err := s.data.Runs(t.Context(), store.RunFilter{Env: "prod"}); err != nil || runs[0].Trigger != "approve" || runs[1].Trigger != "push" {
			t.Fatalf("the triggers are wrong: %+v, %v", runs, err)
		}
		s.wantHeads("✓ *prod* · applied 1 change in 0.0 s, nothing drifted · approved by ann at 00:00:10 UTC · `c1` \"change c1\" by ann")
	})
}

// TestRejectionIsTold says who turned a plan away once, wherever people look.
func TestRejectionIsTold(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		digest := s.wait()
		s.say(digest, "bob", store.Reject)
		s.pass(20 * time.Minute)
		s.wantState("prod", "rejected")
		s.wantRuns("prod", "rejected: rejected by bob")
		s.wantHeads("✗ *prod* · rejected by bob at 00:00:10 UTC (1 change) · `c1` \"change c1\" by ann")
		if n := s.room.count("edit"); n != 1 || s.live() != 0 {
			t.Fatalf("%d edits, %d objects:\n%s", n, s.live(), strings.Join(s.room.all(), "\n"))
		}
		// A push asks about it anew, in a thread of its own.
		s.push("c2", map[string]environment{"prod": withMode(nets("prod", "a", "b"), "approve")})
		s.pass(10 * time.Second)
		s.wantRuns("prod", "waiting: ", "rejected: rejected by bob")
		if s.room.count("post") != 2 || s.room.count("edit") != 1 {
			t.Fatalf("the chat saw\n%s", strings.Join(s.room.all(), "\n"))
		}
	})
}

// TestRejectionOutlivesTheProcess finds a rejection that was given just before
// the process ended.
func TestRejectionOutlivesTheProcess(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		digest := s.wait()
		s.end()
		s.data = s.data.Reopen()
		must(t, s.data.PutApproval(t.Context(), store.Approval{Env: "prod", Digest: digest, By: "bob", At: time.Now(), Verdict: store.Reject}))
		s.start()
		s.pass(10 * time.Second)
		s.wantState("prod", "rejected")
		s.wantRuns("prod", "rejected: rejected by bob")
		s.wantHeads("✗ *prod* · rejected by bob at 00:00:10 UTC (1 change) · `c1` \"change c1\" by ann")
	})
}

// TestNothingLeftToDecide ends the wait of a plan that something else than a
// person made needless, and of one that was turned away before.
func TestNothingLeftToDecide(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		digest := s.wait()
		s.say(digest, "bob", store.Reject)
		s.pass(10 * time.Second)
		two := map[string]environment{"prod": withMode(nets("prod", "a", "b"), "approve")}
		s.push("c2", two)
		s.pass(10 * time.Second)
		s.wantState("prod", "waiting")
		s.say(s.row("prod").PlanDigest, "kim", store.Reject)
		s.pass(10 * time.Second)
		s.push("c3", map[string]environment{"prod": {broken: diag.List{{Severity: diag.Error, Code: "CUE-1", Message: "a typo"}}}})
		s.pass(10 * time.Second)
		s.push("c4", two)
		s.pass(10 * time.Second)
		s.wantState("prod", "waiting")
		s.push("c5", map[string]environment{"prod": {broken: diag.List{{Severity: diag.Error, Code: "CUE-1", Message: "a typo"}}}})
		s.pass(10 * time.Second)
		s.push("c6", map[string]environment{"prod": withMode(nets("prod", "a"), "approve")})
		s.pass(10 * time.Second)
		s.push("c7", map[string]environment{"prod": withMode(environment{}, "approve")})
		s.pass(10 * time.Second)
		s.wantState("prod", "in sync")
		s.wantRuns("prod", "no changes: ", "superseded: superseded: nothing is left to do", "failed: a typo", "superseded: superseded: no plan can be made now",
			"failed: a typo", "rejected: rejected by kim", "rejected: rejected by bob")
	})
}

// TestRejectedBefore comes back, by a change outside, to a plan that was turned
// away: what waited meanwhile ends, and that is told.
func TestRejectedBefore(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": withMode(nets("prod", "a"), "auto")})
		s.start()
		s.pass(10 * time.Second)
		e := withMode(nets("prod", "a"), "approve")
		e.Desired[0].Fields["label"] = text("b")
		s.push("c2", map[string]environment{"prod": e})
		s.pass(10 * time.Second)
		first := s.row("prod").PlanDigest
		s.say(first, "bob", store.Reject)
		id := s.world.Objects()[0].ID
		must(t, s.world.Mutate("network", id, func(f resource.Map) { f["label"] = text("meanwhile") }))
		s.pass(2 * time.Minute)
		s.wantState("prod", "waiting")
		must(t, s.world.Mutate("network", id, func(f resource.Map) { f["label"] = text("a") }))
		s.pass(5 * time.Minute)
		s.wantState("prod", "rejected")
		s.wantRuns("prod", "rejected: rejected by bob", "superseded: superseded by a newer plan", "rejected: rejected by bob", "applied: ")
		if n := s.room.count("post"); n != 4 || s.row("prod").Note != "plan "+view.PlanID(first)+" was rejected by bob" {
			t.Fatalf("%d posts, %q:\n%s", n, s.row("prod").Note, strings.Join(s.room.all(), "\n"))
		}
	})
}

// TestApprovedAndRejectedAtOnce: the last word counts, and nothing is begun.
func TestApprovedAndRejectedAtOnce(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		digest := s.wait()
		s.say(digest, "ann", store.Approve)
		s.say(digest, "bob", store.Reject)
		s.pass(5 * time.Minute)
		s.wantState("prod", "rejected")
		s.wantRuns("prod", "rejected: rejected by bob")
		if s.live() != 0 {
			t.Fatalf("%d objects", s.live())
		}
	})
}

// TestVerdictWithoutReport settles a run whose report can't be read any more.
func TestVerdictWithoutReport(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		digest := s.wait()
		runs, err := s.data.Runs(t.Context(), store.RunFilter{})
		must(t, err)
		run, err := s.data.Run(t.Context(), runs[0].ID)
		must(t, err)
		run.Report = nil
		must(t, s.data.PutRun(t.Context(), run))
		s.say(digest, "bob", store.Reject)
		s.pass(10 * time.Second)
		s.wantRuns("prod", "rejected: rejected by bob")
		s.wantHeads("✗ *prod* · rejected by bob at 00:00:10 UTC (1 change) · `c1` \"change c1\" by ann")
	})
}

// TestCutOffApply ends the run that an approval set going and a process left
// behind: in the store, and in the thread that it had taken over.
func TestCutOffApply(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.say(s.wait(), "ann", store.Approve)
		begun := false
		s.world.OnCall(func(c fake.Call) fake.Decision {
			if c.Op == provider.OpCreate && !begun {
				begun = true
				s.data = s.data.Reopen() // the store is another's from now on, as after a crash
				return fake.Decision{Before: fake.ErrCrash}
			}
			return fake.Decision{}
		})
		s.pass(10 * time.Second)
		s.end()
		s.wantRuns("prod", "applying: approved by ann", "approved: approved by ann")
		s.start()
		s.pass(10 * time.Second)
		s.wantState("prod", "waiting")
		s.wantRuns("prod", "waiting: ", "failed: approved by ann; its process ended first; what it had begun is settled by the next run", "approved: approved by ann")
		id := view.PlanID(s.row("prod").PlanDigest)
		s.wantHeads(
			"✗ *prod* · failed: 1 in doubt; its process ended first · approved by ann at 00:00:10 UTC · `fake.network/a`: create in doubt · `c1` \"change c1\" by ann · what is left waits for an approval: plan "+id,
			"◐ *prod* · plan `"+id+"` waits for an approval · 1 change: 1 create · `c1` \"change c1\" by ann\n"+
				"`+ fake.network/a` create\nto approve it: `isobar approve prod "+id+"` · to turn it away: `isobar reject prod "+id+"`",
		)
	})
}

// TestTwoSpeakAtOnce has one person turn a plan away and another approve it in the
// same moment: it is not applied, and the second hears why.
func TestTwoSpeakAtOnce(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("one", map[string]environment{"prod": withMode(nets("prod", "a"), "approve")})
		s.start()
		s.pass(20 * time.Second)
		s.wantState("prod", "waiting")
		digest := s.row("prod").PlanDigest
		if _, err := s.Verdict(t.Context(), "prod", digest, "eve", store.Reject); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Verdict(t.Context(), "prod", digest, "ann", store.Approve); !errors.Is(err, reconcile.ErrNoPlan) || !strings.Contains(err.Error(), "was rejected by eve") {
			t.Errorf("the second hears %v", err)
		}
		s.pass(5 * time.Minute)
		if s.live() != 0 {
			t.Errorf("%d objects of a plan that was turned away", s.live())
		}
	})
}
