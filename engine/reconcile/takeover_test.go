package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
)

// marked is the first phase of life without what bears no mark.
func marked() []resource.Desired {
	return slices.DeleteFunc(phases()[0], func(d resource.Desired) bool {
		delete(d.Fields, "imageId")
		return d.Address.Kind == "record" || d.Address.Kind == "image"
	})
}

// moveTo has the sim go on as another store, which is empty.
func (s *sim) moveTo(holder string, f storetest.Fault) {
	s.reopen, s.store, s.writes, s.holder = memory(), nil, 0, ledger.HolderOf(holder)
	s.restart(f)
}

// barred wants a plan that does nothing since another store holds all.
func (s *sim) barred(ctx context.Context, words string) error {
	logged := len(s.world.Calls())
	d, err := s.draft(ctx)
	if err != nil {
		return err
	}
	if len(d.Plan.Steps)+len(d.Plan.Ledger)+len(d.Plan.Changes) > 0 || len(d.Plan.Held) == 0 {
		return fmt.Errorf("the plan is %s", brief(d.Plan))
	}
	for _, h := range d.Plan.Held {
		if h.Why != plan.HeldElsewhere || !strings.Contains(h.Text, words) {
			return fmt.Errorf("held %s: %s: %s", h.Address, h.Why, h.Text)
		}
	}
	events := len(s.state().Entries)
	if out := s.Apply(ctx, d, nil); out.Err != nil || len(s.state().Entries) != events {
		return fmt.Errorf("something was done: %s", results(out))
	}
	for _, call := range s.world.Calls()[logged:] {
		if call.Op.Mutates() {
			return fmt.Errorf("a call was made: %+v", call)
		}
	}
	return nil
}

// takes has a second store take an environment over again and again, restarting
// what died, until its plan is empty.
func (c trial) takes(ctx context.Context) (calls, writes int, err error) {
	s := newSim(options{lag: c.lag, lagReads: c.lagReads, width: c.width})
	first := s.reopen
	s.holder = ledger.HolderOf("first")
	s.restart(storetest.Fault{})
	want := marked()
	s.want(want...)
	if err := s.converge(ctx, nil, false); err != nil {
		return 0, 0, err
	}
	s.clock.pass(c.lag)
	s.moveTo("second", writeFault(c.faults, 0))
	b := s.bring(c)
	last, err := b.through(ctx, reconcile.Job{Env: "prod", TakeOver: true}, func(d *reconcile.Draft) bool { return d.Plan.Empty() && len(d.Plan.Ledger) == 0 })
	if err != nil {
		return 0, 0, err
	}
	calls, writes = b.rest()
	d, err := s.draft(ctx)
	switch {
	case err != nil:
		return 0, 0, err
	case !d.Plan.Empty():
		return 0, 0, fmt.Errorf("a plan is left: %s; the last: %s", brief(d.Plan), last)
	}
	if err := b.untouched(want); err != nil {
		return 0, 0, fmt.Errorf("%w; the last: %s", err, last)
	}
	s.reopen, s.store, s.holder = first, nil, ledger.HolderOf("first")
	s.restart(storetest.Fault{})
	if err := s.barred(ctx, "has taken prod over"); err != nil {
		return 0, 0, fmt.Errorf("the first store: %w", err)
	}
	return calls, writes, nil
}

// TestTakeOverCrash is the law of taking over: whatever befalls one call or one
// write of it, the same typed again brings all under the second store's marks,
// nothing of the objects but those has changed, and the first does nothing more.
func TestTakeOverCrash(t *testing.T) {
	t.Parallel()
	everyFault(t, []trial{{width: 1}, {lag: 20 * time.Second, lagReads: 2, width: 1}}, trial.takes)
}

// TestTwoStoresNeverFight has each of two stores take an environment from the
// other. In between, whatever the spec says, only the one that holds it acts; one
// that never heard of the other's objects makes none beside them.
func TestTwoStoresNeverFight(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.holder = ledger.HolderOf("first")
	s.restart(storetest.Fault{})
	want := marked()
	s.want(want...)
	s.mustRun(t)
	first := s.reopen
	s.moveTo("second", storetest.Fault{})
	second := s.reopen
	must(t, s.barred(t.Context(), "holds prod: its marks"))
	s.want(marked()[:2]...) // nor does it delete, or make the like, by another spec
	must(t, s.barred(t.Context(), "holds prod: its marks"))
	s.want(want...)
	as := func(holder string, open func() store.Store) {
		s.reopen, s.store, s.holder = open, nil, ledger.HolderOf(holder)
		s.restart(storetest.Fault{})
	}
	take := func() {
		t.Helper()
		s.runs++
		d, err := s.Draft(t.Context(), reconcile.Job{Tree: tree("c"), Env: "prod", Run: fmt.Sprint("run-", s.runs), TakeOver: true})
		must(t, err)
		if out := s.Apply(t.Context(), d, nil); !out.OK() || out.Next == nil || !out.Next.Empty() {
			t.Fatalf("%s\n%s\nnext %s", brief(d.Plan), results(out), brief(out.Next))
		}
		s.settled(t, want...)
	}
	take()
	as("first", first)
	must(t, s.barred(t.Context(), "store "+ledger.HolderOf("second").String()+" has taken prod over"))
	take()
	as("second", second)
	must(t, s.barred(t.Context(), "store "+ledger.HolderOf("first").String()+" has taken prod over"))
	as("first", first)
	want = marked()
	want[0].Fields["label"] = text("later")
	s.want(want...)
	s.mustRun(t)
	s.settled(t, want...)
}

// TestALostStoreIsTheSameOne finds a store that was lost made anew in its place:
// what it made is its own without a word.
func TestALostStoreIsTheSameOne(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.holder = ledger.HolderOf("first")
	s.restart(storetest.Fault{})
	want := marked()
	s.want(want...)
	s.mustRun(t)
	s.moveTo("first", storetest.Fault{})
	s.mustRun(t)
	s.settled(t, want...)
}
