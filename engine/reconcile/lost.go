package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// lost notes of objects that bear this store's marks under the name of an
// environment that is gone and of which no ledger tells: its directory went, and so
// did the store that knew what it had. No look but those of its neighbours meets
// them.
func (r *Runner) lost(ctx context.Context, d *Draft, others environments, owned map[livingID]bool) error {
	of := map[string][]resource.Object{}
	for _, o := range d.world.Gone {
		m := o.Mark
		if ledger.HolderIn(m.Token) != r.Holder || !others.gone(m.Env) || m.Env == d.Spec.MovedFrom || owned[livingID{m.Address.Type(), o.ID}] {
			continue
		}
		here := m.Address
		here.Env = d.Job.Env
		if _, told := d.waiting[here]; told { // with what takes it
			continue
		}
		s, err := others.state(ctx, m.Env)
		if err != nil {
			return err
		}
		if s.Holding(m.Token) == nil && mayStand(s.Ended[m.Token]) {
			of[m.Env] = append(of[m.Env], o)
		}
	}
	for _, env := range slices.Sorted(maps.Keys(of)) {
		first, what := of[env][0], "it bears"
		if n := len(of[env]); n > 1 {
			what = fmt.Sprintf("it and %d more bear", n-1)
		}
		d.lost = append(d.lost, plan.Note{Address: first.Mark.Address, Drift: true, Text: fmt.Sprintf(
			"%s: %s the marks of %s, an environment that neither the repository nor the store has: to manage or delete what it had, bring environments/%s back",
			first.ID, what, env, env)})
	}
	return nil
}
