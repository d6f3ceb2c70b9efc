package reconcile_test

import (
	"testing"
	"time"

	"isobar.dev/engine/resource"
)

// The ledger keeps whole milliseconds: a write in the midst of one is not taken
// for older than it is, or a read that still trails it would show an absence.
func TestAWriteIsNotOlderThanItIs(t *testing.T) {
	t.Parallel()
	const lag = 20 * time.Second
	s := newSim(options{lag: lag})
	s.clock.pass(900 * time.Microsecond)
	want := obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16")})
	s.want(want)
	s.mustRun(t)
	s.clock.pass(lag - 500*time.Microsecond)
	if d := s.mustDraft(t); len(d.Plan.Steps) > 0 {
		t.Fatalf("what reads do not show yet is %s", brief(d.Plan))
	}
	s.settled(t, want)
}
