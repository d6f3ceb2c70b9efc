package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
)

// bringing is a change of the ledger and of marks alone, in a trial: an import, a
// take-over, a rename.
type bringing struct {
	*sim
	trial  trial
	before map[resource.ID]resource.Map
	past   int // calls before
	logged int
	broken []error
}

// bring begins it, once what it is about is there.
func (s *sim) bring(c trial) *bringing {
	b := &bringing{sim: s, trial: c, before: s.fields(), past: s.world.Count(), logged: len(s.world.Calls())}
	s.world.OnCall(s.decide(c.faults, &b.broken))
	return b
}

// through drafts and applies until done says that a plan ends it, restarting what
// died. It gives what was done last.
func (b *bringing) through(ctx context.Context, job reconcile.Job, done func(*reconcile.Draft) bool) (last string, err error) {
	for range maxRuns {
		b.runs++
		job.Tree, job.Run = tree("c"), fmt.Sprint("run-", b.runs)
		d, err := b.Draft(ctx, job)
		if err == nil && done(d) {
			return brief(d.Plan), nil
		}
		if last, _, err = b.applied(ctx, d, err); err != nil {
			return last, err
		}
		b.clock.pass(b.lag/2 + time.Second)
	}
	return last, nil // what is left shows
}

// applied applies what was drafted, or not, and begins a new process where the
// last one died of it. An error is one that no fault explains.
func (b *bringing) applied(ctx context.Context, d *reconcile.Draft, derr error) (last string, died bool, err error) {
	if last = "nothing"; derr == nil {
		out := b.Apply(ctx, d, nil)
		derr, last = out.Err, brief(d.Plan)+"\n"+results(out)
	}
	if derr != nil && !dead(derr) && !errors.Is(derr, store.ErrFull) {
		return last, false, fmt.Errorf("an error that no fault explains: %w", derr)
	}
	if died = derr != nil || b.store.Crashed(); died {
		b.restart(writeFault(b.trial.faults, b.writes+b.store.Writes()))
	}
	return last, died, nil
}

// rest ends the faults and gives what there was of calls and writes.
func (b *bringing) rest() (calls, writes int) {
	calls, writes = b.world.Count()-b.past, b.writes+b.store.Writes()
	b.world.OnCall(nil)
	b.restart(storetest.Fault{})
	b.clock.pass(b.lag)
	return calls, writes
}

// untouched fails unless the laws hold and nothing of any object but its mark has
// changed.
func (b *bringing) untouched(want []resource.Desired) error {
	if err := b.laws(want, nil); err != nil {
		return err
	}
	now := b.fields()
	for id, was := range b.before {
		if !resource.Equal(now[id], was) {
			return fmt.Errorf("%s was %s and is %s", id, resource.Encode(was), resource.Encode(now[id]))
		}
	}
	for _, call := range b.world.Calls()[b.logged:] {
		if call.Op.Mutates() && call.Op != provider.OpMark {
			return fmt.Errorf("it made the call %+v", call)
		}
	}
	return errors.Join(b.broken...)
}

// fields gives every object's fields, without the serial that any write moves.
func (s *sim) fields() map[resource.ID]resource.Map {
	out := map[resource.ID]resource.Map{}
	for _, o := range s.world.Objects() {
		f := maps.Clone(o.Fields)
		delete(f, "serial")
		out[o.ID] = f
	}
	return out
}

// everyFault plays a trial with each thing that may befall one of its calls or
// writes, of those where reads lag one in -every; none in which somebody else
// changes the objects.
func everyFault(t *testing.T, bases []trial, play func(trial, context.Context) (calls, writes int, err error)) {
	t.Helper()
	for _, base := range bases {
		t.Run(base.String(), func(t *testing.T) {
			t.Parallel()
			calls, writes, err := play(base, t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d calls, %d writes", calls, writes)
			for i, c := range singles(base, calls, writes) {
				if base.lag > 0 && *every > 1 && i%*every != 0 {
					continue // -every 1 plays them all
				}
				if slices.ContainsFunc(c.faults, func(f fault) bool { return f.what == "drift" || f.what == "remove" }) {
					continue
				}
				if _, _, err := play(c, t.Context()); err != nil {
					t.Fatalf("%s: %v", c, err)
				}
			}
		})
	}
}
