package web

import (
	"testing"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/view"
)

// TestRefusedStandBelow: a refused environment has a line of its own, below the
// one that goes on under its name.
func TestRefusedStandBelow(t *testing.T) {
	t.Parallel()
	refused := func(env, repo string) reconcile.Refusal {
		return reconcile.Refusal{Env: env, Repo: repo, Finding: diag.Finding{Message: "no"}}
	}
	got := withRefused([]view.Status{{Env: "base", Repo: "a"}, {Env: "prod", Repo: "a"}, {Env: "test", Repo: "a"}},
		[]reconcile.Refusal{refused("prod", "b"), refused("prod", "c"), refused("zoo", "b"), refused("also", "b")})
	want := []string{"also b", "base a", "prod a", "prod b", "prod c", "test a", "zoo b"}
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i, s := range got {
		if s.Env+" "+s.Repo != want[i] {
			t.Errorf("line %d is %s %s, want %s", i, s.Env, s.Repo, want[i])
		}
		if (s.State == "refused") != (s.Repo != "a") || s.State == "refused" && (s.Note != "no" || s.Checked >= 0) {
			t.Errorf("%+v", s)
		}
	}
}
