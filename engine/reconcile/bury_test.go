package reconcile_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
)

// Whichever write a daemon dies after, no run is left as if it still went on,
// here or in chat.
func TestNoRunIsLeftApplying(t *testing.T) {
	t.Parallel()
	buried := 0
	for n, struck := 1, true; struck && !t.Failed(); n++ {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t)
			s.push("c1", map[string]environment{"prod": nets("prod", "a")})
			s.fault = storetest.Fault{Write: n, When: storetest.After}
			s.start()
			s.pass(10 * time.Second)
			if struck = s.disk.Crashed(); struck {
				s.fault = storetest.Fault{}
				s.end()
				s.start()
			}
			s.pass(2 * time.Minute)
			s.wantState("prod", "in sync")
			runs, err := s.data.Runs(t.Context(), store.RunFilter{})
			must(t, err)
			for _, r := range runs {
				if r.State == store.Applying || r.Ended.IsZero() {
					t.Errorf("killed after write %d: run %s is left %s", n, r.ID, r.State)
				}
				if r.State == store.Failed {
					buried++
				}
			}
			for ref, head := range s.room.heads() {
				if strings.Contains(head, "applying") {
					t.Errorf("killed after write %d: %s says %s", n, ref, head)
				}
			}
			s.end()
		})
	}
	if buried == 0 {
		t.Error("no write was in the midst of a run")
	}
}
