package reconcile

import (
	"context"
	"errors"
	"slices"

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
