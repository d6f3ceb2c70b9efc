package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
)

// A rename that is written and not applied yet has two names for the same objects:
// the former one owns them, and the new one is to take them. A word to let go of
// them, and a destroy of either, waits until that is done or taken back.

// await finds which objects of a draft's ledger another environment says that it has
// from there (movedFrom), and has not taken yet: let go of now they would be made a
// second time, and a destroy would delete what is wanted.
func (r *Runner) await(ctx context.Context, d *Draft) error {
	d.awaited = map[ledger.Key]plan.Wait{}
	keys := d.leaving()
	if len(keys) == 0 {
		return nil
	}
	next, err := r.successors(ctx, d)
	if err != nil {
		return err
	}
	for i := range next {
		h := &next[i]
		env := h.env
		if h.broken && d.absent() {
			for _, k := range keys {
				if d.Job.Destroy || d.spoken(k) {
					d.await(k, plan.Wait{Text: env + " may take it over (movedFrom), whose spec has mistakes: isobar validate", Mend: "mend that spec; where nobody is to have it, without movedFrom"})
				}
			}
		}
		for _, k := range keys {
			if !h.broken && d.takes(&h.spec, h.has, k) {
				d.await(k, plan.Wait{Text: env + " takes it over first (movedFrom): isobar apply " + env, Mend: "where nobody is to have it, take movedFrom out there"})
			}
		}
	}
	d.begun(keys)
	return nil
}

// successor is an environment whose spec says that it had a draft's environment's name,
// or one whose spec has mistakes: it may.
type successor struct {
	env    string
	spec   spec.Environment
	has    *ledger.State
	broken bool // nothing is known but its name
}

// successors gives the environments that may have had the name of a draft's before theirs.
func (r *Runner) successors(ctx context.Context, d *Draft) ([]successor, error) {
	var out []successor
	for _, env := range d.Estate.Environments {
		if env == d.Job.Env {
			continue
		}
		there, err := r.Specs.Environment(ctx, d.Job.Tree, env)
		var wrong diag.List
		switch {
		case errors.As(err, &wrong):
			out = append(out, successor{env: env, broken: true})
			continue
		case err != nil:
			return nil, err
		case there.MovedFrom != d.Job.Env: // what is there is nobody's former name
			continue
		}
		has, err := r.Ledger.State(ctx, env)
		if err != nil {
			return nil, err
		}
		out = append(out, successor{env: env, spec: there, has: has})
	}
	return out, nil
}

// begun awaits what another environment has begun to take and has not got, whatever
// its spec says by now: its mark may be on the object already, or come yet.
func (d *Draft) begun(keys []ledger.Key) {
	d.journal.View(func(s *ledger.State) {
		for _, k := range keys {
			e := s.Entries[k]
			if _, waits := d.awaited[k]; e == nil || waits {
				continue
			}
			if env := d.taking[idOf(e)]; env != "" {
				d.await(k, plan.Wait{Text: fmt.Sprintf("%s has begun to take it over, and that is not settled", env), Mend: fmt.Sprintf("isobar plan %s settles it", env)})
			}
		}
	})
}

// spoken reports whether a person's word is on an object.
func (d *Draft) spoken(k ledger.Key) bool {
	return d.words.released[k] != "" || d.words.confirmed[k] != ""
}

func (d *Draft) await(k ledger.Key, why plan.Wait) {
	if _, away := d.away[k]; !away {
		d.awaited[k] = why
	}
}

// leaving gives what a person may let go of or have deleted in an environment that is
// gone, or what a destroy would delete, sorted.
func (d *Draft) leaving() []ledger.Key {
	if !d.Job.Destroy && !d.absent() {
		return nil
	}
	var out []ledger.Key
	d.journal.View(func(s *ledger.State) {
		for _, e := range s.Sorted() {
			out = append(out, e.Key)
		}
	})
	if d.Job.Destroy {
		return out
	}
	for _, said := range []map[ledger.Key]string{d.words.released, d.words.confirmed} { // of strays, too
		for k := range said {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, ledger.Key.Compare)
	return slices.Compact(out)
}

// takes reports whether an environment wants what an entry of its former name has,
// under its own name or its resource's former one, and its ledger does not have it
// yet: what that has there instead may be another one's by now.
func (d *Draft) takes(env *spec.Environment, has *ledger.State, k ledger.Key) bool {
	wanted := map[resource.Address]bool{}
	for i := range env.Desired {
		wanted[env.Desired[i].Address] = true
	}
	a := k.Address
	return slices.ContainsFunc(env.Desired, func(w resource.Desired) bool {
		from := w.Address
		from.Env = a.Env
		renamed := resource.Address{}
		if w.Meta.MovedFrom != nil {
			renamed = *w.Meta.MovedFrom
			renamed.Env = a.Env
		}
		e := plan.EntryOf(has, &w, wanted)
		return (from == a || renamed == a) && (e == nil || taking(e) || d.passed(k, e))
	})
}

// passed reports whether what another environment's ledger has in the place of an entry
// is a third one's, too, which has taken it.
func (d *Draft) passed(k ledger.Key, e *ledger.Entry) bool {
	id := idOf(e)
	mine := ownedID{}
	d.journal.View(func(s *ledger.State) {
		if own := s.Entries[k]; own != nil {
			mine = idOf(own)
		}
	})
	return id != mine && slices.ContainsFunc(d.owned[id], func(o *ledger.Entry) bool { return o.Address.Env != e.Address.Env })
}

// taking reports whether all that an entry says is that its object was to be taken.
func taking(e *ledger.Entry) bool {
	return !e.Made && e.Open != nil && e.Open.Op == ledger.Adopt
}

// untaken holds in a destroy what its environment has from a former name and has not
// taken yet: the former one owns it.
func (r *Runner) untaken(ctx context.Context, d *Draft) error {
	former := d.Spec.MovedFrom
	if !d.Job.Destroy || former == "" || former == d.Job.Env {
		return nil
	}
	old, err := r.Ledger.State(ctx, former)
	if err != nil {
		return err
	}
	d.waiting = map[resource.Address]plan.Wait{}
	for i := range d.undone {
		w := &d.undone[i]
		_, desc, known := r.Catalogue.Kind(w.Address.Type())
		had := false
		d.journal.View(func(s *ledger.State) { had = d.keeps(s.Current(w.Address)) != nil })
		from, _ := fromWhere(d, w, old)
		id := resource.ID("")
		if e := old.Current(from); e != nil {
			id = e.Record.ID
		} else if found := stranded(d.world.Former, from, old); len(found) > 0 {
			id = found[0].ID
		}
		if had || !known || desc.Lookup || id == "" {
			continue
		}
		d.waiting[w.Address] = plan.Wait{
			Text: fmt.Sprintf("%s is the object of %s yet: movedFrom is not applied", id, from),
			Mend: fmt.Sprintf("to delete it, let %s take it first: isobar apply %s, then destroy again; or take movedFrom out of %s, then isobar destroy %s",
				d.Job.Env, d.Job.Env, d.Job.Env, former),
		}
	}
	return nil
}
