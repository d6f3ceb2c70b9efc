package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// Import asks that an existing object comes under management.
type Import struct {
	Address resource.Address   // the resource that it is to be the object of
	Named   string             // its id, or another name that people know it by
	From    resource.Address   // under the environment's former name, where the resource was renamed too
	Past    []resource.Address // what it was called before, as the environment by its name of now would
	Kept    bool               // the former name's ledger has it protected
	Alias   string             // the provider's alias that shows it, where the spec does not have the resource; "" is the provider's name
}

// seek looks for the objects that a job's imports name, all of a session's in
// one read, with all of their aspects.
func (r *Runner) seek(ctx context.Context, d *Draft) {
	if len(d.Job.Imports) == 0 {
		return
	}
	wanted := map[resource.Address]*resource.Desired{}
	for i := range d.Spec.Desired {
		wanted[d.Spec.Desired[i].Address] = &d.Spec.Desired[i]
	}
	taken, terr := r.taken(ctx, d)
	byAlias := map[string][]Import{}
	for _, im := range d.Job.Imports {
		name := cmp.Or(im.Alias, im.Address.Provider)
		if w := wanted[im.Address]; w != nil {
			name = cmp.Or(w.Meta.Alias, im.Address.Provider)
		}
		byAlias[name] = append(byAlias[name], im)
	}
	d.imports = make(map[resource.Address]plan.Import, len(d.Job.Imports))
	for _, name := range slices.Sorted(maps.Keys(byAlias)) {
		r.find(ctx, d, name, byAlias[name])
		d.leave(taken, terr, byAlias[name], name)
	}
	for a, im := range d.imports {
		if w := wanted[a]; w != nil && im.Seen == plan.Present {
			im.Object.Fields = d.veil.Conceal(im.Object.Fields, w.Fields) // no text where the spec has a secret
			d.imports[a] = im
		}
	}
}

// find reads what imports of one session name.
func (r *Runner) find(ctx context.Context, d *Draft, alias string, imports []Import) {
	acc, ok := d.opened.accounts[alias]
	if !ok {
		why := cmp.Or(d.opened.blind[alias], "the environment has no provider "+alias)
		for _, im := range imports {
			d.imports[im.Address] = plan.Import{Named: im.Named, From: im.From, Past: im.Past, Kept: im.Kept, Reading: plan.Reading{Seen: plan.Unread, Why: why}}
		}
		return
	}
	wants := make([]resource.Want, len(imports))
	for i, im := range imports {
		wants[i] = resource.Want{Kind: im.Address.Kind, By: resource.Selector{Named: im.Named}}
	}
	d.Wants += len(wants)
	for i, ans := range acc.Session.Read(ctx, wants) {
		d.imports[imports[i].Address] = plan.Import{Named: imports[i].Named, From: imports[i].From, Past: imports[i].Past, Kept: imports[i].Kept, Reading: imports[i].reading(ans, acc.Session.Scope())}
	}
}

// reading says what an answer to an import comes to: there must be exactly one
// object.
func (im Import) reading(ans resource.Answer, scope string) plan.Reading {
	switch {
	case ans.Err != nil:
		return plan.Reading{Seen: plan.Unread, Why: ans.Err.Error()}
	case len(ans.Objects) == 0:
		return plan.Reading{Seen: plan.Absent, Why: fmt.Sprintf("there is no %s %s in %s", im.Address.Type(), im.Named, scope)}
	case len(ans.Objects) > 1:
		return plan.Reading{Seen: plan.Absent, Why: fmt.Sprintf("%d objects are called %s: give the id of one", len(ans.Objects), im.Named)}
	}
	o := ans.Objects[0]
	o.Address = im.Address
	return plan.Reading{Seen: plan.Present, Object: o}
}

// Unwritten gives the objects that only lack a resource in the spec, as
// spec.Sketch takes them, in order of the addresses.
func (d *Draft) Unwritten() []resource.Desired {
	alias := make(map[resource.Address]string, len(d.Job.Imports))
	for _, im := range d.Job.Imports {
		alias[im.Address] = im.Alias
	}
	var out []resource.Desired
	for _, h := range d.Plan.Held {
		if h.Why == plan.HeldUnspoken {
			out = append(out, resource.Desired{
				Address: h.Address, Fields: d.imports[h.Address].Object.Fields, Meta: resource.Lifecycle{Alias: alias[h.Address]},
			})
		}
	}
	return out
}

// Refer finds the resource of a kind with an output of that value: one that has
// its object already, or is about to. Its fields are the spec's, and where that
// does not have it yet, those that were read. ok is false where the environment
// has none.
func (d *Draft) Refer(kind, out, text string) (to resource.Desired, ok bool) {
	objects := d.live()
	for _, im := range d.imports {
		if im.Seen == plan.Present {
			objects = append(objects, im.Object)
		}
	}
	for _, o := range objects {
		if o.Address.Type() != kind || !(out == "id" && string(o.ID) == text || out != "id" && o.Fields.Text(out) == text) {
			continue
		}
		if i := slices.IndexFunc(d.Spec.Desired, func(w resource.Desired) bool { return w.Address == o.Address }); i >= 0 {
			return d.Spec.Desired[i], true
		}
		return resource.Desired{Address: o.Address, Fields: o.Fields}, true
	}
	return resource.Desired{}, false
}

// afterImport is what a person does next: what was adopted differs from the spec
// or does not, which a plan has told.
func (a *Attempt) afterImport(out *Outcome) string {
	if !out.OK() {
		return "what was adopted is kept: mend the cause, then type the same import again"
	}
	if out.Next == nil {
		return ""
	}
	var differ []string
	for i := range out.Next.Changes {
		c := &out.Next.Changes[i]
		if slices.ContainsFunc(a.Job.Imports, func(im Import) bool { return im.Address == c.Address }) {
			differ = append(differ, c.Address.Local())
		}
	}
	if len(differ) == 0 {
		return "a plan finds what was adopted as the spec wants it"
	}
	return "the next apply changes " + strings.Join(differ, ", ") + ": see isobar plan " + a.Job.Env
}
