package reconcile_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/fake"
)

// reverts has a replacement end before the old object is deleted, and takes it back in
// a commit that renames the object, too.
func (c trial) reverts(ctx context.Context) (calls, writes int, err error) {
	s := newSim(options{lag: c.lag, lagReads: c.lagReads, width: c.width})
	of := func(name, cidr string) []resource.Desired {
		n := obj("network", name, resource.Map{"cidr": text(cidr)})
		n.Meta.CreateBeforeDestroy = true
		return []resource.Desired{n, obj("disk", "d", resource.Map{"size": resource.Int(1), "networkId": ref("network", name, "id")})}
	}
	s.want(of("a", "10.0.0.0/16")...)
	if err := s.converge(ctx, nil, false); err != nil {
		return 0, 0, err
	}
	s.clock.pass(c.lag)
	was := s.world.Objects()[0].ID
	s.want(of("a", "10.5.0.0/16")...)
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op == provider.OpDelete || c.Op == provider.OpUpdate {
			return fake.Decision{Before: &resource.Failure{Class: resource.Denied, Op: "fake:call", Message: "not today"}}
		}
		return fake.Decision{}
	})
	if _, _, err := s.run(ctx); err != nil {
		return 0, 0, err
	}
	s.clock.pass(c.lag)
	s.store, s.writes = nil, 0
	s.restart(writeFault(c.faults, 0))
	b := s.bring(c)
	from := at("network", "a")
	want := of("b", "10.0.0.0/16")
	want[0].Meta.MovedFrom = &from
	s.want(want...)
	for range maxRuns {
		d, err := b.draft(ctx)
		if err == nil && d.Plan.Empty() && len(d.Plan.Ledger) == 0 {
			break
		}
		if _, _, err = b.applied(ctx, d, err); err != nil {
			return 0, 0, err
		}
		b.clock.pass(b.lag/2 + time.Second)
	}
	calls, writes = b.rest()
	if e := s.state().Current(at("network", "b")); e == nil || e.Record.ID != was {
		return 0, 0, fmt.Errorf("the network is not %s", was)
	}
	for _, call := range s.world.Calls()[b.logged:] {
		if call.Op == provider.OpCreate {
			return 0, 0, fmt.Errorf("it made the call %+v", call)
		}
	}
	d, err := b.draft(ctx)
	if err != nil || !d.Plan.Empty() {
		return 0, 0, fmt.Errorf("a plan is left: %w, %s", err, brief(d.Plan))
	}
	return calls, writes, s.laws(want, nil)
}

// TestAReplacementTakenBackUnderAnotherNameCrash is the law of it: what still stands is
// the resource's again and nothing is made anew, whatever befalls a call or a write.
func TestAReplacementTakenBackUnderAnotherNameCrash(t *testing.T) {
	t.Parallel()
	everyFault(t, []trial{{width: 1}, {lag: 20 * time.Second, lagReads: 2, width: 1}}, trial.reverts)
}
