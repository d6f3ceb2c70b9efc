package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"isobar.dev/engine/store"
)

func openQueue(t *testing.T, s *store.SQL) *store.Queue {
	t.Helper()
	q, err := s.Queue(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func text(i int) json.RawMessage { return json.RawMessage(fmt.Sprintf(`"%d"`, i)) }

// TestQueueGivesEachOnce has two processes work off what a third puts in: each
// key's inbox comes in order, and what was acknowledged does not come again.
func TestQueueGivesEachOnce(t *testing.T) {
	t.Parallel()
	url, _ := emptySchema(t)
	const keys, each = 5, 4
	var mu sync.Mutex
	got := map[string][]string{}
	missing := keys * each
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	for range 2 {
		s := openSchema(t, url, serversClock)
		q := openQueue(t, s)
		wg.Go(func() {
			err := q.Run(ctx, 3, func(ctx context.Context, key string) time.Duration {
				// As environments do: one process at a time works on a key.
				owner := fmt.Sprintf("%p %d", q, time.Now().UnixNano())
				if _, err := s.Acquire(ctx, key, owner, time.Minute, time.Now()); err != nil {
					return 10 * time.Millisecond
				}
				defer func() { _ = s.Release(context.WithoutCancel(ctx), key, owner) }()
				in, err := q.Take(ctx, key)
				if err != nil {
					return 10 * time.Millisecond
				}
				mu.Lock()
				for _, x := range in {
					got[key] = append(got[key], string(x.Body))
					missing--
				}
				done := missing == 0
				mu.Unlock()
				if err := q.Ack(context.WithoutCancel(ctx), key, in); err != nil {
					t.Error(err)
				}
				if done {
					stop()
				}
				return 0
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	q := openQueue(t, openSchema(t, url, serversClock))
	for i := range each {
		for k := range keys {
			if err := q.Put(t.Context(), fmt.Sprint("env", k), "", 0, text(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	wg.Wait()
	for k := range keys {
		if s := fmt.Sprint(got[fmt.Sprint("env", k)]); s != `["0" "1" "2" "3"]` {
			t.Errorf("env%d got %s", k, s)
		}
	}
}

// TestQueueSlots keep one thing for a time to come, the last that was said.
func TestQueueSlots(t *testing.T) {
	t.Parallel()
	url, _ := emptySchema(t)
	q := openQueue(t, openSchema(t, url, serversClock))
	ctx := t.Context()
	put := func(slot string, after time.Duration, i int) {
		t.Helper()
		if err := q.Put(ctx, "prod", slot, after, text(i)); err != nil {
			t.Fatal(err)
		}
	}
	put("tick", 0, 1)
	put("tick", time.Hour, 2)
	put("start", 0, 3)
	put("start", 0, 4)
	put("", 0, 5)
	in, err := q.Take(ctx, "prod")
	if err != nil || len(in) != 2 || string(in[0].Body)+string(in[1].Body) != `"4""5"` {
		t.Fatalf("%v, %v", in, err)
	}
	put("start", 0, 6) // while somebody works on what was there
	if err := q.Ack(ctx, "prod", in); err != nil {
		t.Fatal(err)
	}
	if in, err = q.Take(ctx, "prod"); err != nil || len(in) != 1 || string(in[0].Body) != `"6"` {
		t.Fatalf("%v, %v", in, err)
	}
	if n, err := q.Waiting(ctx); n != 1 || err != nil {
		t.Errorf("%d keys wait, %v", n, err)
	}
}

// TestQueueNumbersAreNeverGivenAgain: what is put in the place of something taken,
// or after the inbox was emptied, is not what its worker is done with.
func TestQueueNumbersAreNeverGivenAgain(t *testing.T) {
	t.Parallel()
	url, _ := emptySchema(t)
	q := openQueue(t, openSchema(t, url, serversClock))
	ctx := t.Context()
	seen := map[int64]bool{}
	for i := range 30 {
		if err := q.Put(ctx, "prod", "tick", 0, text(i)); err != nil {
			t.Fatal(err)
		}
		in, err := q.Take(ctx, "prod")
		if err != nil || len(in) != 1 || seen[in[0].N] {
			t.Fatalf("look %d: %v, %v", i, in, err)
		}
		seen[in[0].N] = true
		if i%3 == 0 {
			continue // the next takes its place while it is worked on
		}
		if err := q.Put(ctx, "prod", "tick", 0, text(-i)); err != nil {
			t.Fatal(err)
		}
		if err := q.Ack(ctx, "prod", in); err != nil {
			t.Fatal(err)
		}
		next, err := q.Take(ctx, "prod")
		if err != nil || len(next) != 1 || string(next[0].Body) != string(text(-i)) || seen[next[0].N] {
			t.Fatalf("look %d: the next is %v, %v", i, next, err)
		}
		if seen[next[0].N] = true; i%2 == 0 {
			if err := q.Ack(ctx, "prod", next); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestReap wakes the environment of an owner that died, once, and fences it.
func TestReap(t *testing.T) {
	t.Parallel()
	url, _ := emptySchema(t)
	s := openSchema(t, url, serversClock)
	q := openQueue(t, s)
	ctx := t.Context()
	dead, err := s.Acquire(ctx, "prod", "dead", time.Millisecond, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for env, owner := range map[string]string{"test": "alive", "/chat": "alive"} {
		if _, err := s.Acquire(ctx, env, owner, time.Hour, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	var reaped []store.Lease
	for len(reaped) == 0 {
		if reaped, err = q.Reap(ctx, text(1)); err != nil {
			t.Fatal(err)
		}
	}
	if len(reaped) != 1 || reaped[0].Env != "prod" || reaped[0].Owner != "dead" {
		t.Errorf("reaped %+v", reaped)
	}
	if again, err := q.Reap(ctx, text(1)); err != nil || len(again) != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
	if _, err := s.Append(ctx, "prod", 0, dead, made("main", "t1")); err == nil {
		t.Error("the dead owner still writes")
	}
	if in, err := q.Take(ctx, "prod"); err != nil || len(in) != 1 {
		t.Errorf("the inbox holds %v, %v", in, err)
	}
	if _, err := s.VerifyAudit(ctx, ""); err != nil {
		t.Error(err)
	}
}

// TestQueueServesTheUrgentFirst: where workers are short, an environment whose
// process died goes before a push, and a push before the regular looks. What is due
// waits for no leader of River's to schedule it: that may be the process that died.
func TestQueueServesTheUrgentFirst(t *testing.T) {
	t.Parallel()
	url, schema := emptySchema(t)
	s := openSchema(t, url, serversClock)
	q := openQueue(t, s)
	ctx := t.Context()
	if _, err := s.Acquire(ctx, "taken over", "dead", time.Millisecond, time.Now()); err != nil {
		t.Fatal(err)
	}
	for key, after := range map[string]time.Duration{"regular": time.Millisecond, "pushed": 0} {
		if err := q.Put(ctx, key, "", after, text(1)); err != nil {
			t.Fatal(err)
		}
	}
	for reaped := 0; reaped == 0; {
		dead, err := q.Reap(ctx, text(1))
		if err != nil {
			t.Fatal(err)
		}
		reaped = len(dead)
	}
	rows, err := cluster(t).Ask(ctx, "SELECT args->>'key', state FROM "+schema+".river_job ORDER BY priority")
	if got := fmt.Sprint(rows); err != nil || got != "[[taken over available] [pushed available] [regular scheduled]]" {
		t.Errorf("served in the order %s, %v", got, err)
	}
}

// TestServed: daemons work on a store as long as one of them has the seat of
// their leader, or had it so lately that another may be about to take it.
func TestServed(t *testing.T) {
	t.Parallel()
	url, schema := emptySchema(t)
	s := openSchema(t, url, serversClock)
	for _, c := range []struct {
		seat string // when it is free again, counted from now; "" where nobody has it
		want bool
	}{{"", false}, {"12 seconds", true}, {"-2 seconds", true}, {"-1 minute", false}} {
		text := `DELETE FROM ` + schema + `.river_leader`
		if c.seat != "" {
			text += `; INSERT INTO ` + schema + `.river_leader (leader_id, elected_at, expires_at) VALUES ('one', now(), now() + interval '` + c.seat + `')`
		}
		if err := cluster(t).Exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Served(t.Context()); got != c.want || err != nil {
			t.Errorf("seat taken for %q: %t, %v; want %t", c.seat, got, err, c.want)
		}
	}
}
