package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
)

func openWrapped(t *testing.T) store.Store {
	t.Helper()
	return storetest.NewFaulty(openMemory(t), storetest.Fault{})
}

func TestFaultyWithoutAFaultIsAStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, openWrapped)
}

// work makes five writes of several kinds, and says how many were acknowledged.
func work(ctx context.Context, s store.Store) (int, error) {
	at := time.UnixMilli(1)
	var epoch int64
	for i, do := range []func() error{
		func() (err error) {
			epoch, err = s.Acquire(ctx, "prod", "a", time.Minute, at)
			return err
		},
		func() error { return s.PutRun(ctx, store.Run{ID: "r", Env: "prod", State: store.Applying}) },
		func() error {
			_, err := s.Append(ctx, "prod", 0, epoch, made("main", "t1")[:1])
			return err
		},
		func() error {
			_, err := s.Append(ctx, "prod", 1, epoch, made("main", "t1")[1:])
			return err
		},
		func() error { return s.PutRun(ctx, store.Run{ID: "r", Env: "prod", State: store.Applied}) },
	} {
		if err := do(); err != nil {
			return i, err
		}
	}
	return 5, nil
}

func TestCrashAtEveryWrite(t *testing.T) {
	t.Parallel()
	for write := 1; write <= 5; write++ {
		for when, want := range map[storetest.Moment]error{
			storetest.Before: storetest.ErrCrashed, storetest.After: storetest.ErrCrashed, storetest.Refuse: store.ErrFull,
			storetest.Full: store.ErrFull, storetest.Unheard: store.ErrFull,
		} {
			t.Run(fmt.Sprint(write, "/", when), func(t *testing.T) {
				t.Parallel()
				mem := store.NewMemory()
				f := storetest.NewFaulty(mem, storetest.Fault{Write: write, When: when})
				done, err := work(t.Context(), f)
				if !errors.Is(err, want) || done != write-1 {
					t.Fatalf("%d writes, then %v", done, err)
				}
				_, err = f.State(t.Context(), "prod")
				if crashed := errors.Is(want, storetest.ErrCrashed); f.Crashed() != crashed || errors.Is(err, storetest.ErrCrashed) != crashed {
					t.Fatalf("crashed is %v, a read gives %v", f.Crashed(), err)
				}
				if err := f.PutEnvironment(t.Context(), store.Environment{Name: "x"}); (err == nil) != (when == storetest.Refuse || when == storetest.Unheard) {
					t.Fatalf("the next write: %v", err)
				}
				again := mem.Reopen()
				if _, err := mem.State(t.Context(), "prod"); !errors.Is(err, store.ErrClosed) {
					t.Fatalf("the dead process's handle gives %v", err)
				}
				durable := done
				if when == storetest.After || when == storetest.Unheard {
					durable++
				}
				checkDurable(t, again, durable)
			})
		}
	}
}

// checkDurable fails unless exactly the first n writes of work are there.
func checkDurable(t *testing.T, s store.Store, n int) {
	t.Helper()
	ctx := t.Context()
	l, err := s.Lease(ctx, "prod")
	if err != nil || (l.Epoch == 1) != (n >= 1) {
		t.Fatalf("after %d writes: lease %+v, %v", n, l, err)
	}
	r, err := s.Run(ctx, "r")
	if errors.Is(err, store.ErrNotFound) == (n >= 2) || (r.State == store.Applied) != (n >= 5) {
		t.Fatalf("after %d writes: run %+v, %v", n, r, err)
	}
	evs, err := s.Events(ctx, "prod", 0)
	if err != nil || len(evs) != min(max(n-2, 0), 2) {
		t.Fatalf("after %d writes: %d events, %v", n, len(evs), err)
	}
	checkWhole(t, s, "prod", int64(len(evs)))
}

func BenchmarkAppend(b *testing.B)  { bench(b, appendOne) }
func BenchmarkState(b *testing.B)   { bench(b, stateOnce) }
func BenchmarkRestart(b *testing.B) { restart(b) }

// entries is how many objects the benchmarks' environment owns.
const entries = 10_000

func bench(b *testing.B, run func(*testing.B, store.Store)) {
	b.Helper()
	b.Run("memory", func(b *testing.B) {
		s := store.NewMemory()
		fill(b, s)
		run(b, s)
	})
	b.Run("sqlite", func(b *testing.B) {
		s := openFile(b, b.TempDir()+"/store.db")
		fill(b, s)
		run(b, s)
	})
}

func fill(b *testing.B, s store.Store) {
	b.Helper()
	var evs []ledger.Event
	for i := range entries {
		evs = append(evs, made(fmt.Sprint("n", i), fmt.Sprint("t", i))...)
	}
	if _, err := s.Append(b.Context(), "prod", 0, 0, evs); err != nil {
		b.Fatal(err)
	}
}

func appendOne(b *testing.B, s store.Store) {
	b.Helper()
	b.ReportAllocs()
	seq := int64(2 * entries)
	rec := made("n1", "t1")[1].Record
	for b.Loop() {
		got, err := s.Append(b.Context(), "prod", seq, 0, []ledger.Event{
			{At: time.UnixMilli(1), Address: vpc("n1"), Token: "t1", Type: ledger.Settled, Record: rec},
		})
		if err != nil {
			b.Fatal(err)
		}
		seq += int64(len(got))
	}
}

func stateOnce(b *testing.B, s store.Store) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.State(b.Context(), "prod"); err != nil {
			b.Fatal(err)
		}
	}
}

// restart measures opening a store and reading its state for the first time.
func restart(b *testing.B) {
	b.Helper()
	b.ReportAllocs()
	path := b.TempDir() + "/store.db"
	s := openFile(b, path)
	fill(b, s)
	for b.Loop() {
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		s = openFile(b, path)
		stateOf(b, s)
	}
}

func stateOf(b *testing.B, s store.Store) {
	b.Helper()
	state, err := s.State(b.Context(), "prod")
	if err != nil || len(state.Entries) != entries {
		b.Fatalf("%d entries, %v", len(state.Entries), err)
	}
}
