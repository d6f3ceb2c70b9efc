package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// An environment is its name: its ledger, marks and approvals go by it. One that
// was renamed says what it was called (movedFrom), and takes what it had by
// imports, each of which is journalled here; the former ledger lets go of what
// another one has. So there is no moment at which nobody owns an object, and
// none at which two delete it.

// arrive asks for what a draft's environment had under its former name, and has
// not got yet.
func (r *Runner) arrive(ctx context.Context, d *Draft) error {
	former := d.Spec.MovedFrom
	if d.Job.Destroy || d.Job.Imports != nil || former == d.Job.Env {
		return nil
	}
	if former == "" {
		return r.looksRenamed(ctx, d)
	}
	old, err := r.Ledger.State(ctx, former)
	if err != nil {
		return err
	}
	var imports []Import
	d.waiting = map[resource.Address]plan.Wait{}
	for _, w := range r.missing(d) {
		from, renamed := fromWhere(d, w, old)
		_, desc, known := r.Catalogue.Kind(w.Address.Type())
		e := old.Current(from)
		switch {
		case !known:
		case e != nil && e.Open != nil, e != nil && !e.Made:
			d.waiting[w.Address] = plan.Wait{Text: fmt.Sprintf("a call of %s for it is not settled: isobar plan %s settles it", former, former)}
		case e != nil && desc.Lookup:
			rec := e.Record
			d.pins = append(d.pins, plan.Correction{Address: w.Address, Token: e.Token, Type: ledger.Pinned, Record: &rec})
		case e != nil:
			imports = append(imports, Import{Address: w.Address, Named: string(e.Record.ID), From: renamed, Past: pastOf(w.Address, e.Names(), renamed), Kept: e.Record.Meta.PreventDestroy})
		default:
			switch found := stranded(d.world.Former, from, old); {
			case len(found) == 1:
				imports = append(imports, Import{Address: w.Address, Named: string(found[0].ID), From: renamed, Past: pastOf(w.Address, nil, renamed)})
			case len(found) > 1:
				d.waiting[w.Address] = plan.Wait{
					Text: fmt.Sprintf("%d objects bear the mark of %s: %s; of all but the right one, take the isobar: tags off by hand", len(found), from, idsOf(found)),
				}
			}
		}
	}
	if err := r.promised(ctx, d, old); err != nil {
		return err
	}
	if len(imports)+len(d.waiting) == 0 {
		d.pins = nil // then they are asked anew, if at all
		return nil
	}
	if f, err := r.mayMove(ctx, d, former); err != nil || f != nil {
		if f != nil {
			err = diag.List{*f}
		}
		return err
	}
	for _, p := range d.pins {
		delete(d.world.Found, p.Address)
	}
	d.former, d.Job.Imports = former, imports
	return nil
}

// fromWhere gives the address that a resource had under the former name: its own or,
// where nothing of that is known and it was renamed in the same breath, the one of
// its movedFrom, which is renamed then.
func fromWhere(d *Draft, w *resource.Desired, old *ledger.State) (from, renamed resource.Address) {
	from = w.Address
	from.Env = d.Spec.MovedFrom
	if w.Meta.MovedFrom == nil || old.Current(from) != nil || len(stranded(d.world.Former, from, old)) > 0 {
		return from, resource.Address{}
	}
	from = *w.Meta.MovedFrom
	from.Env = d.Spec.MovedFrom
	return from, from
}

// pastOf gives the names that an object had under the former name, the last one last, as
// they are under the new one: what it is called now is none of them.
func pastOf(now resource.Address, names []resource.Address, renamed resource.Address) []resource.Address {
	var out []resource.Address
	for _, a := range append(names, renamed) {
		here := a
		here.Env = now.Env
		if a.IsZero() || here == now {
			continue
		}
		out = append(slices.DeleteFunc(out, func(o resource.Address) bool { return o == here }), here)
	}
	return out
}

// missing gives what a draft wants and the ledger does not hold.
func (r *Runner) missing(d *Draft) []*resource.Desired {
	wanted := map[resource.Address]bool{}
	for i := range d.Spec.Desired {
		wanted[d.Spec.Desired[i].Address] = true
	}
	var out []*resource.Desired
	d.journal.View(func(s *ledger.State) {
		for i := range d.Spec.Desired {
			if w := &d.Spec.Desired[i]; d.has(s, w, wanted) == nil {
				out = append(out, w)
			}
		}
	})
	return out
}

// has gives the entry of what is wanted, as plan.EntryOf; nil for one whose object
// another environment has by now.
func (d *Draft) has(s *ledger.State, w *resource.Desired, wanted map[resource.Address]bool) *ledger.Entry {
	return d.keeps(plan.EntryOf(s, w, wanted))
}

// keeps gives an entry whose object no other environment has by now, else nil.
func (d *Draft) keeps(e *ledger.Entry) *ledger.Entry {
	if e == nil {
		return nil
	}
	if _, away := d.away[e.Key]; away {
		return nil
	}
	return e
}

// stranded gives the newest object that bears a former address's mark and that
// the former ledger does not know, none where there is none: that ledger was lost.
// Where several bear that one mark it gives all of them.
func stranded(marked []resource.Object, from resource.Address, old *ledger.State) []resource.Object {
	var out []resource.Object
	for i := len(marked) - 1; i >= 0; i-- { // in order of address and token
		if m := marked[i].Mark; m.Address == from && old.Ended[m.Token] == "" && (len(out) == 0 || m.Token == out[0].Mark.Token) {
			out = append(out, marked[i])
		}
	}
	return out
}

func idsOf(objects []resource.Object) string {
	ids := make([]string, len(objects))
	for i := range objects {
		ids[i] = string(objects[i].ID)
	}
	slices.Sort(ids)
	return strings.Join(ids, ", ")
}

// mayMove says why an environment may not take what another name has.
func (r *Runner) mayMove(ctx context.Context, d *Draft, former string) (*diag.Finding, error) {
	f := &diag.Finding{Severity: diag.Error, Code: "SPEC-140", Subject: d.Job.Env}
	if slices.Contains(d.Estate.Environments, former) {
		f.Message = "movedFrom names " + former + ", which is still an environment of this repository"
		f.Mend = "remove the directory of " + former + ", or take movedFrom out"
		return f, nil
	}
	rows, err := r.Ledger.Environments(ctx)
	if err != nil {
		return nil, err
	}
	repo := map[string]string{}
	for _, row := range rows {
		repo[row.Name] = row.Repo
	}
	if a, b := repo[former], repo[d.Job.Env]; a != "" && b != "" && a != b {
		f.Message = fmt.Sprintf("movedFrom names %s, which belongs to repository %s", former, a)
		f.Mend = "move it to this repository under its own name first, as repos in the server's file says"
		return f, nil
	}
	return nil, nil
}

// looksRenamed warns where all that a new environment wants stands in one that
// is gone. Of one that had anything it says nothing: what is missing there went.
func (r *Runner) looksRenamed(ctx context.Context, d *Draft) error {
	missing := r.missing(d)
	if len(missing) == 0 || len(missing) < len(d.Spec.Desired) || !d.blank() {
		return nil
	}
	rows, err := r.Ledger.Environments(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.Resources == 0 || row.Name == d.Job.Env || slices.Contains(d.Estate.Environments, row.Name) {
			continue
		}
		old, err := r.Ledger.State(ctx, row.Name)
		if err != nil {
			return err
		}
		same := 0
		for _, w := range missing {
			from := w.Address
			from.Env = row.Name
			if old.Current(from) != nil {
				same++
			}
		}
		if 2*same > len(missing) {
			d.Warnings = append(slices.Clone(d.Warnings), diag.Finding{
				Severity: diag.Warning, Code: "SPEC-141", Subject: d.Job.Env,
				Message: fmt.Sprintf("%s is gone, and had %d of these %d resources: they would be made anew beside those", row.Name, same, len(missing)),
				Mend:    fmt.Sprintf("where it was renamed, write movedFrom: %q at its top before it is applied", row.Name),
			})
		}
	}
	return nil
}

// blank reports whether the draft's environment never had anything.
func (d *Draft) blank() bool {
	blank := true
	d.journal.View(func(s *ledger.State) {
		blank = len(s.Entries) == 0
		for _, why := range s.Ended {
			blank = blank && why == "not done"
		}
	})
	return blank
}

// depart finds which objects another environment's ledger has by now: of one that
// is gone, or is to be destroyed; of any other where their marks say so too or, of what
// bears none, where the other has it later.
func (r *Runner) depart(ctx context.Context, d *Draft, lost bool) error {
	d.away = map[ledger.Key]resource.Address{}
	stays := !lost && !d.Job.Destroy
	if stays && (d.Job.Imports != nil || d.Spec.MovedFrom == "" && !d.strewn()) {
		return nil
	}
	rows, err := r.Ledger.Environments(ctx)
	if err != nil {
		return err
	}
	others := r.others(d, rows)
	d.taking, d.owned = map[ownedID]string{}, map[ownedID][]*ledger.Entry{}
	pinned := map[string][]*ledger.Entry{}
	for _, row := range rows {
		if row.Name == d.Job.Env {
			continue
		}
		s, err := r.Ledger.State(ctx, row.Name)
		if err != nil {
			return err
		}
		for _, e := range s.Entries {
			if taking(e) {
				d.taking[idOf(e)] = row.Name
			}
			if !e.Made || e.Open != nil && e.Open.Op == ledger.Adopt || e.Record.Scope == "" {
				continue // not quite there yet, or nobody knows where
			}
			d.owned[idOf(e)] = append(d.owned[idOf(e)], e)
			pinned[e.Token] = append(pinned[e.Token], e)
		}
	}
	heirs := map[ledger.Key]*ledger.Entry{}
	d.journal.View(func(s *ledger.State) {
		for key, e := range s.Entries {
			to := heir(d, others, e, d.owned[idOf(e)])
			if _, desc, known := r.Catalogue.Kind(e.Address.Type()); known && desc.Lookup {
				to = heir(d, others, e, pinned[e.Token])
			}
			if to != nil && e.Open == nil && (!stays || r.passedOn(d, e, to)) {
				heirs[key] = to
			}
		}
	})
	for key, to := range heirs {
		if stays && others.gone(to.Address.Env) {
			if has, err := r.succeeded(ctx, d, to.Address.Env); err != nil || !has {
				if err != nil {
					return err
				}
				continue
			}
		}
		d.away[key] = to.Address
	}
	return nil
}

// passedOn reports whether an object of an environment that stays is another one's, whose
// ledger has it too: its mark says so or, where it bears none, that ledger has it since.
func (r *Runner) passedOn(d *Draft, e, to *ledger.Entry) bool {
	kind, desc, known := r.Catalogue.Kind(e.Address.Type())
	switch {
	case !known:
		return false
	case kind.Unmarked || desc.Lookup:
		return to.At.After(e.At) || to.At.Equal(e.At) && to.Token > e.Token
	}
	return d.world.Live[e.Key].Object.Mark.Address == to.Address
}

// succeeded reports whether an environment that is gone goes on under another name than
// the draft's: what it had is that one's to take, and not to be taken back.
func (r *Runner) succeeded(ctx context.Context, d *Draft, gone string) (bool, error) {
	if d.Spec.MovedFrom == gone {
		return false, nil
	}
	for _, env := range d.Estate.Environments {
		if env == d.Job.Env {
			continue
		}
		there, err := r.Specs.Environment(ctx, d.Job.Tree, env)
		var wrong diag.List
		switch {
		case errors.As(err, &wrong): // it says nothing
		case err != nil:
			return false, err
		case there.MovedFrom == gone:
			return true, nil
		}
	}
	return false, nil
}

// strewn reports whether an object of the draft's ledger bears the mark of another
// environment of the estate.
func (d *Draft) strewn() bool {
	for _, live := range d.world.Live {
		if m := live.Object.Mark; m.Estate == d.Estate.ID && m.Env != "" && m.Env != d.Job.Env {
			return true
		}
	}
	return false
}

// heir gives the entry of the resource that has an entry's object by now, of those of
// other environments that hold it too; nil for none. One whose environment is gone
// itself has it where it took it later: the mark tells or, where there is none, the time.
func heir(d *Draft, others environments, e *ledger.Entry, of []*ledger.Entry) *ledger.Entry {
	var to *ledger.Entry
	mark := d.world.Live[e.Key].Object.Mark
	for _, o := range of {
		switch {
		case !others.gone(o.Address.Env):
			return o
		case mark.Token == o.Token, mark.IsZero() && o.At.After(e.At):
			to = o
		}
	}
	return to
}

// parts gives the words by which a ledger lets go of what another environment has, and
// the ledger after them, where the draft's environment goes on with what comes from a
// former name: what is away is in the way of that.
func (d *Draft) parts(s *ledger.State) (*ledger.State, []plan.Correction) {
	if len(d.away) == 0 || d.Spec.MovedFrom == "" || d.Job.Destroy || d.absent() {
		return s, nil
	}
	s = s.Clone()
	var out []plan.Correction
	for _, e := range s.Sorted() {
		to, away := d.away[e.Key]
		if !away {
			continue
		}
		c := plan.Correction{Address: e.Address, Token: e.Token, Type: ledger.Forgotten, Why: plan.MovedTo + to.String()}
		if s.Apply(ledger.Event{Address: c.Address, Token: c.Token, Type: c.Type, Why: c.Why}) == nil {
			out = append(out, c)
		}
	}
	return s, out
}

// withPins gives a ledger with the lookups' pins that come from the former name.
func (d *Draft) withPins(s *ledger.State) *ledger.State {
	if len(d.pins) == 0 {
		return s
	}
	out := s.Clone()
	for _, p := range d.pins {
		_ = out.Apply(ledger.Event{Address: p.Address, Token: p.Token, Type: p.Type, Record: p.Record}) // else it is asked anew
	}
	return out
}

// stayed gives what an import that can do nothing holds, with the reasons.
func stayed(p *plan.Plan) map[resource.Address]plan.Wait {
	out := map[resource.Address]plan.Wait{}
	for _, h := range p.Held {
		out[h.Address] = plan.Wait{Text: h.Text, Mend: h.Mend}
	}
	return out
}
