package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
)

// pair is a memory and an SQL store that must always say the same.
type pair struct {
	mem   *store.Memory
	file  *store.SQL
	again func() (*store.SQL, error) // opens the SQL store
}

// both makes a call on each and fails unless value and class of error agree.
func both[T any](t *rapid.T, p *pair, call func(store.Store) (T, error)) (T, error) {
	a, errA := call(p.mem)
	b, errB := call(p.file)
	if !errors.Is(class(errA), class(errB)) {
		t.Fatalf("memory says %v, SQL %v", errA, errB)
	}
	ja, _ := json.Marshal(a)
	jb, _ := json.Marshal(b)
	if errA == nil && string(ja) != string(jb) {
		t.Fatalf("memory gives\n%s\nSQL\n%s", ja, jb)
	}
	return a, errA
}

func class(err error) error {
	for _, c := range []error{
		store.ErrConflict, store.ErrFenced, store.ErrHeld, store.ErrRefused, store.ErrNotFound,
		store.ErrAmbiguous, store.ErrConsumed, store.ErrRejected, store.ErrCorrupt,
	} {
		if errors.Is(err, c) {
			return c
		}
	}
	return err
}

func none(err error) (struct{}, error) { return struct{}{}, err }

// TestMemoryAndSQLiteAgree makes the same random calls on both, with restarts
// between them, and checks that the projection is the fold of the events.
func TestMemoryAndSQLiteAgree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := emptyStore(t)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		if err := os.WriteFile(path, empty, 0o600); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Remove(path) }()
		compare(t, func() (*store.SQL, error) { return store.Open(context.Background(), path, time.UnixMilli(0)) })
	})
}

// compare makes random calls on an empty SQL store and one in memory.
func compare(t *rapid.T, open func() (*store.SQL, error)) {
	p := &pair{mem: store.NewMemory(), again: open}
	p.open(t)
	defer func() { _ = p.file.Close() }()
	for range rapid.IntRange(1, 30).Draw(t, "calls") {
		step(t, p)
	}
	for _, env := range []string{"prod", "dev"} {
		agree(t, p, env)
	}
}

// emptyStore gives the bytes of a store with nothing in it, so that not every
// world waits for the migrations.
func emptyStore(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "empty.db")
	if err := openFile(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (p *pair) open(t *rapid.T) {
	s, err := p.again()
	if err != nil {
		t.Fatal(err)
	}
	p.file = s
}

func agree(t *rapid.T, p *pair, env string) {
	ctx := context.Background()
	evs, err := both(t, p, func(s store.Store) ([]ledger.Event, error) { return s.Events(ctx, env, 0) })
	if err != nil {
		t.Fatal(err)
	}
	want, err := ledger.Fold(evs)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []store.Store{p.mem, p.file} {
		got, err := s.State(ctx, env)
		if err != nil {
			t.Fatal(err)
		}
		sameState(t, got, want)
		if _, err := s.VerifyAudit(ctx, ""); err != nil {
			t.Fatal(err)
		}
	}
}

// step makes one random call.
func step(t *rapid.T, p *pair) {
	ctx := context.Background()
	env := rapid.SampledFrom([]string{"prod", "dev"}).Draw(t, "env")
	key := rapid.SampledFrom([]string{"k", "k1", "k2"}).Draw(t, "key")
	who := rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "who")
	at := time.UnixMicro(rapid.Int64Range(1, 40_000_000).Draw(t, "at"))
	body := json.RawMessage(rapid.SampledFrom([]string{``, `1`, `{"a": "<"}`, `null`, `{`}).Draw(t, "body"))
	do := func(call func(store.Store) error) {
		_, _ = both(t, p, func(s store.Store) (struct{}, error) { return none(call(s)) })
	}
	switch rapid.SampledFrom([]string{
		"append", "append", "append", "append", "reopen", "lease", "beat", "release", "run", "run", "env", "prune", "approve", "consume", "send", "seen", "audit", "pull",
	}).Draw(t, "call") {
	case "append":
		appendSome(t, p, env)
	case "reopen":
		agree(t, p, env)
		p.mem = p.mem.Reopen()
		if err := p.file.Close(); err != nil {
			t.Fatal(err)
		}
		p.open(t)
	case "lease":
		_, _ = both(t, p, func(s store.Store) (int64, error) { return s.Acquire(ctx, env, who, 10*time.Second, at) })
		_, _ = both(t, p, func(s store.Store) (store.Lease, error) { return s.Lease(ctx, env) })
	case "beat":
		do(func(s store.Store) error { return s.Heartbeat(ctx, env, who, 10*time.Second, at) })
	case "release":
		do(func(s store.Store) error { return s.Release(ctx, env, who) })
	case "prune":
		k := store.Retention{Since: at, Told: at, AtLeast: rapid.IntRange(0, 2).Draw(t, "least"), AtMost: rapid.IntRange(1, 3).Draw(t, "most")}
		limit := rapid.IntRange(0, 3).Draw(t, "limit")
		_, _ = both(t, p, func(s store.Store) (store.Pruned, error) { return s.Prune(ctx, k, limit) })
		_, _ = both(t, p, func(s store.Store) ([]store.Run, error) { return s.Runs(ctx, store.RunFilter{}) })
	case "run":
		state := rapid.SampledFrom([]store.RunState{store.Waiting, store.Applying, store.Failed}).Draw(t, "state")
		do(func(s store.Store) error {
			return s.PutRun(ctx, store.Run{ID: key, Env: env, State: state, Digest: key, Thread: who, Started: at, Actor: who, Plan: body})
		})
		_, _ = both(t, p, func(s store.Store) (store.Run, error) { return s.Run(ctx, key) })
		_, _ = both(t, p, func(s store.Store) ([]store.Run, error) { return s.Runs(ctx, store.RunFilter{Env: env, Limit: 2}) })
	case "env":
		do(func(s store.Store) error {
			return s.PutEnvironment(ctx, store.Environment{Name: env, Note: who, CheckedAt: at, Cycle: body, PlanDigest: key, Digest: key})
		})
		_, _ = both(t, p, func(s store.Store) ([]store.Environment, error) { return s.Environments(ctx) })
	case "approve":
		verdict := rapid.SampledFrom([]store.Verdict{store.Approve, store.Approve, store.Reject, store.Release, "x"}).Draw(t, "verdict")
		asked := time.Time{}
		if rapid.Bool().Draw(t, "asked") {
			asked = at.Add(time.Duration(rapid.IntRange(-2, 0).Draw(t, "ago")) * time.Second)
		}
		do(func(s store.Store) error {
			return s.PutApproval(ctx, store.Approval{Env: env, Digest: key, By: who, At: at, Verdict: verdict, Asked: asked})
		})
	case "consume":
		_, _ = both(t, p, func(s store.Store) (store.Approval, error) { return s.Consume(ctx, env, key, who, at) })
		_, _ = both(t, p, func(s store.Store) (store.Approval, error) { return s.Approval(ctx, env, key) })
		_, _ = both(t, p, func(s store.Store) ([]store.Approval, error) { return s.Words(ctx, env) })
	case "send":
		sendSome(t, p, store.Message{Key: store.MessageOfRun(key), Thread: store.MessageOfRun(who), Channel: who, NotBefore: at, Body: body})
	case "seen":
		do(func(s store.Store) error {
			return s.PutObservation(ctx, store.Observation{Env: env, Scope: key, Seen: at, Body: body})
		})
		_, _ = both(t, p, func(s store.Store) (store.Observation, error) { return s.Observation(ctx, env, key) })
		do(func(s store.Store) error { return s.PutEvaluation(ctx, key, body, at) })
		_, _ = both(t, p, func(s store.Store) ([]byte, error) { return s.Evaluation(ctx, key) })
		gen := rapid.Int64Range(0, 2).Draw(t, "gen")
		do(func(s store.Store) error { return s.PutHead(ctx, key, who, gen) })
		_, _ = both(t, p, func(s store.Store) (string, error) {
			commit, gen, err := s.Head(ctx, key)
			return fmt.Sprint(commit, gen), err
		})
	case "pull":
		pullSome(t, p, key, at)
	case "audit":
		do(func(s store.Store) error {
			return s.Audit(ctx, store.AuditEntry{At: at, Kind: who, Env: env, Body: body})
		})
		_, _ = both(t, p, func(s store.Store) ([]store.AuditRow, error) { return s.AuditRows(ctx, store.AuditFilter{}) })
	}
}

func sendSome(t *rapid.T, p *pair, m store.Message) {
	ctx := context.Background()
	_, _ = both(t, p, func(s store.Store) (bool, error) { return s.Enqueue(ctx, m) })
	_, _ = both(t, p, func(s store.Store) ([]store.Message, error) { return s.Due(ctx, m.NotBefore, 2) })
	if rapid.Bool().Draw(t, "sent") {
		_, _ = both(t, p, func(s store.Store) (struct{}, error) { return none(s.Sent(ctx, m.Key, "ts", m.NotBefore)) })
	} else {
		_, _ = both(t, p, func(s store.Store) (struct{}, error) {
			return none(s.Retry(ctx, m.Key, m.NotBefore.Add(time.Second), "down"))
		})
	}
	_, _ = both(t, p, func(s store.Store) (string, error) { return s.Ref(ctx, m.Key) })
}

// appendSome appends one to three events, most of them under the right
// expectation and fence.
func appendSome(t *rapid.T, p *pair, env string) {
	ctx := context.Background()
	state, err := p.mem.State(ctx, env)
	if err != nil {
		t.Fatal(err)
	}
	l, err := p.mem.Lease(ctx, env)
	if err != nil {
		t.Fatal(err)
	}
	stale := rapid.SampledFrom([]int64{0, 0, 0, 0, 0, 1}).Draw(t, "stale")
	fenced := rapid.SampledFrom([]int64{0, 0, 0, 0, 0, 1}).Draw(t, "fenced")
	evs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ledger.Event { return drawEvent(t, env) }), 1, 3).Draw(t, "events")
	_, _ = both(t, p, func(s store.Store) ([]ledger.Event, error) {
		return s.Append(ctx, env, state.Seq-stale, l.Epoch-fenced, evs)
	})
}

func drawAddress(t *rapid.T, env string) resource.Address {
	return resource.Address{Env: env, Provider: "aws", Kind: "vpc", Name: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")}
}

func drawToken(t *rapid.T) string {
	return rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(t, "token")
}

func drawEvent(t *rapid.T, env string) ledger.Event {
	ev := ledger.Event{
		At:      time.UnixMilli(rapid.Int64Range(1, 1<<41).Draw(t, "at")).UTC(),
		Run:     rapid.SampledFrom([]string{"", "r1"}).Draw(t, "run"),
		Address: drawAddress(t, env), Token: drawToken(t),
		Type: rapid.SampledFrom([]ledger.Type{
			ledger.Intended, ledger.Intended, ledger.Accepted, ledger.Done, ledger.Failed, ledger.Doubted,
			ledger.Settled, ledger.Adopted, ledger.Adopted, ledger.Pinned, ledger.Moved, ledger.Forgotten, ledger.Restored,
		}).Draw(t, "type"),
	}
	rec := drawRecord(t, env)
	switch ev.Type {
	case ledger.Intended:
		op := rapid.SampledFrom([]ledger.Op{ledger.Create, ledger.Create, ledger.Update, ledger.Delete, ledger.Release}).Draw(t, "op")
		ev.Intent = &ledger.Intent{Step: "s", Op: op, Record: rec, Epoch: 7, Paths: []resource.Path{{"tags", "a.b"}}}
	case ledger.Accepted:
		ev.Handle = "task"
	case ledger.Done, ledger.Settled:
		if ev.Gone = rapid.Bool().Draw(t, "gone"); !ev.Gone {
			ev.Record = &rec
		}
	case ledger.Failed, ledger.Doubted:
		ev.Fault = &ledger.Fault{Class: resource.UnknownOutcome, Message: "lost \"<it>\"", RequestID: "q"}
	case ledger.Adopted, ledger.Pinned:
		ev.Record = &rec
	case ledger.Moved:
		from := drawAddress(t, env)
		ev.From = &from
	case ledger.Forgotten, ledger.Restored:
		ev.Why = rapid.SampledFrom([]string{"", "gone"}).Draw(t, "why")
	}
	return ev
}

func drawRecord(t *rapid.T, env string) ledger.Record {
	r := ledger.Record{
		ID: resource.ID(rapid.SampledFrom([]string{"", "vpc-1"}).Draw(t, "id")), Scope: "aws/1", Schema: "1",
		Applied: resource.Map{"v": drawValue(t, 0), "$odd.key": drawValue(t, 0)},
		Meta:    resource.Lifecycle{PreventDestroy: rapid.Bool().Draw(t, "prevent"), IgnoreChanges: []resource.Path{{"a", "b c"}}},
	}
	if rapid.Bool().Draw(t, "refers") {
		r.Deps = []ledger.Dep{{Address: drawAddress(t, env), Token: drawToken(t), Aspect: "rules"}}
	}
	return r
}

func drawValue(t *rapid.T, depth int) resource.Value {
	kinds := []string{"null", "bool", "int", "float", "text", "secret", "list", "map"}
	if depth > 1 {
		kinds = kinds[:6]
	}
	switch rapid.SampledFrom(kinds).Draw(t, "kind") {
	case "bool":
		return resource.Bool(rapid.Bool().Draw(t, "b"))
	case "int":
		return resource.Int(rapid.Int64().Draw(t, "i"))
	case "float":
		return resource.Number(rapid.Float64Range(-1e300, 1e300).Draw(t, "f"))
	case "text":
		return resource.String(rapid.String().Draw(t, "s"))
	case "secret":
		return resource.Secret{Name: "db/shop", Field: "password", Version: "v6", MAC: "ab"}
	case "list":
		return resource.List{drawValue(t, depth+1), resource.String("${isobar:not a reference}")}
	case "map":
		return resource.Map{"$string": drawValue(t, depth+1), "b<": drawValue(t, depth+1)}
	}
	return resource.Null{}
}

// TestEventsReadBackAsTheyWereWritten is the codec's round trip, through the
// store's own door.
func TestEventsReadBackAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := store.NewMemory()
		ev := ledger.Event{
			At: time.UnixMilli(5).UTC(), Run: "r", Address: drawAddress(t, "prod"), Token: drawToken(t), Type: ledger.Adopted,
		}
		rec := drawRecord(t, "prod")
		ev.Record = &rec
		if _, err := s.Append(context.Background(), "prod", 0, 0, []ledger.Event{ev}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Events(context.Background(), "prod", 0)
		if err != nil {
			t.Fatal(err)
		}
		if !resource.Equal(got[0].Record.Applied, rec.Applied) {
			t.Fatalf("got %s, want %s", resource.Encode(got[0].Record.Applied), resource.Encode(rec.Applied))
		}
		ev.Seq = 1
		a, _ := json.Marshal([]any{ev, ev.Seq, ev.At, ev.Run, ev.Address, ev.Token, ev.Type})
		b, _ := json.Marshal([]any{got[0], got[0].Seq, got[0].At, got[0].Run, got[0].Address, got[0].Token, got[0].Type})
		if string(a) != string(b) {
			t.Fatalf("got\n%s\nwant\n%s", b, a)
		}
	})
}
