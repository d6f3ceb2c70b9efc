package reconcile

import (
	"cmp"
	"context"
	"maps"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// plan makes the plan of what was seen. Where that deletes objects, it asks whether
// their providers would refuse to, before anything else is done for it.
func (r *Runner) plan(ctx context.Context, d *Draft, lost bool) *plan.Plan {
	p := r.build(d, lost)
	if r.guard(ctx, d, p) {
		p = r.build(d, lost)
	}
	return p
}

// guard reads what keeps the objects from their deletion that a plan deletes. A look for
// drift does not: it takes a call an object. It reports whether it found anything. What
// can't be read is left for the deletion itself to be told.
func (r *Runner) guard(ctx context.Context, d *Draft, p *plan.Plan) (found bool) {
	kinds := r.kinds()
	type where struct {
		session provider.Session
		kind    string
	}
	asked, wants := map[resource.ID]ledger.Key{}, map[where]*resource.Want{}
	d.journal.View(func(s *ledger.State) {
		for i := range p.Changes {
			c := &p.Changes[i]
			f, e := kinds[c.Address.Type()].Guard(), s.Holding(c.Token)
			if f == nil || e == nil || !c.Goes() || d.world.Live[e.Key].Seen != plan.Present || d.world.Live[e.Key].Object.Fields[f.Name] != nil {
				continue
			}
			acc, ok := d.opened.accounts[cmp.Or(e.Record.Meta.Alias, c.Address.Provider)]
			if !ok {
				continue
			}
			at := where{acc.Session, c.Address.Kind}
			if wants[at] == nil {
				wants[at] = &resource.Want{Kind: at.kind, Aspects: []string{f.Aspect}}
			}
			wants[at].By.IDs, asked[c.ID] = append(wants[at].By.IDs, c.ID), e.Key
		}
	})
	d.Wants += len(wants)
	for at, w := range wants {
		for _, o := range at.session.Read(ctx, []resource.Want{*w})[0].Objects {
			key, ours := asked[o.ID]
			if !ours {
				continue
			}
			name := kinds[key.Address.Type()].Guard().Name
			if o.Fields[name] != resource.Bool(true) {
				continue
			}
			live := d.world.Live[key]
			live.Object.Fields = maps.Clone(live.Object.Fields)
			live.Object.Fields[name] = o.Fields[name]
			d.world.Live[key], found = live, true
		}
	}
	return found
}
