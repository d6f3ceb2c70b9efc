package reconcile_test

import (
	"testing"

	"isobar.dev/engine/resource"
)

// TestWhatIsGoneMakesRoom sets the store back to before two renames, whose new names the
// old ledger gives to objects that are gone by now: the renamed objects take them, be
// they in the ledger or known by their marks alone, and none is made a second time.
func TestWhatIsGoneMakesRoom(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	of := func(name, cidr, from string) resource.Desired {
		d := obj("network", name, resource.Map{"cidr": text(cidr)})
		if from != "" {
			a := at("network", from)
			d.Meta.MovedFrom = &a
		}
		return d
	}
	s.want(of("a", "10.0.0.0/16", ""), of("b", "10.1.0.0/16", ""), of("d", "10.2.0.0/16", ""), kept())
	s.mustRun(t)
	past, err := s.under.Events(t.Context(), "prod", 0)
	must(t, err)
	s.want(of("a", "10.0.0.0/16", ""), of("c", "10.3.0.0/16", ""), kept())
	s.mustRun(t)
	s.want(of("b", "10.0.0.0/16", "a"), of("c", "10.3.0.0/16", ""), kept())
	s.mustRun(t)
	objects := len(s.world.Objects())
	s.setBack(t, past)
	want := []resource.Desired{of("b", "10.0.0.0/16", "a"), of("d", "10.3.0.0/16", "c"), kept()}
	s.want(want...)
	s.mustRun(t)
	if n := len(s.world.Objects()); n != objects {
		t.Errorf("%d objects of %d", n, objects)
	}
	s.settled(t, want...)
}
