package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"isobar.dev/engine/cycle"
	"isobar.dev/engine/observe"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
)

// Refresh says which lookups a run asks anew, though they are pinned.
type Refresh = observe.Refresh

// AllLookups stands for every lookup where addresses are given as text.
const AllLookups = "all"

// RefreshOf reads which lookups of an environment are asked anew: addresses such
// as "aws.ami/web", or AllLookups. What is no address is nobody's.
func RefreshOf(env string, lookups []string) Refresh {
	var r Refresh
	for _, text := range lookups {
		if text == AllLookups {
			return Refresh{All: true}
		}
		if a, err := resource.ParseAddress(env + "/" + text); err == nil {
			if r.Only == nil {
				r.Only = map[resource.Address]bool{}
			}
			r.Only[a] = true
		}
	}
	return r
}

// anew gives the addresses of the spec that a person asked for anew, if they are
// lookups.
func (d *Draft) anew() map[resource.Address]bool {
	var out map[resource.Address]bool
	for i := range d.Spec.Desired {
		if a := d.Spec.Desired[i].Address; d.Job.Refresh.Has(a) {
			if out == nil {
				out = map[resource.Address]bool{}
			}
			out[a] = true
		}
	}
	return out
}

// unasked gives what lookups find where nobody is asked: something whose outputs
// only a plan tells.
func (r *Runner) unasked(desired []resource.Desired) map[resource.Address]plan.Reading {
	out := map[resource.Address]plan.Reading{}
	for i := range desired {
		a := desired[i].Address
		_, d, ok := r.Catalogue.Kind(a.Type())
		if !ok || !d.Lookup {
			continue
		}
		fields := resource.Map{}
		for _, o := range d.Outs {
			fields[o.Name] = resource.Unknown{Because: resource.Ref{Address: a, Out: o.Name}}
		}
		out[a] = plan.Reading{Seen: plan.Present, Object: resource.Object{Address: a, Fields: fields}}
	}
	return out
}

// ErrNoLookup says that what a person wants asked anew is no lookup.
var ErrNoLookup = errors.New("no such lookup")

// Refresh makes an environment's lookups be asked anew now: those at addresses
// such as "aws.ami/web", or all of them where there are none. What they find is
// planned, and takes the environment's way from there: it waits, is applied or
// is only told.
func (d *Daemon) Refresh(ctx context.Context, env string, lookups []string) error {
	d.ready()
	if _, err := d.Store.Environment(ctx, env); err != nil {
		return err
	}
	state, err := d.Runner.Ledger.State(ctx, env)
	if err != nil {
		return err
	}
	for _, text := range lookups {
		a, err := resource.ParseAddress(env + "/" + text)
		_, desc, known := d.Runner.Catalogue.Kind(a.Type())
		if err != nil || !known || !desc.Lookup || state.Current(a) == nil && !d.lostPin(ctx, a) {
			return fmt.Errorf("%w is pinned: %s", ErrNoLookup, text)
		}
	}
	if len(lookups) == 0 {
		lookups = []string{AllLookups}
	}
	if err := d.Store.Audit(ctx, asked(d.Runner.Now(), env, "lookups asked anew", lookups)); err != nil {
		return err
	}
	return d.queue.add(ctx, env, cycle.Refreshed{Lookups: lookups})
}

// lostPin reports whether one of an environment's last runs held a lookup for want
// of the pin that it had.
func (d *Daemon) lostPin(ctx context.Context, a resource.Address) bool {
	runs, _ := d.Store.Runs(ctx, store.RunFilter{Env: a.Env, Limit: 10}) // a store that fails is told by what comes next
	for i := range runs {
		r, err := d.Store.Run(ctx, runs[i].ID) // lists leave the report out
		if err != nil {
			continue
		}
		if told, err := report(&r); err == nil && slices.ContainsFunc(told.Lost, func(h plan.Held) bool { return h.Address == a && h.Why == plan.HeldLostPin }) {
			return true
		}
	}
	return false
}
