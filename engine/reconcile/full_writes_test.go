package reconcile_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"isobar.dev/engine/store/storetest"
	"isobar.dev/providers/fake"
)

// TestFaultAtEveryWrite lets the disk be full from each write of a daemon's life
// on, lets a single write fail, or be durable though it says that it failed.
// Nothing is called without its intent in the store, the daemon lives on, and
// once there is room it comes to what was wanted, with nothing made twice and a
// whole log.
func TestFaultAtEveryWrite(t *testing.T) {
	t.Parallel()
	for name, when := range map[string]storetest.Moment{"full": storetest.Full, "refused": storetest.Refuse, "unheard": storetest.Unheard} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			writes := outOfSpace(t, storetest.Fault{})
			for n := 1; n <= writes && !t.Failed(); n++ {
				t.Run(fmt.Sprint(n), func(t *testing.T) { outOfSpace(t, storetest.Fault{Write: n, When: when}) })
			}
			t.Logf("%d writes", writes)
		})
	}
}

// outOfSpace is a daemon's life with a fault; it gives how many writes it made.
func outOfSpace(t *testing.T, f storetest.Fault) (writes int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		writes = s.outOfSpace(f)
		s.end()
	})
	return writes
}

// outOfSpace lives through a fault, and gives how many writes that took.
func (s *stage) outOfSpace(f storetest.Fault) (writes int) {
	t := s.t
	s.fault = f
	var mu sync.Mutex
	var unwritten []error
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if err := intended(s.data, "prod", c); err != nil {
			mu.Lock()
			defer mu.Unlock()
			unwritten = append(unwritten, err)
		}
		return fake.Decision{}
	})
	s.push("c1", map[string]environment{"prod": nets("prod", "a", "b")})
	s.start()
	s.pass(2 * time.Minute)
	s.push("c2", map[string]environment{"prod": nets("prod", "b", "c")})
	s.pass(5 * time.Minute)
	writes = s.disk.Writes()
	s.disk.Fill(false)
	s.pass(10 * time.Minute)
	s.wantState("prod", "in sync")
	mu.Lock()
	defer mu.Unlock()
	if len(unwritten) > 0 {
		t.Fatal(unwritten[0])
	}
	if s.live() != 2 {
		t.Fatalf("%d objects, want 2: %v", s.live(), s.world.Objects())
	}
	state, err := s.data.State(t.Context(), "prod")
	must(t, err)
	for _, e := range state.Entries {
		if e.Open != nil {
			t.Fatalf("%s is still open", e.Address)
		}
	}
	if len(state.Entries) != 2 {
		t.Fatalf("%d entries, want 2", len(state.Entries))
	}
	_, err = s.data.VerifyAudit(t.Context(), "")
	must(t, err)
	return writes
}
