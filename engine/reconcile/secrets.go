package reconcile

import (
	"context"
	"errors"
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// stamp reads the secrets that the spec's resources want, so that the plan tells
// their values apart. A resource whose secret can't be had is noted as unready.
func (r *Runner) stamp(ctx context.Context, d *Draft) {
	var from provider.Secrets
	if r.Secrets != nil {
		from = r.Secrets(d.Spec.Secrets)
	}
	d.veil = provider.NewVeil(from)
	shared := d.Spec.Desired
	for i := range shared {
		if !resource.HasSecret(shared[i].Fields) {
			continue
		}
		if &d.Spec.Desired[0] == &shared[0] {
			d.Spec.Desired = slices.Clone(shared) // the evaluation is not ours to write to
		}
		want := &d.Spec.Desired[i]
		stamped, err := d.veil.Stamp(ctx, want.Fields)
		if err == nil {
			want.Fields = stamped
			continue
		}
		if d.unready == nil {
			d.unready = map[resource.Address]plan.Unready{}
		}
		u := plan.Unready{Text: err.Error()}
		var se *provider.SecretError
		if errors.As(err, &se) {
			u = plan.Unready{Text: se.Name + " can't be had: " + se.What, Mend: se.Mend}
		}
		d.unready[want.Address] = u
	}
}

// applied gives what the ledger holds of objects whose spec has a secret where
// a text was applied: the same value under a secret's name is no change.
func (d *Draft) applied(s *ledger.State) map[ledger.Key]resource.Map {
	var out map[ledger.Key]resource.Map
	for i := range d.Spec.Desired {
		want := &d.Spec.Desired[i]
		e := s.Current(want.Address)
		if e == nil && want.Meta.MovedFrom != nil {
			e = s.Current(*want.Meta.MovedFrom)
		}
		if e == nil || !resource.HasSecret(want.Fields) {
			continue
		}
		hidden := d.veil.Conceal(e.Record.Applied, want.Fields)
		if resource.Equal(hidden, e.Record.Applied) {
			continue
		}
		if out == nil {
			out = map[ledger.Key]resource.Map{}
		}
		out[e.Key] = hidden
	}
	return out
}
