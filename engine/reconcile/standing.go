package reconcile

import (
	"cmp"
	"context"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// standing looks for what stands already where a draft would make objects that
// bear no mark, such as folders: a ledger that was lost, or set back, does not
// know whether it is ours, and nothing on the object says so. What one of them
// tells may be needed to look for the next.
func (r *Runner) standing(ctx context.Context, d *Draft) error {
	d.standing = map[resource.Address]plan.Standing{}
	if d.Job.Destroy || d.Job.Imports != nil {
		return nil
	}
	open, owned := r.unknown(d)
	outs := r.tell(d)
	var taken owners
	for found := true; found; {
		found = false
		for i := range open {
			w := open[i]
			if w == nil {
				continue
			}
			fields, known := d.known(w.Fields, outs)
			acc, ok := d.opened.accounts[cmp.Or(w.Meta.Alias, w.Address.Provider)]
			if !known || !ok {
				continue
			}
			open[i], found = nil, true
			d.Wants++
			o, there := at(ctx, acc.Session, resource.Object{Address: w.Address, Fields: fields})
			if !there || owned[ownedID{w.Address.Type(), acc.Session.Scope(), o.ID}] {
				continue
			}
			if taken == nil {
				var err error
				if taken, err = r.taken(ctx, d); err != nil {
					return err
				}
			}
			_, desc, _ := r.Catalogue.Kind(w.Address.Type())
			outs[w.Address] = desc.Outputs(o)
			s := plan.Standing{ID: o.ID}
			s.Owner, _ = taken.owner(w.Address.Type(), acc.Session.Scope(), o.ID)
			d.standing[w.Address] = s
		}
	}
	return nil
}

// unknown gives what a draft wants of kinds that bear no mark and the ledger does
// not hold, and which objects of this environment are its own.
func (r *Runner) unknown(d *Draft) (open []*resource.Desired, owned map[ownedID]bool) {
	wanted, owned := map[resource.Address]bool{}, map[ownedID]bool{}
	for i := range d.Spec.Desired {
		wanted[d.Spec.Desired[i].Address] = true
	}
	d.journal.View(func(s *ledger.State) {
		for i := range d.Spec.Desired {
			w := &d.Spec.Desired[i]
			if k, _, ok := r.Catalogue.Kind(w.Address.Type()); ok && k.Unmarked && k.Settle == provider.SettleNatural && d.has(s, w, wanted) == nil {
				open = append(open, w)
			}
		}
		for _, e := range s.Entries {
			owned[idOf(e)] = true
		}
	})
	return open, owned
}

// adopted gives what objects tell that bear this environment's marks and are not
// in the ledger yet.
func (r *Runner) adopted(d *Draft) map[resource.Address]resource.Map {
	out := map[resource.Address]resource.Map{}
	for i := range d.world.Strays { // in order of address and token: the newest stays
		o := &d.world.Strays[i]
		if _, desc, ok := r.Catalogue.Kind(o.Mark.Address.Type()); ok {
			out[o.Mark.Address] = desc.Outputs(*o)
		}
	}
	for i := range d.Spec.Desired {
		w := &d.Spec.Desired[i]
		if from := w.Meta.MovedFrom; from != nil && out[w.Address] == nil && out[*from] != nil {
			out[w.Address] = out[*from]
		}
	}
	return out
}

// tell gives what the objects of a draft's environment tell: those of its ledger as they
// are seen now, which a ledger that was set back does not know, and those that bear its
// marks.
func (r *Runner) tell(d *Draft) map[resource.Address]resource.Map {
	out, wanted := r.adopted(d), map[resource.Address]bool{}
	for i := range d.Spec.Desired {
		wanted[d.Spec.Desired[i].Address] = true
	}
	d.journal.View(func(s *ledger.State) {
		for i := range d.Spec.Desired {
			w := &d.Spec.Desired[i]
			e := d.has(s, w, wanted)
			if e == nil || !e.Made || d.world.Live[e.Key].Seen == plan.Absent {
				continue
			}
			outs := e.Record.Outs
			if live := d.world.Live[e.Key]; live.Seen == plan.Present {
				if _, desc, ok := r.Catalogue.Kind(w.Address.Type()); ok {
					outs = desc.Outputs(live.Object)
				}
			}
			out[w.Address] = outs
		}
	})
	return out
}

// known gives fields with what they refer to in place; ok is false where
// something of that is not known yet. outs tells of the environment's own objects.
func (d *Draft) known(fields resource.Map, outs map[resource.Address]resource.Map) (_ resource.Map, ok bool) {
	ok = true
	v := resource.Rewrite(fields, func(v resource.Value) resource.Value {
		ref, is := v.(resource.Ref)
		if !is {
			return v
		}
		out := d.outs[ref.Address][ref.Out]
		if ref.Address.Env == d.Job.Env {
			out = outs[ref.Address][ref.Out]
		}
		if out == nil {
			ok = false
			return v
		}
		return out
	})
	m, _ := v.(resource.Map)
	return m, ok
}

// at gives the object that stands where one is wanted. What can't be asked just
// now is left for the creating call to find.
func at(ctx context.Context, s provider.Session, want resource.Object) (resource.Object, bool) {
	p, err := s.Find(ctx, provider.Intent{Want: want, LookOnly: true})
	if err != nil || p.Object.ID == "" {
		return resource.Object{}, false
	}
	ans := s.Read(ctx, []resource.Want{{Kind: want.Address.Kind, By: resource.Selector{IDs: []resource.ID{p.Object.ID}}}})
	if len(ans) != 1 || ans[0].Err != nil || len(ans[0].Objects) != 1 {
		return resource.Object{}, false
	}
	o := ans[0].Objects[0]
	o.Address = want.Address
	return o, true
}
