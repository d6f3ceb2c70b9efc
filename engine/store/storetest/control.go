package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"isobar.dev/engine/store"
)

func leases(t *testing.T, s store.Store) {
	ctx, now := t.Context(), t0()
	none, err := s.Lease(ctx, "prod")
	must(t, err)
	same(t, none, store.Lease{})
	for _, c := range []struct {
		owner string
		after time.Duration
		epoch int64
		err   error
	}{
		{"a", 0, 1, nil},
		{"a", 5 * time.Second, 1, nil},
		{"b", 14 * time.Second, 0, store.ErrHeld},
		{"b", 15 * time.Second, 2, nil},
		{"a", 16 * time.Second, 0, store.ErrHeld},
		{"a", 30 * time.Second, 3, nil},
		{"", time.Hour, 0, store.ErrRefused},
	} {
		epoch, err := s.Acquire(ctx, "prod", c.owner, 10*time.Second, now.Add(c.after))
		wantErr(t, err, c.err)
		if epoch != c.epoch {
			t.Fatalf("%s after %s: epoch %d, want %d", c.owner, c.after, epoch, c.epoch)
		}
	}
	must(t, s.Heartbeat(ctx, "prod", "a", time.Minute, now.Add(40*time.Second)))
	wantErr(t, s.Heartbeat(ctx, "prod", "b", time.Minute, now), store.ErrFenced)
	l, err := s.Lease(ctx, "prod")
	must(t, err)
	same(t, l, store.Lease{Env: "prod", Owner: "a", Epoch: 3, Expires: kept(now.Add(100 * time.Second))})
	must(t, s.Release(ctx, "prod", "b"))
	must(t, s.Release(ctx, "prod", "a"))
	wantErr(t, s.Heartbeat(ctx, "prod", "a", time.Minute, now), store.ErrFenced)
	wantErr(t, s.Heartbeat(ctx, "prod", "", time.Minute, now), store.ErrFenced)
	l, err = s.Lease(ctx, "prod")
	must(t, err)
	same(t, l, store.Lease{Env: "prod", Epoch: 4})
}

func approvals(t *testing.T, s store.Store) {
	ctx, now := t.Context(), t0()
	_, err := s.Consume(ctx, "prod", "d1", "r1", now)
	wantErr(t, err, store.ErrNotFound)
	must(t, s.PutApproval(ctx, store.Approval{Env: "prod", Digest: "d1", By: "eve", At: now, Verdict: store.Reject}))
	_, err = s.Consume(ctx, "prod", "d1", "r1", now)
	wantErr(t, err, store.ErrRejected)
	a := store.Approval{Env: "prod", Digest: "d1", By: "ann", At: now, Verdict: store.Approve}
	must(t, s.PutApproval(ctx, a))
	a.At = kept(now)
	got, err := s.Approval(ctx, "prod", "d1")
	must(t, err)
	same(t, got, a)
	a.Run = "r1"
	for range 2 {
		got, err = s.Consume(ctx, "prod", "d1", "r1", now)
		must(t, err)
		same(t, got, a)
	}
	_, err = s.Consume(ctx, "prod", "d1", "r2", now)
	wantErr(t, err, store.ErrConsumed)
	_, err = s.Approval(ctx, "dev", "d1")
	wantErr(t, err, store.ErrNotFound)
	wantErr(t, s.PutApproval(ctx, store.Approval{Env: "prod", Digest: "d", By: "ann", Verdict: "maybe"}), store.ErrRefused)
	must(t, s.PutApproval(ctx, store.Approval{Env: "prod", Digest: "aws.vpc/main t1", By: "ann", At: now, Verdict: store.Delete}))
	_, err = s.Consume(ctx, "prod", "aws.vpc/main t1", "r1", now) // a word on an object lets no plan through
	wantErr(t, err, store.ErrRefused)
	let := store.Approval{Env: "prod", Digest: "aws.vpc/main t0", By: "eve", At: now, Verdict: store.Release}
	must(t, s.PutApproval(ctx, let))
	words, err := s.Words(ctx, "prod")
	must(t, err)
	let.At = kept(now)
	same(t, words, []store.Approval{let, {Env: "prod", Digest: "aws.vpc/main t1", By: "ann", At: kept(now), Verdict: store.Delete}})
	if words, err = s.Words(ctx, "dev"); len(words) > 0 || err != nil {
		t.Errorf("dev has %v, %v", words, err)
	}
	must(t, s.PutApproval(ctx, a)) // a new verdict on the same plan
	_, err = s.Consume(ctx, "prod", "d1", "r2", now)
	must(t, err)
	stop := store.Approval{Env: "prod", Digest: "d1", By: "eve", At: now, Verdict: store.Cancel}
	wantErr(t, s.PutApproval(ctx, stop), store.ErrRefused) // of which run?
	stop.Run = "r2"
	must(t, s.PutApproval(ctx, stop))
	got, err = s.Approval(ctx, "prod", "d1")
	must(t, err)
	stop.At = kept(now)
	same(t, got, stop)
	for _, run := range []string{"r2", "r3"} { // its plan lets nobody through any more
		_, err = s.Consume(ctx, "prod", "d1", run, now)
		wantErr(t, err, store.ErrRejected)
	}
	must(t, s.PutApproval(ctx, a)) // but a person may decide anew
	got, err = s.Consume(ctx, "prod", "d1", "r3", now)
	must(t, err)
	same(t, got.Run, "r3")

	// Of two who speak at once the one who turns it away is heard.
	for _, said := range []store.Approval{{Verdict: store.Reject}, {Verdict: store.Cancel, Run: "r4"}} {
		said.Env, said.Digest, said.By, said.At = "prod", "d2", "eve", now
		must(t, s.PutApproval(ctx, said))
		late := store.Approval{Env: "prod", Digest: "d2", By: "ann", At: now.Add(time.Millisecond), Verdict: store.Approve, Asked: now.Add(-time.Second)}
		wantErr(t, s.PutApproval(ctx, late), store.ErrRejected)
		got, err = s.Approval(ctx, "prod", "d2")
		must(t, err)
		said.At = kept(now)
		same(t, got, said)
		late.Asked = now.Add(time.Millisecond) // people were asked anew since
		must(t, s.PutApproval(ctx, late))
		got, err = s.Approval(ctx, "prod", "d2")
		must(t, err)
		same(t, got, store.Approval{Env: "prod", Digest: "d2", By: "ann", At: kept(late.At), Verdict: store.Approve})
		said.At, said.Asked = now.Add(2*time.Millisecond), now
		must(t, s.PutApproval(ctx, said)) // an approval can be taken back
	}
}

func plans(t *testing.T, s store.Store) {
	ctx, now := t.Context(), t0()
	put := func(env, digest, body string, at time.Time) {
		t.Helper()
		must(t, s.PutPlan(ctx, store.Plan{Env: env, Digest: digest, Shown: at, Body: json.RawMessage(body)}))
	}
	of := func(env, prefix string) (out []string) {
		t.Helper()
		found, err := s.PlansOf(ctx, env, prefix)
		must(t, err)
		for _, p := range found {
			out = append(out, p.Digest+" "+string(p.Body))
		}
		return out
	}
	put("prod", "aa1", `1`, now)
	put("prod", "aa2", `2`, now.Add(time.Second))
	put("test", "aa3", `3`, now)
	same(t, of("prod", "aa"), []string{"aa2 2", "aa1 1"})
	same(t, len(of("prod", "AA")), 0)
	same(t, of("", "aa"), []string{"aa2 2", "aa1 1", "aa3 3"})
	every, err := s.PlansOf(ctx, "", "aa3")
	must(t, err)
	if len(every) != 1 || every[0].Env != "test" {
		t.Fatalf("got %+v", every)
	}
	put("prod", "aa1", `4`, now.Add(2*time.Second))
	same(t, of("prod", "a"), []string{"aa1 4", "aa2 2"})
	one, err := s.PlansOf(ctx, "prod", "aa1")
	must(t, err)
	if len(one) != 1 || one[0].Env != "prod" || !one[0].Shown.Equal(kept(now.Add(2*time.Second))) {
		t.Fatalf("got %+v", one)
	}
	wantErr(t, s.PutPlan(ctx, store.Plan{Env: "prod"}), store.ErrRefused)
	wantErr(t, s.PutPlan(ctx, store.Plan{Env: "prod", Digest: "aa4", Body: json.RawMessage(`{`)}), store.ErrRefused)
	for i := range 60 {
		put("prod", "b", `5`, now.Add(time.Hour)) // the same one again drops none
		if i == 0 {
			same(t, len(of("prod", "")), 3)
		}
		put("prod", "c"+string(rune('0'+i)), `6`, now.Add(time.Duration(i)*time.Minute))
	}
	same(t, []int{len(of("prod", "")), len(of("prod", "aa")), len(of("test", ""))}, []int{50, 0, 1})
}

func outbox(t *testing.T, s store.Store) {
	ctx, now := t.Context(), t0()
	add := func(m store.Message, want bool) {
		t.Helper()
		added, err := s.Enqueue(ctx, m)
		must(t, err)
		if added != want {
			t.Fatalf("%s: added is %v", m.Key, added)
		}
	}
	due := func(at time.Time, limit int) (keys []string) {
		t.Helper()
		ms, err := s.Due(ctx, at, limit)
		must(t, err)
		for _, m := range ms {
			keys = append(keys, m.Key)
		}
		return keys
	}
	add(store.Message{Key: "z", Channel: "#ops", Thread: "run", Kind: "head", Body: json.RawMessage(`{"a": "<"}`), NotBefore: now}, true)
	add(store.Message{Key: "a"}, true)
	add(store.Message{Key: "z", Body: json.RawMessage(`"other"`)}, false)
	same(t, due(now.Add(-time.Second), 9), []string{"a"})
	same(t, due(now, 9), []string{"z", "a"})
	same(t, due(now, 1), []string{"z"})
	_, err := s.Ref(ctx, "z")
	wantErr(t, err, store.ErrNotFound)
	must(t, s.Retry(ctx, "z", now.Add(time.Minute), "it is down"))
	same(t, due(now, 9), []string{"a"})
	ms, err := s.Due(ctx, now.Add(time.Minute), 1)
	must(t, err)
	if m := ms[0]; m.Tries != 1 || m.LastError != "it is down" || m.Channel != "#ops" || m.Thread != "run" || string(m.Body) != `{"a":"\u003c"}` {
		t.Fatalf("got %+v", m)
	}
	must(t, s.Sent(ctx, "z", "ts-1", now))
	ref, err := s.Ref(ctx, "z")
	must(t, err)
	same(t, ref, "ts-1")
	same(t, due(now.Add(time.Hour), 9), []string{"a"})
	add(store.Message{Key: "z"}, false)
	wantErr(t, s.Retry(ctx, "z", now, "x"), store.ErrNotFound)
	wantErr(t, s.Sent(ctx, "none", "x", now), store.ErrNotFound)
	_, err = s.Enqueue(ctx, store.Message{})
	wantErr(t, err, store.ErrRefused)
}

func observations(t *testing.T, s store.Store) {
	ctx, now := t.Context(), t0()
	_, err := s.Observation(ctx, "prod", "aws")
	wantErr(t, err, store.ErrNotFound)
	put := func(body string, at time.Time) {
		t.Helper()
		must(t, s.PutObservation(ctx, store.Observation{Env: "prod", Scope: "aws", Seen: at, Body: json.RawMessage(body)}))
	}
	put(`1`, now)
	put(`2`, now.Add(time.Second))
	put(`3`, now)
	o, err := s.Observation(ctx, "prod", "aws")
	must(t, err)
	if string(o.Body) != "2" || !o.Seen.Equal(kept(now.Add(time.Second))) {
		t.Fatalf("got %+v", o)
	}
	_, err = s.Evaluation(ctx, "d")
	wantErr(t, err, store.ErrNotFound)
	must(t, s.PutEvaluation(ctx, "d", []byte(`{"x":1}`), now))
	b, err := s.Evaluation(ctx, "d")
	must(t, err)
	same(t, string(b), `{"x":1}`)
	wantErr(t, s.PutEvaluation(ctx, "d", []byte(`{`), now), store.ErrRefused)
}

func heads(t *testing.T, s store.Store) {
	ctx := t.Context()
	for i, c := range []struct {
		commit string
		gen    int64
		err    error
		want   string
	}{
		{"c1", 1, store.ErrConflict, ""},
		{"c1", 0, nil, "c1"},
		{"c0", 0, store.ErrConflict, "c1"}, // a look that began before c1 was seen
		{"c2", 1, nil, "c2"},
		{"c1", 2, nil, "c1"}, // a force-push back
	} {
		wantErr(t, s.PutHead(ctx, "shop", c.commit, c.gen), c.err)
		commit, _, err := s.Head(ctx, "shop")
		must(t, err)
		if commit != c.want {
			t.Fatalf("look %d: the head is %q, want %q", i, commit, c.want)
		}
	}
	commit, gen, err := s.Head(ctx, "other")
	must(t, err)
	same(t, []any{commit, gen}, []any{"", 0})
}

// oddText keeps names that are no text, as a commit's author may be, as near to
// what they were as every back end can.
func oddText(t *testing.T, s store.Store) {
	ctx := t.Context()
	const odd, plain = "a\x00n\xffn", "an\uFFFDn"
	must(t, s.PutApproval(ctx, store.Approval{Env: "prod", Digest: "d", By: odd, At: t0(), Verdict: store.Approve}))
	a, err := s.Approval(ctx, "prod", "d")
	must(t, err)
	same(t, a.By, plain)
	must(t, s.Audit(ctx, store.AuditEntry{At: t0(), Kind: "login", Actor: odd}))
	rows, err := s.AuditRows(ctx, store.AuditFilter{})
	must(t, err)
	same(t, []string{rows[0].Actor, rows[1].Actor}, []string{plain, plain})
	verified(t, s)
	must(t, s.PutRun(ctx, store.Run{ID: "r", Env: "prod", Actor: odd, Started: t0()}))
	_, err = s.Run(ctx, "r")
	must(t, err)
}

func closed(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.Close())
	_, err := s.State(ctx, "prod")
	wantErr(t, err, store.ErrClosed)
	_, err = s.Append(ctx, "prod", 0, 0, create("main", "t1"))
	wantErr(t, err, store.ErrClosed)
	wantErr(t, s.PutEnvironment(ctx, store.Environment{Name: "x"}), store.ErrClosed)
	must(t, s.Close())
}
