package reconcile

import (
	"context"
	"fmt"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// Where names go round (a becomes c, and b becomes a), an environment may be looked at
// under its new name before what had that name has left it: its ledger has objects yet
// that a third one is to take, and none of them is changed into what comes.

// promised holds what the draft's environment has in the place of what comes from its
// former name, while another one says that it is to take it.
func (r *Runner) promised(ctx context.Context, d *Draft, old *ledger.State) error {
	inPlace := r.inPlace(d, old)
	if len(inPlace) == 0 {
		return nil
	}
	next, err := r.successors(ctx, d)
	if err != nil {
		return err
	}
	for i := range next {
		h := &next[i]
		for a, e := range inPlace {
			if !h.broken && d.takes(&h.spec, h.has, e.Key) {
				d.waiting[a] = plan.Wait{
					Text: fmt.Sprintf("%s is to take %s (movedFrom) and has not yet, and %s is to come in its place", h.env, e.Record.ID, old.Current(under(d.Spec.MovedFrom, a)).Record.ID),
					Mend: fmt.Sprintf("isobar apply %s with the spec as it was before there was another %s: with no directory of that name", h.env, d.Job.Env),
				}
			}
		}
	}
	return nil
}

// inPlace gives the entries that a draft's ledger has where the former name's has other
// objects, by what is wanted there.
func (r *Runner) inPlace(d *Draft, old *ledger.State) map[resource.Address]*ledger.Entry {
	out := map[resource.Address]*ledger.Entry{}
	d.journal.View(func(s *ledger.State) {
		for i := range d.Spec.Desired {
			w := &d.Spec.Desired[i]
			e, comes := d.has(s, w, nil), old.Current(under(d.Spec.MovedFrom, w.Address))
			if e != nil && comes != nil && e.Made && comes.Made && idOf(e) != idOf(comes) {
				out[w.Address] = e
			}
		}
	})
	return out
}

// under gives an address as it is under an environment's name.
func under(env string, a resource.Address) resource.Address {
	a.Env = env
	return a
}
