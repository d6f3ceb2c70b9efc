package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"isobar.dev/engine/store"
)

// verified fails unless the audit log is whole.
func verified(t *testing.T, s store.Store) store.Proof {
	t.Helper()
	p, err := s.VerifyAudit(t.Context(), "")
	must(t, err)
	return p
}

func auditLog(t *testing.T, s store.Store) {
	ctx, now := t.Context(), t0()
	same(t, verified(t, s), store.Proof{})
	_, err := s.VerifyAudit(ctx, "noted")
	wantErr(t, err, store.ErrTampered)
	must(t, s.Audit(ctx, store.AuditEntry{At: now, Kind: "login", Actor: "ann", Body: json.RawMessage(`{"a":1}`)}))
	_, err = s.Append(ctx, "prod", 0, 0, create("main", "t1"))
	must(t, err)
	// A lease that is taken, given up and taken again is no news; one that ran
	// out in its owner's hands is.
	for _, owner := range []string{"a", "b"} {
		_, err = s.Acquire(ctx, "prod", owner, time.Minute, now)
		must(t, err)
		must(t, s.Release(ctx, "prod", owner))
	}
	_, err = s.Acquire(ctx, "prod", "a", time.Minute, now.Add(-time.Hour))
	must(t, err)
	_, err = s.Acquire(ctx, "prod", "b", time.Minute, now)
	must(t, err)
	must(t, s.PutApproval(ctx, store.Approval{Env: "prod", Digest: "d", By: "ann", At: now, Verdict: store.Approve}))
	_, err = s.Consume(ctx, "prod", "d", "r1", now)
	must(t, err)
	rows, err := s.AuditRows(ctx, store.AuditFilter{})
	must(t, err)
	var kinds []string
	for i, r := range rows {
		kinds = append(kinds, r.Kind)
		if r.Seq != int64(i)+1 || i > 0 && r.Prev != rows[i-1].Hash {
			t.Fatalf("row %d does not follow: %+v", i, r)
		}
	}
	same(t, kinds, []string{"login", "events", "lease taken over", "approval", "approval used"})
	auditFilters(t, s, rows)
	same(t, verified(t, s), store.Proof{Rows: 5, Events: 2, Since: kept(now), Last: rows[4].Hash})
	_, err = s.VerifyAudit(ctx, rows[2].Hash)
	must(t, err)
	_, err = s.VerifyAudit(ctx, "noted")
	wantErr(t, err, store.ErrTampered)
	wantErr(t, s.Audit(ctx, store.AuditEntry{At: now, Kind: "events"}), store.ErrRefused)
	wantErr(t, s.Audit(ctx, store.AuditEntry{At: now}), store.ErrRefused)
}

func auditFilters(t *testing.T, s store.Store, rows []store.AuditRow) {
	t.Helper()
	for _, c := range []struct {
		name string
		by   store.AuditFilter
		want []store.AuditRow
	}{
		{"after", store.AuditFilter{After: 2}, rows[2:]},
		{"the last ones", store.AuditFilter{Limit: 2}, rows[3:]},
		{"of an environment", store.AuditFilter{Env: "prod", Limit: 3}, rows[2:]},
		{"none", store.AuditFilter{Env: "dev"}, nil},
		{"since", store.AuditFilter{Since: t0().Add(time.Millisecond)}, nil},
		{"since then", store.AuditFilter{Since: t0()}, rows},
	} {
		got, err := s.AuditRows(t.Context(), c.by)
		must(t, err)
		if dump(t, got) != dump(t, c.want) {
			t.Errorf("%s: got %s", c.name, dump(t, got))
		}
	}
}

// auditRuns checks that a run's every new state is on record.
func auditRuns(t *testing.T, s store.Store) {
	ctx := t.Context()
	run := store.Run{ID: "r1", Env: "prod", Actor: "ann", Trigger: "push", Digest: "d", Started: t0()}
	for _, state := range []store.RunState{store.Waiting, store.Waiting, store.Approved, store.Applying, store.Applied, store.Superseded} {
		run.State, run.Note = state, "as it is"
		if state == store.Applied {
			run.Ended = t0().Add(time.Minute)
		}
		must(t, s.PutRun(ctx, run))
	}
	rows, err := s.AuditRows(ctx, store.AuditFilter{})
	must(t, err)
	var got []string
	for _, r := range rows {
		got = append(got, r.Kind+" "+r.Run+" "+r.Actor+" "+string(r.Body))
	}
	tail := `,"trigger":"push","digest":"d","note":"as it is"}`
	same(t, got, []string{`run r1 ann {"state":"waiting"` + tail, `run r1 ann {"state":"applying"` + tail, `run r1 ann {"state":"applied"` + tail})
	if !rows[1].At.Equal(kept(t0())) || !rows[2].At.Equal(kept(t0().Add(time.Minute))) {
		t.Errorf("at %v and %v", rows[1].At, rows[2].At)
	}
	verified(t, s)
}

// info checks what a store says of itself.
func info(t *testing.T, s store.Store) {
	ctx := t.Context()
	if at, err := s.Restored(ctx); err != nil || !at.IsZero() {
		t.Errorf("a new store was restored at %s, %v", at, err)
	}
	got, err := s.Info(ctx)
	must(t, err)
	same(t, []any{got.Environments, got.Resources, got.Events, got.Runs, got.AuditRows, got.LastHash}, []any{0, 0, 0, 0, 0, ""})
	must(t, s.PutEnvironment(ctx, store.Environment{Name: "prod"}))
	_, err = s.Append(ctx, "prod", 0, 0, create("main", "t1"))
	must(t, err)
	must(t, s.PutRun(ctx, store.Run{ID: "r", Env: "prod", State: store.Applied, Started: t0(), Ended: t0().Add(time.Minute)}))
	got, err = s.Info(ctx)
	must(t, err)
	same(t, []any{got.Environments, got.Resources, got.Events, got.Runs, got.AuditRows}, []any{1, 1, 2, 1, 2})
	if p := verified(t, s); got.LastHash != p.Last || !got.Since.Equal(p.Since) || !got.Until.Equal(kept(t0().Add(time.Minute))) || got.Kind == "" {
		t.Errorf("got %+v, the proof is %+v", got, p)
	}
}
