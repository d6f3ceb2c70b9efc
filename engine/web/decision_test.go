package web_test

import (
	"context"
	"testing"
	"time"

	"isobar.dev/engine/store"
	"isobar.dev/engine/web"
)

// decided has one verdict a plan.
type decided map[string]store.Approval

func (d decided) Approval(_ context.Context, _, digest string) (store.Approval, error) {
	if a, ok := d[digest]; ok {
		return a, nil
	}
	return store.Approval{}, store.ErrNotFound
}

// TestRunsTellWhoDecided: the run that asked and the one that went ahead by the word
// name who said it and when; one that failed with the same plan before does not.
func TestRunsTellWhoDecided(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)
	said := decided{"d1": {By: "mei", At: began.Add(time.Minute), Verdict: store.Approve, Run: "applies"}}
	run := func(id string, s store.RunState, digest string) store.Run {
		return store.Run{ID: id, State: s, Digest: digest, Started: began}
	}
	rows := []store.Run{
		run("applies", store.Applied, "d1"), run("asked", store.Approved, "d1"), run("failed", store.Failed, "d1"), run("other", store.Applied, "d2"), run("none", store.NoChanges, ""),
	}
	for _, l := range web.RunLines(t.Context(), said, rows, began.Add(time.Hour)) {
		want := l.ID == "applies" || l.ID == "asked"
		if got := l.Word != nil; got != want || want && (l.Word.By != "mei" || l.Word.Verdict != "approve" || !l.Word.At.Equal(began.Add(time.Minute))) {
			t.Errorf("%s: decided by %+v", l.ID, l.Word)
		}
		if !l.Began.Equal(began) {
			t.Errorf("%s began at %v", l.ID, l.Began)
		}
	}
}
