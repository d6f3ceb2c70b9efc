package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"isobar.dev/engine/store"
)

// prune takes out what is past its time, and nothing that anybody waits for.
func prune(t *testing.T, s store.Store) {
	ctx := t.Context()
	day := func(n int) time.Time { return kept(t0()).AddDate(0, 0, n) }
	must(t, s.PutEnvironment(ctx, store.Environment{Name: "prod", PlanDigest: "asked", Digest: "read"}))
	run := func(env, id string, at int, state store.RunState, more func(*store.Run)) {
		r := store.Run{ID: id, Env: env, State: state, Started: day(at), Plan: json.RawMessage(`{}`)}
		if more != nil {
			more(&r)
		}
		must(t, s.PutRun(ctx, r))
	}
	for i := range 6 {
		run("prod", fmt.Sprint("p", i), i, store.Applied, nil)
	}
	run("prod", "a-waits", -9, store.Waiting, func(r *store.Run) { r.Digest = "asked" })
	run("prod", "a-waited", -8, store.Waiting, func(r *store.Run) { r.Digest = "other" })
	run("prod", "a-goes-on", -7, store.Applying, nil)
	run("prod", "p6", 6, store.Failed, func(r *store.Run) { r.Thread = "p0" })
	run("dev", "d0", -20, store.Applied, nil)
	send := func(key, thread string, at int) {
		_, err := s.Enqueue(ctx, store.Message{Key: key, Thread: thread, Body: json.RawMessage(`1`)})
		must(t, err)
		if at > 0 {
			must(t, s.Sent(ctx, key, "ref", day(at)))
		}
	}
	send("run p0", "", 1)              // p6 goes on in its thread
	send("run p1", "", 1)              // something is still to be said there
	send("run p1 line", "run p1", 0)   //
	send("run p2", "", 1)              // goes
	send("run p2 edit 1", "run p2", 1) // goes
	send("run a-waits", "", 1)         // its run is kept
	send("refused c1", "", 1)          // goes
	send("run gone", "", 30)           // young
	for digest, at := range map[string]int{"old": 1, "read": 1, "young": 30} {
		must(t, s.PutEvaluation(ctx, digest, []byte(`1`), day(at)))
	}
	before, err := s.Info(ctx)
	must(t, err)
	keep := store.Retention{Since: day(10), AtLeast: 2, AtMost: 100}
	got, err := s.Prune(ctx, keep, 2)
	must(t, err)
	same(t, got, store.Pruned{Runs: 2, Messages: 1, Evaluations: 1}) // the runs of other messages are still there
	_, err = s.Run(ctx, "a-waited")                                  // the oldest goes first
	wantErr(t, err, store.ErrNotFound)
	for got.Any() {
		got, err = s.Prune(ctx, keep, 2)
		must(t, err)
	}
	left := func(env string) (ids []string) {
		list, err := s.Runs(ctx, store.RunFilter{Env: env})
		must(t, err)
		for _, r := range list {
			ids = append(ids, r.ID)
		}
		return ids
	}
	same(t, left("prod"), []string{"p6", "p5", "a-goes-on", "a-waits"})
	same(t, left("dev"), []string{"d0"}) // an environment's last
	for key, want := range map[string]error{
		"run p0": nil, "run p1": nil, "run a-waits": nil, "run gone": nil,
		"run p2": store.ErrNotFound, "run p2 edit 1": store.ErrNotFound, "refused c1": store.ErrNotFound,
	} {
		if _, err := s.Ref(ctx, key); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", key, err, want)
		}
	}
	due, err := s.Due(ctx, day(99), 10)
	if err != nil || len(due) != 1 {
		t.Errorf("unsent: %v, %v", due, err)
	}
	for digest, want := range map[string]error{"old": store.ErrNotFound, "read": nil, "young": nil} {
		if _, err := s.Evaluation(ctx, digest); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", digest, err, want)
		}
	}
	// However young, no more than so many; and the audit log stays whole.
	_, err = s.Prune(ctx, store.Retention{AtLeast: 1, AtMost: 1}, 10)
	must(t, err)
	same(t, left("prod"), []string{"p6", "a-goes-on", "a-waits"})
	after, err := s.Info(ctx)
	must(t, err)
	same(t, []int64{after.AuditRows, after.Events}, []int64{before.AuditRows, before.Events})
	_, err = s.VerifyAudit(ctx, before.LastHash)
	must(t, err)
}
