package reconcile_test

import (
	"testing"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store/storetest"
	"isobar.dev/providers/fake"
)

// TestARenameKilledBeforeItsMark kills a process between the intent to write the mark
// of a renamed object anew and the call: what the mark says still is not taken for
// done, and another object may have the old name at once.
func TestARenameKilledBeforeItsMark(t *testing.T) {
	t.Parallel()
	for name, lag := range map[string]time.Duration{"at once": 0, "where reads lag": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(options{lag: lag, width: 1})
			s.want(obj("network", "a", resource.Map{"cidr": text("10.0.0.0/16")}), kept())
			s.mustRun(t)
			s.clock.pass(lag)
			old := s.bearer(t, at("network", "a")).ID
			now := obj("network", "b", resource.Map{"cidr": text("10.0.0.0/16")})
			from := at("network", "a")
			now.Meta.MovedFrom = &from
			s.want(now, kept())
			s.world.OnCall(func(c fake.Call) fake.Decision {
				if c.Op == provider.OpMark {
					return s.befall("die-before", s.store)
				}
				return fake.Decision{}
			})
			if _, _, err := s.run(t.Context()); !dead(err) {
				t.Fatalf("it did not die: %v", err)
			}
			s.world.OnCall(nil)
			s.restart(storetest.Fault{})
			want := append([]resource.Desired{obj("network", "a", resource.Map{"cidr": text("10.5.0.0/16")})}, now, kept())
			s.want(want...)
			for range 4 {
				_, _, err := s.run(t.Context())
				must(t, err)
				s.clock.pass(lag + time.Second)
			}
			s.settled(t, want...)
			if got := s.bearer(t, at("network", "b")).ID; got != old {
				t.Errorf("%s is %s by now", got, old)
			}
		})
	}
}
