// Package storetest holds the one suite that every back end of engine/store
// passes, and a store that fails on demand, for simulations. Imported by tests
// alone. Floor 4.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
)

// Open gives an empty store, closed at the end of the test.
type Open func(t *testing.T) store.Store

// Run checks a back end.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"append and fold", appendAndFold},
		{"append refuses", appendRefuses},
		{"append is whole", appendIsWhole},
		{"state is a copy", stateIsACopy},
		{"environments", environments},
		{"runs", runs},
		{"leases", leases},
		{"approvals", approvals},
		{"plans", plans},
		{"outbox", outbox},
		{"observations and evaluations", observations},
		{"heads", heads},
		{"pulls", pulls},
		{"deliveries", deliveries},
		{"odd text", oddText},
		{"audit", auditLog},
		{"audit of runs", auditRuns},
		{"info", info},
		{"prune", prune},
		{"prune of pulls", prunePulls},
		{"closed", closed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open(t))
		})
	}
}

// t0 is a time with a part below the millisecond, in a zone of its own.
func t0() time.Time {
	return time.Date(2026, 11, 24, 10, 0, 0, 123456789, time.FixedZone("east", 3600))
}

func kept(at time.Time) time.Time { return at.UTC().Truncate(time.Millisecond) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	g, w := dump(t, got), dump(t, want)
	if g != w {
		t.Fatalf("got\n%s\nwant\n%s", g, w)
	}
}

func dump(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	must(t, err)
	return string(b)
}

func vpc(name string) resource.Address {
	return resource.Address{Env: "prod", Provider: "aws", Kind: "vpc", Name: name}
}

// create gives the events of an object's making.
func create(name, token string) []ledger.Event {
	rec := ledger.Record{Scope: "aws/1/eu", Applied: resource.Map{
		"cidrBlock": resource.String("10.0.0.0/16"),
		"tags":      resource.Map{"a.b": resource.String("<x>"), "n": resource.Int(1 << 60)},
		"password":  resource.Secret{Name: "db/shop", Version: "v6", MAC: "ab12"},
	}}
	done := rec
	done.ID = resource.ID("vpc-" + token)
	return []ledger.Event{
		{
			At: t0(), Run: "run-1", Address: vpc(name), Token: token, Type: ledger.Intended,
			Intent: &ledger.Intent{Step: "create " + name, Op: ledger.Create, Record: rec, Epoch: 1},
		},
		{At: t0(), Run: "run-1", Address: vpc(name), Token: token, Type: ledger.Done, Record: &done},
	}
}

func appendAndFold(t *testing.T, s store.Store) {
	ctx := t.Context()
	got, err := s.Append(ctx, "prod", 0, 0, create("main", "t1"))
	must(t, err)
	if len(got) != 2 || got[0].Seq != 1 || got[1].Seq != 2 || !got[1].At.Equal(kept(t0())) {
		t.Fatalf("got %+v", got)
	}
	from := vpc("main")
	// What refers to the moved object follows it, in its record and its intent.
	deps := []ledger.Dep{{Address: from, Token: "t1"}}
	refers := ledger.Record{ID: "vpc-t3", Deps: deps}
	_, err = s.Append(ctx, "prod", 2, 0, []ledger.Event{
		{Address: vpc("refers"), Token: "t3", Type: ledger.Adopted, Record: &refers},
		{
			Address: vpc("refers"), Token: "t3", Type: ledger.Intended,
			Intent: &ledger.Intent{Op: ledger.Update, Record: refers},
		},
	})
	must(t, err)
	_, err = s.Append(ctx, "prod", 4, 0, append(create("main", "t2"),
		ledger.Event{Address: vpc("other"), Token: "t1", Type: ledger.Moved, From: &from},
		ledger.Event{Address: vpc("main"), Token: "t2", Type: ledger.Forgotten, Why: "gone"}))
	must(t, err)
	evs, err := s.Events(ctx, "prod", 0)
	must(t, err)
	if len(evs) != 8 || evs[7].Seq != 8 {
		t.Fatalf("got %d events", len(evs))
	}
	if sec, ok := evs[1].Record.Applied["password"].(resource.Secret); !ok || sec.MAC != "ab12" {
		t.Fatalf("the secret's reference came back as %#v", evs[1].Record.Applied["password"])
	}
	later, err := s.Events(ctx, "prod", 6)
	must(t, err)
	if len(later) != 2 || later[0].Seq != 7 || later[0].From == nil {
		t.Fatalf("got %+v", later)
	}
	want, err := ledger.Fold(evs)
	must(t, err)
	state, err := s.State(ctx, "prod")
	must(t, err)
	SameState(t, state, want)
	if none, err := s.State(ctx, "other"); err != nil || none.Seq != 0 || len(none.Entries) != 0 {
		t.Fatalf("an empty environment: %+v, %v", none, err)
	}
}

// Failer is what SameState needs of a *testing.T or a *rapid.T.
type Failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// SameState fails unless two states say the same.
func SameState(t Failer, got, want *ledger.State) {
	t.Helper()
	g, w := print(t, got), print(t, want)
	if g != w {
		t.Fatalf("got the state\n%s\nwant\n%s", g, w)
	}
}

// print writes all that a state holds, in order.
func print(t Failer, s *ledger.State) string {
	ended, err := json.Marshal(s.Ended)
	if len(s.Ended) == 0 {
		ended = nil
	}
	out := string(ended)
	for _, e := range s.Sorted() {
		n := *e
		if len(n.Prev) == 0 {
			n.Prev = nil
		}
		b, err := json.Marshal(n)
		if err != nil {
			t.Fatalf("%s: %v", e.Address, err)
		}
		out += "\n" + string(b)
		if len(s.At(e.Address)) == 0 {
			t.Fatalf("%s is not found by its address", e.Address)
		}
	}
	for _, e := range s.GivenUp() {
		out += fmt.Sprintf("\ngiven up %s %s %+v", e.Address, e.Token, e.Record)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return out
}

func appendRefuses(t *testing.T, s store.Store) {
	ctx := t.Context()
	epoch, err := s.Acquire(ctx, "prod", "a", time.Minute, t0())
	must(t, err)
	_, err = s.Append(ctx, "prod", 0, epoch, create("main", "t1"))
	must(t, err)
	_, err = s.Append(ctx, "prod", 0, epoch, create("two", "t2"))
	wantErr(t, err, store.ErrConflict)
	_, err = s.Append(ctx, "prod", 2, epoch-1, create("two", "t2"))
	wantErr(t, err, store.ErrFenced)
	must(t, s.Release(ctx, "prod", "a"))
	_, err = s.Append(ctx, "prod", 2, epoch, create("two", "t2"))
	wantErr(t, err, store.ErrFenced)
	epoch, err = s.Acquire(ctx, "prod", "a", time.Minute, t0())
	must(t, err)
	foreign := create("two", "t2")
	foreign[0].Address.Env = "test"
	_, err = s.Append(ctx, "prod", 2, epoch, foreign)
	wantErr(t, err, store.ErrRefused)
	if got, err := s.Append(ctx, "prod", 2, epoch, nil); err != nil || got != nil {
		t.Fatalf("no events: %v, %v", got, err)
	}
	_, err = s.Append(ctx, "prod", 2, epoch, create("two", "t2"))
	must(t, err)
}

func appendIsWhole(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, err := s.Append(ctx, "prod", 0, 0, create("main", "t1"))
	must(t, err)
	was, err := s.State(ctx, "prod")
	must(t, err)
	bad := append(create("two", "t2"), create("two", "t2")...)
	_, err = s.Append(ctx, "prod", 2, 0, bad)
	wantErr(t, err, store.ErrRefused)
	is, err := s.State(ctx, "prod")
	must(t, err)
	SameState(t, is, was)
	evs, err := s.Events(ctx, "prod", 0)
	must(t, err)
	if len(evs) != 2 {
		t.Fatalf("%d events after a refused append", len(evs))
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err = s.Append(gone, "prod", 2, 0, create("two", "t2"))
	wantErr(t, err, context.Canceled)
	_, err = s.Append(ctx, "prod", 2, 0, create("two", "t2"))
	must(t, err)
	verified(t, s)
}

func stateIsACopy(t *testing.T, s store.Store) {
	ctx := t.Context()
	evs := create("main", "t1")
	got, err := s.Append(ctx, "prod", 0, 0, evs)
	must(t, err)
	was, err := s.State(ctx, "prod")
	must(t, err)
	mine, err := s.State(ctx, "prod")
	must(t, err)
	e := mine.Current(vpc("main"))
	e.Record.Applied["cidrBlock"] = resource.String("damaged")
	e.Record.Applied["tags"].(resource.Map)["a.b"] = resource.String("damaged")
	e.Role = ledger.Deposed
	mine.Ended["x"] = "damaged"
	evs[1].Record.Applied["cidrBlock"] = resource.String("damaged")
	got[1].Record.Applied["cidrBlock"] = resource.String("damaged")
	must(t, mine.Apply(ledger.Event{Address: vpc("main"), Token: "t1", Type: ledger.Forgotten}))
	is, err := s.State(ctx, "prod")
	must(t, err)
	SameState(t, is, was)
}

func environments(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, err := s.Environment(ctx, "prod")
	wantErr(t, err, store.ErrNotFound)
	e := store.Environment{Name: "prod", Mode: "auto", Drift: 2, CheckedAt: t0(), Cycle: json.RawMessage(`{"phase": "idle"}`)}
	must(t, s.PutEnvironment(ctx, e))
	e.Note = "second"
	must(t, s.PutEnvironment(ctx, e))
	must(t, s.PutEnvironment(ctx, store.Environment{Name: "dev"}))
	e.CheckedAt, e.Cycle = kept(e.CheckedAt), json.RawMessage(`{"phase":"idle"}`)
	got, err := s.Environment(ctx, "prod")
	must(t, err)
	same(t, got, e)
	all, err := s.Environments(ctx)
	must(t, err)
	same(t, all, []store.Environment{{Name: "dev"}, e})
	wantErr(t, s.PutEnvironment(ctx, store.Environment{Name: "x", Cycle: json.RawMessage("{")}), store.ErrRefused)
	wantErr(t, s.PutEnvironment(ctx, store.Environment{}), store.ErrRefused)
}

func runs(t *testing.T, s store.Store) {
	ctx := t.Context()
	for i, id := range []string{"0190-aa", "0190-ab", "0191", "0190"} {
		env := "prod"
		if i == 2 {
			env = "dev"
		}
		must(t, s.PutRun(ctx, store.Run{
			ID: id, Env: env, State: store.Planning, Started: t0().Add(time.Duration(i) * time.Second),
			Plan: json.RawMessage(`{"n":  1}`),
		}))
	}
	r, err := s.Run(ctx, "0190-aa")
	must(t, err)
	if string(r.Plan) != `{"n":  1}` || r.Report != nil || !r.Started.Equal(kept(t0())) || !r.Ended.IsZero() {
		t.Fatalf("got %+v", r)
	}
	r.State, r.Ended, r.Counts = store.Applied, t0(), store.Counts{Create: 3}
	must(t, s.PutRun(ctx, r))
	for prefix, want := range map[string]string{"0190": "0190", "0191": "0191", "0190-aa": "0190-aa", "0190-ab": "0190-ab"} {
		got, err := s.Run(ctx, prefix)
		must(t, err)
		same(t, got.ID, want)
	}
	_, err = s.Run(ctx, "0190-")
	wantErr(t, err, store.ErrAmbiguous)
	for _, none := range []string{"", "7", "%", "_190"} {
		_, err = s.Run(ctx, none)
		wantErr(t, err, store.ErrNotFound)
	}
	list := func(f store.RunFilter) (ids []string) {
		got, err := s.Runs(ctx, f)
		must(t, err)
		for _, r := range got {
			if r.Plan != nil {
				t.Fatal("a list holds plans")
			}
			ids = append(ids, r.ID)
		}
		return ids
	}
	same(t, list(store.RunFilter{}), []string{"0190", "0191", "0190-ab", "0190-aa"})
	same(t, list(store.RunFilter{Env: "prod", Limit: 2}), []string{"0190", "0190-ab"})
	fenced := store.Run{ID: "0190-f", Env: "fenced", State: store.Applying, Started: t0()}
	epoch, err := s.Acquire(ctx, fenced.Env, "a", time.Hour, t0())
	must(t, err)
	fenced.Fence = epoch
	must(t, s.PutRun(ctx, fenced))
	got, err := s.Run(ctx, fenced.ID)
	must(t, err)
	same(t, got.Fence, 0)
	must(t, s.Release(ctx, fenced.Env, "a"))
	fenced.State = store.Failed
	wantErr(t, s.PutRun(ctx, fenced), store.ErrFenced)
	got, err = s.Run(ctx, fenced.ID)
	must(t, err)
	same(t, got.State, store.Applying)
	wantErr(t, s.PutRun(ctx, store.Run{ID: "x"}), store.ErrRefused)
	wantErr(t, s.PutRun(ctx, store.Run{ID: "x", Env: "e", Report: json.RawMessage("}")}), store.ErrRefused)
}
