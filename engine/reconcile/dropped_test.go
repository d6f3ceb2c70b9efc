package reconcile_test

import (
	"sync/atomic"
	"testing"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store/storetest"
	"isobar.dev/providers/fake"
)

// tagless is a world whose creates of networks drop the mark and the tags that
// they carry, and a spec of one network with tags and one without.
func tagless(lag time.Duration) (*sim, []resource.Desired) {
	s := newSim(options{width: 1, lag: lag}) // one create at a time: what dies between a call and its record bears no mark to find it by
	s.world.DropTags("network", true)
	want := []resource.Desired{
		obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16"), "label": text("a"), "tags": resource.Map{"team": text("x")}}),
		obj("network", "other", resource.Map{"cidr": text("10.1.0.0/16")}),
		obj("group", "x", resource.Map{"networkId": ref("network", "main", "id")}),
	}
	s.want(want...)
	return s, want
}

// Where the peer drops the tags of creates, one run puts them all the same,
// behind intents of their own, and a delete finds the mark.
func TestDroppedTagsArePut(t *testing.T) {
	t.Parallel()
	for _, lag := range []time.Duration{0, 30 * time.Second} {
		s, want := tagless(lag)
		var broken []error
		s.world.OnCall(s.decide(nil, &broken))
		s.mustRun(t)
		s.settled(t, want...)
		if err := s.converge(t.Context(), nil, true); err != nil {
			t.Fatal(err)
		}
		if err := s.laws(nil, nil); err != nil || len(broken) > 0 {
			t.Fatal(err, broken)
		}
	}
}

// Whatever befalls the calls that put them, or a write after the create, the
// next run goes on where it was broken off.
func TestDroppedTagsArePutInTheEnd(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"die-before", "die-after", "lost", "vanished", "invalid"} {
		for _, op := range []provider.Op{provider.OpMark, provider.OpUpdate} {
			for _, lag := range []time.Duration{0, 30 * time.Second} {
				s, want := tagless(lag)
				var befell atomic.Bool
				s.world.OnCall(func(c fake.Call) fake.Decision {
					s.mu.Lock()
					st := s.store
					s.mu.Unlock()
					switch {
					case st.Crashed():
						return fake.Decision{Before: fake.ErrCrash}
					case c.Op == op && c.Kind == "network" && befell.CompareAndSwap(false, true):
						return s.befall(what, st)
					}
					return fake.Decision{}
				})
				if err := s.converge(t.Context(), nil, false); err != nil {
					t.Fatalf("%s at %s: %v", what, op, err)
				}
				if !befell.Load() {
					t.Fatalf("there was no %s", op)
				}
				s.world.OnCall(nil)
				s.restart(storetest.Fault{})
				s.settled(t, want...)
			}
		}
	}
}
