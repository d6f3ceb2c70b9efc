package web

import (
	"testing"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/store"
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

// TestBygoneIsLeftOut: of an environment that its repository no longer has and in
// which nothing is left, there is no line; of any other there is.
func TestBygoneIsLeftOut(t *testing.T) {
	t.Parallel()
	got := Statuses([]store.Environment{
		{Name: "destroyed", Absent: true, State: "destroyed"},
		{Name: "emptied", Absent: true, State: "in sync"},
		{Name: "listed", State: "destroyed"},
		{Name: "orphaned", Absent: true, State: "held", Resources: 2, Note: "its spec is gone"},
		{Name: "unread", Absent: true, State: "unreadable", Note: "no answer"},
		{Name: "working", Absent: true, State: "applying"},
	}, time.Now())
	want := []string{"listed", "orphaned", "unread", "working"}
	if len(got) != len(want) {
		t.Fatalf("%d lines: %+v", len(got), got)
	}
	for i := range got {
		if got[i].Env != want[i] {
			t.Errorf("line %d is %s, want %s", i, got[i].Env, want[i])
		}
	}
}
