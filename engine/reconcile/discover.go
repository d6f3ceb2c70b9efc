package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/diag"
	"isobar.dev/engine/discover"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// Search is what a person wants found.
type Search struct {
	Asks  []discover.Ask
	State *discover.State // nil: no Terraform state was given
}

// Discovery is what a search found, without addresses yet.
type Discovery struct {
	Found   []discover.Found
	Aspects int    // of the state's resources, those that are aspects of others
	Dir     string // the environment's directory from the repository's root
}

// Discover looks in an environment's accounts for the objects that a search
// means. What is somebody's already is left out, and so is what could not be
// asked for. It changes nothing. Errors of type diag.List are the user's to mend.
func (r *Runner) Discover(ctx context.Context, job Job, search Search) (*Discovery, error) {
	d := &Draft{Job: job}
	var err error
	if d.Estate, err = r.Specs.Estate(ctx, job.Tree); err != nil {
		return nil, err
	}
	if d.Spec, err = r.Specs.Environment(ctx, job.Tree, job.Env); err != nil {
		return nil, err
	}
	taken, err := r.taken(ctx, d)
	if err != nil {
		return nil, err
	}
	state, err := r.Ledger.State(ctx, job.Env)
	if err != nil {
		return nil, err
	}
	d.opened = r.Sessions.open(ctx, who{d.Estate.ID, job.May}, d.Spec.Providers, state)
	out := &Discovery{Dir: d.Spec.Dir}
	var wrong diag.List
	var lists [][]discover.Found
	for _, a := range search.Asks {
		found, err := r.ask(ctx, d, a)
		if err != nil {
			wrong = append(wrong, diag.Finding{Severity: diag.Error, Code: diag.CommandFind, Message: err.Error(), Mend: "mend --find " + a.Text})
		}
		lists = append(lists, found)
	}
	if search.State != nil {
		out.Aspects = search.State.Aspects
		lists = append(lists, d.placed(search.State.Found))
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	out.Found = discover.Merge(lists...)
	for i := range out.Found {
		r.owned(d, &out.Found[i], state, taken)
	}
	return out, nil
}

// ask reads what one ask is about and picks what it means.
func (r *Runner) ask(ctx context.Context, d *Draft, a discover.Ask) ([]discover.Found, error) {
	p, ok := d.Spec.Providers[a.Alias]
	if !ok {
		return nil, fmt.Errorf("the environment %s has no provider %s: it has %s", d.Job.Env, a.Alias,
			cmp.Or(strings.Join(slices.Sorted(maps.Keys(d.Spec.Providers)), ", "), "none"))
	}
	wants, err := a.Wants(p.Type, r.Catalogue.Descriptors)
	if err != nil {
		return nil, err
	}
	acc, ok := d.opened.accounts[a.Alias]
	if !ok {
		return nil, fmt.Errorf("%s can't be asked: %s", a.Alias, d.opened.blind[a.Alias])
	}
	seen := make([]discover.Seen, len(wants))
	for i, ans := range acc.Session.Read(ctx, wants) {
		seen[i] = discover.Seen{Want: wants[i], Answer: ans}
	}
	return a.Pick(p.Type, r.Catalogue.Descriptors, seen)
}

// placed gives a state's resources the aliases of the environment: that of the
// same name, or of the same region where the state tells one.
func (d *Draft) placed(found []discover.Found) []discover.Found {
	out := slices.Clone(found)
	for i := range out {
		f := &out[i]
		if f.Left != "" {
			continue
		}
		typ, _, _ := strings.Cut(f.Type, ".")
		_, own, _ := strings.Cut(f.Alias, ".")
		var fit []string
		for _, alias := range slices.Sorted(maps.Keys(d.Spec.Providers)) {
			acc, open := d.opened.accounts[alias]
			if d.Spec.Providers[alias].Type != typ || open && f.Region != "" && !inRegion(acc, f.Region) {
				continue
			}
			fit = append(fit, alias)
		}
		switch {
		case own != "" && slices.Contains(fit, own):
			f.Alias = own
		case slices.Contains(fit, typ):
			f.Alias = typ
		case len(fit) > 0:
			f.Alias = fit[0]
		case f.Region != "":
			f.Leave("it is in " + f.Region + ", and no provider of the environment looks there")
		default:
			f.Leave("the environment has no provider " + typ)
		}
	}
	return out
}

// inRegion reports whether a session sees a region: scopes end with it.
func inRegion(acc apply.Account, region string) bool {
	return strings.HasSuffix(acc.Session.Scope(), "/"+region)
}

// owned leaves out what has an owner.
func (r *Runner) owned(d *Draft, f *discover.Found, state *ledger.State, taken owners) {
	scope := ""
	if acc, ok := d.opened.accounts[f.Alias]; ok {
		scope = acc.Session.Scope()
	}
	for _, e := range state.Sorted() {
		if string(e.Record.ID) == f.ID && e.Address.Type() == f.Type && (e.Record.Scope == "" || scope == "" || e.Record.Scope == scope) {
			f.Leave("it is the object of " + e.Address.Local() + " already")
		}
	}
	if other, ok := taken.owner(f.Type, scope, resource.ID(f.ID)); ok {
		f.Leave("it is the object of " + other.String() + " already")
	}
	m := f.Mark
	switch by := ledger.HolderIn(m.Token); {
	case m.IsZero():
	case by != 0 && r.Holder != 0 && by != r.Holder:
		f.Leave(fmt.Sprintf("store %s manages it (isobar store info names a store): it bears the mark of %s, estate %s", by, m.Address, m.Estate))
	case m.Estate == d.Estate.ID:
		f.Leave("it bears the mark of " + m.Address.String() + ": the next apply of " + m.Env + " takes it back")
	default:
		f.Leave("it belongs to " + m.Address.String() + " of the estate " + m.Estate)
	}
}
