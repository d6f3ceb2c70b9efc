package provider_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// TestStop ends a run while its calls wait: changes are not sent, what tells what
// became of others is.
func TestStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := &script{}
		budgets := provider.NewBudgets(provider.Rate{Start: 0.1, Min: 0.1, Max: 0.1, Burst: 1}, provider.Clock{})
		s := provider.Budget(inner, budgets, nil)
		until, stop := context.WithCancel(t.Context())
		ctx := provider.WithStop(t.Context(), until)
		if _, err := s.Create(ctx, resource.Object{}, resource.Mark{}); err != nil { // the burst
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := s.Create(ctx, resource.Object{}, resource.Mark{})
			ended <- err
		}()
		synctest.Wait()
		stop()
		began := time.Now()
		if err := <-ended; !errors.Is(err, provider.ErrStopped) || resource.ClassOf(err) == resource.UnknownOutcome || time.Since(began) > 0 {
			t.Fatalf("after %s: %v", time.Since(began), err)
		}
		if _, err := s.Delete(ctx, resource.Object{}, resource.Object{}); !errors.Is(err, provider.ErrStopped) {
			t.Fatalf("a delete: %v", err)
		}
		if _, err := s.Find(ctx, provider.Intent{}); err != nil {
			t.Fatalf("a find: %v", err)
		}
		if got := s.Read(ctx, []resource.Want{{Kind: "x"}}); got[0].Err != nil {
			t.Fatalf("a read: %v", got[0].Err)
		}
		if n := inner.count(); n != 3 {
			t.Fatalf("%d calls came through: %v", n, inner.calls)
		}
	})
}
