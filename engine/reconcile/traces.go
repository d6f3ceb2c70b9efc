package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
)

// A rename that was taken back, or followed by another, leaves marks under the name
// of an environment that is gone. Where an environment that is there owns the object
// by its id, or takes it from its former name, its own mark is written in the place
// of such a one; what nobody's ledger has is not made a second time beside it.

// environments tells which of a store's environments are gone: no directory of the
// repository has their name, and no other repository holds them.
type environments struct {
	r      *Runner
	self   string
	listed []string
	repo   map[string]string
	states map[string]*ledger.State
}

func (r *Runner) others(d *Draft, rows []store.Environment) environments {
	out := environments{r, d.Job.Env, d.Estate.Environments, map[string]string{}, map[string]*ledger.State{}}
	for _, row := range rows {
		out.repo[row.Name] = row.Repo
	}
	return out
}

func (e environments) gone(env string) bool {
	a, b := e.repo[env], e.repo[e.self]
	return env != e.self && !slices.Contains(e.listed, env) && (a == "" || b == "" || a == b)
}

func (e environments) state(ctx context.Context, env string) (*ledger.State, error) {
	if s := e.states[env]; s != nil {
		return s, nil
	}
	s, err := e.r.Ledger.State(ctx, env)
	if err == nil {
		e.states[env] = s
	}
	return s, err
}

// departed reports whether the repository has no environment of a name.
func (d *Draft) departed(env string) bool {
	return env != d.Job.Env && !slices.Contains(d.Estate.Environments, env)
}

// traces looks at the marks of environments that are gone.
func (r *Runner) traces(ctx context.Context, d *Draft) error {
	d.gone = map[string]plan.Gone{}
	var found []resource.Object
	for _, live := range d.world.Live {
		found = append(found, live.Object)
	}
	for _, im := range d.imports {
		found = append(found, im.Object)
	}
	d.journal.View(func(s *ledger.State) {
		found = slices.DeleteFunc(found, func(o resource.Object) bool {
			m := o.Mark
			// no rename leaves a token that this ledger holds: somebody changed such a mark by hand
			return m.IsZero() || m.Estate != d.Estate.ID || !d.departed(m.Env) || ledger.HolderIn(m.Token) != r.Holder || s.Holding(m.Token) != nil
		})
	})
	left := r.unclaimed(d)
	if d.lost = nil; len(found)+len(left)+len(d.world.Gone) == 0 {
		return nil
	}
	rows, err := r.Ledger.Environments(ctx)
	if err != nil {
		return err
	}
	others := r.others(d, rows)
	owned, err := r.living(ctx, others, rows)
	if err != nil {
		return err
	}
	for i := range found {
		if err := d.trace(ctx, r, others, owned, &found[i]); err != nil {
			return err
		}
	}
	if err := r.beside(ctx, d, others, owned, left); err != nil {
		return err
	}
	return r.lost(ctx, d, others, owned)
}

// living gives what the other environments that are there own.
func (r *Runner) living(ctx context.Context, others environments, rows []store.Environment) (map[livingID]bool, error) {
	out := map[livingID]bool{}
	for _, row := range rows {
		if row.Name == others.self || others.gone(row.Name) {
			continue
		}
		s, err := others.state(ctx, row.Name)
		if err != nil {
			return nil, err
		}
		for _, e := range s.Entries {
			out[livingID{e.Address.Type(), e.Record.ID}] = true
		}
	}
	return out, nil
}

// livingID is an object wherever it is: rather one too many is left alone.
type livingID struct {
	kind string
	id   resource.ID
}

// trace says of an object what its mark lets this environment do.
func (d *Draft) trace(ctx context.Context, r *Runner, others environments, owned map[livingID]bool, o *resource.Object) error {
	m := o.Mark
	if !others.gone(m.Env) || owned[livingID{m.Address.Type(), o.ID}] {
		return nil
	}
	s, err := others.state(ctx, m.Env)
	if err != nil {
		return err
	}
	kind, _, known := r.Catalogue.Kind(m.Address.Type())
	e, ended := s.Holding(m.Token), s.Ended[m.Token]
	switch {
	case !known, e != nil && e.Record.ID != o.ID, !mayStand(ended) && !strings.HasPrefix(ended, plan.MovedTo):
	case e != nil && e.Open != nil:
		d.gone[m.Token] = plan.Gone{Mend: fmt.Sprintf("isobar plan %s settles a call for it first", m.Env)}
	case kind.Settle == provider.SettleNatural && d.Spec.MovedFrom != m.Env: // another object may have the name by now: a person says so
		d.gone[m.Token] = plan.Gone{Mend: fmt.Sprintf("movedFrom: %q at the top of %s marks it again", m.Env, d.Job.Env)}
	default:
		d.gone[m.Token] = plan.Gone{}
	}
	return nil
}

// mayStand reports whether an object may stand that bears a token which ended so.
func mayStand(ended string) bool { return ended == "" || ended == "not done" }

// unclaimed gives what a draft would make and nothing else asks for, where another
// name may have it.
func (r *Runner) unclaimed(d *Draft) []*resource.Desired {
	if d.Job.Destroy || d.Job.Imports != nil && d.former == "" {
		return nil
	}
	moved := d.Spec.MovedFrom != ""
	d.journal.View(func(s *ledger.State) {
		for _, why := range s.Ended {
			moved = moved || strings.HasPrefix(why, plan.MovedTo)
		}
	})
	if !moved && len(d.world.Gone) == 0 {
		return nil
	}
	asked := map[resource.Address]bool{}
	for _, im := range d.Job.Imports {
		asked[im.Address] = true
	}
	return slices.DeleteFunc(r.missing(d), func(w *resource.Desired) bool {
		_, desc, known := r.Catalogue.Kind(w.Address.Type())
		_, waits := d.waiting[w.Address]
		return asked[w.Address] || waits || !known || desc.Lookup
	})
}

// beside holds what would be made beside an object that stands at the same address
// under the name of an environment that is gone, and was this one's: this ledger let
// go of it to there; or it comes from a former name itself; or no ledger has it.
func (r *Runner) beside(ctx context.Context, d *Draft, others environments, owned map[livingID]bool, left []*resource.Desired) error {
	if d.waiting == nil {
		d.waiting = map[resource.Address]plan.Wait{}
	}
	for _, w := range left {
		from, id, bears, err := r.formerly(ctx, d, others, owned, w.Address)
		if err != nil {
			return err
		}
		if from.IsZero() {
			continue
		}
		d.waiting[w.Address] = d.standsAs(from, id, bears)
	}
	return nil
}

// standsAs says why something is not made that stands under another name, by its
// mark alone or by that one's ledger.
func (d *Draft) standsAs(from resource.Address, id resource.ID, bears bool) plan.Wait {
	text, other := "%s is the object of %s, and that environment is gone", fmt.Sprintf("let go of that first: isobar forget %s %s", from.Env, from.Local())
	place := ""
	if d.Spec.MovedFrom != "" {
		place, other = fmt.Sprintf(", in the place of %q,", d.Spec.MovedFrom), "take movedFrom out once the rest has moved"
	}
	if bears {
		text, other = "%s bears the mark of %s, and that environment is gone", "take its isobar: tags off by hand"
	}
	return plan.Wait{
		Text: fmt.Sprintf(text, id, from),
		Mend: fmt.Sprintf("movedFrom: %q at the top of %s%s takes it; where it is to be another one, %s", from.Env, d.Job.Env, place, other),
	}
}

// formerly gives what stands at an address under another name that is gone, by its
// ledger or, where bears, by its mark alone; the zero address where nothing does.
func (r *Runner) formerly(ctx context.Context, d *Draft, others environments, owned map[livingID]bool, a resource.Address) (from resource.Address, id resource.ID, bears bool, err error) {
	for i := range d.world.Gone {
		o := &d.world.Gone[i]
		m := o.Mark
		here := m.Address
		here.Env = a.Env
		if here != a || m.Env == d.Spec.MovedFrom || !others.gone(m.Env) || ledger.HolderIn(m.Token) != r.Holder || owned[livingID{a.Type(), o.ID}] {
			continue
		}
		s, err := others.state(ctx, m.Env)
		if err != nil {
			return from, "", false, err
		}
		if s.Holding(m.Token) == nil && mayStand(s.Ended[m.Token]) {
			return m.Address, o.ID, true, nil
		}
	}
	let := map[string]bool{} // where this ledger says that something went
	d.journal.View(func(s *ledger.State) {
		for _, why := range s.Ended {
			let[why] = true
		}
	})
	for env := range others.repo {
		there := a
		there.Env = env
		if !others.gone(env) || env == d.Spec.MovedFrom || d.Spec.MovedFrom == "" && !let[plan.MovedTo+there.String()] {
			continue
		}
		s, err := others.state(ctx, env)
		if err != nil {
			return from, "", false, err
		}
		if e := s.Current(there); e != nil && e.Made && (from.IsZero() || there.Compare(from) < 0) {
			from, id = there, e.Record.ID
		}
	}
	return from, id, false, nil
}
