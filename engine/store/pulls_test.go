package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"isobar.dev/engine/store"
)

// pullSome keeps a pull and a delivery, and reads both tables.
func pullSome(t *rapid.T, p *pair, repo string, at time.Time) {
	ctx := context.Background()
	number := rapid.IntRange(0, 3).Draw(t, "number")
	open := rapid.Bool().Draw(t, "open")
	_, _ = both(t, p, func(s store.Store) (struct{}, error) {
		return none(s.PutPull(ctx, store.Pull{Repo: repo, Number: number, Open: open, Updated: at, Body: []byte(`{"a": 1}`)}))
	})
	_, _ = both(t, p, func(s store.Store) ([]store.Pull, error) { return s.Pulls(ctx, repo) })
	id := rapid.SampledFrom([]string{"", "1", "2", "3", "4"}).Draw(t, "id")
	_, _ = both(t, p, func(s store.Store) (bool, error) {
		return s.Deliver(ctx, store.Delivery{Repo: repo, ID: id, Event: "pull", Pull: number, At: at})
	})
	after, limit := rapid.Int64Range(0, 5).Draw(t, "after"), rapid.IntRange(-1, 5).Draw(t, "limit")
	_, _ = both(t, p, func(s store.Store) ([]store.Delivery, error) { return s.Deliveries(ctx, repo, after, limit) })
}

// TestDeliveriesAreReadOnceEach has processes on one store keep deliveries at once
// while another reads on from the last number that it saw.
func TestDeliveriesAreReadOnceEach(t *testing.T) {
	t.Parallel()
	url, _ := emptySchema(t)
	const writers, each = 3, 20
	var writing sync.WaitGroup
	for w := range writers {
		s := openSchema(t, url, serversClock)
		writing.Go(func() {
			for i := range each {
				if added, err := s.Deliver(t.Context(), store.Delivery{Repo: "shop", ID: fmt.Sprint(w, "-", i)}); err != nil || !added {
					t.Errorf("%t, %v", added, err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writing.Wait(); close(done) }()
	reader := openSchema(t, url, serversClock)
	seen, last := map[string]bool{}, int64(0)
	look := func() int {
		got, err := reader.Deliveries(t.Context(), "shop", last, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range got {
			if seen[d.ID] || d.N <= last {
				t.Errorf("%+v after %d", d, last)
			}
			seen[d.ID], last = true, d.N
		}
		return len(got)
	}
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		look()
	}
	for look() > 0 {
	}
	if len(seen) != writers*each {
		t.Errorf("%d of %d were seen", len(seen), writers*each)
	}
}

// TestADeliveryWaitsForTheOneBefore: a number that is given within a transaction is
// committed before the next one is given.
func TestADeliveryWaitsForTheOneBefore(t *testing.T) {
	t.Parallel()
	url, schema := emptySchema(t)
	first, second := openSchema(t, url, serversClock), openSchema(t, url, serversClock)
	late := make(chan struct{})
	err := store.Within(t.Context(), first, func() {
		go func() {
			defer close(late)
			if added, err := second.Deliver(t.Context(), store.Delivery{Repo: "shop", ID: "late"}); err != nil || !added {
				t.Errorf("%t, %v", added, err)
			}
		}()
		for waits := false; !waits; { // for its turn
			select {
			case <-late:
				t.Error("it did not wait")
				return
			default:
			}
			rows, err := cluster(t).Ask(t.Context(), "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = hashtext('"+schema+"')::BIGINT & 4294967295")
			if err != nil {
				t.Error(err)
				return
			}
			waits = len(rows) > 0
		}
		if got, err := first.Deliveries(t.Context(), "shop", 0, 9); err != nil || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
	})
	<-late
	if err != nil {
		t.Fatal(err)
	}
	if got, err := first.Deliveries(t.Context(), "shop", 0, 9); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestReapLeavesPullsAlone: the lease under which pulls are worked on is given up as
// any other, and no inbox hears of it.
func TestReapLeavesPullsAlone(t *testing.T) {
	t.Parallel()
	url, _ := emptySchema(t)
	s := openSchema(t, url, serversClock)
	q := openQueue(t, s)
	ctx := t.Context()
	lease := store.LeaseOfPulls("shop")
	for _, env := range []string{lease, "prod"} {
		if _, err := s.Acquire(ctx, env, "dead", time.Millisecond, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	var reaped []store.Lease
	for was := (store.Lease{Owner: "dead"}); was.Owner != "" || len(reaped) == 0; {
		dead, err := q.Reap(ctx, text(1))
		if err != nil {
			t.Fatal(err)
		}
		reaped = append(reaped, dead...)
		if was, err = s.Lease(ctx, lease); err != nil {
			t.Fatal(err)
		}
	}
	if len(reaped) != 1 || reaped[0].Env != "prod" {
		t.Errorf("reaped %+v", reaped)
	}
	for key, want := range map[string]int{lease: 0, "prod": 1} {
		if in, err := q.Take(ctx, key); err != nil || len(in) != want {
			t.Errorf("the inbox of %s holds %v, %v", key, in, err)
		}
	}
	rows, err := s.AuditRows(ctx, store.AuditFilter{Env: lease})
	if err != nil || len(rows) != 0 {
		t.Errorf("on record is %+v, %v", rows, err)
	}
}
