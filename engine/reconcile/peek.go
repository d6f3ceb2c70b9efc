package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/observe"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// Peek asks what a tree would do in an environment, were it the one to follow.
type Peek struct {
	Repo    string // whose tree it is
	Env     string
	Tree    fs.FS
	Rules   fs.FS  // where policies/ is read: the base branch's tree
	Commit  string // that is shown
	Subject string
	By      string
	// Waivers are accepted beside those of the spec.
	Waivers []spec.Waiver
	// Apart is for trees of strangers: no provider is asked and no credentials are
	// used; what the ledger has stands for the world.
	Apart bool
}

// Peeked is the answer.
type Peeked struct {
	Plan *view.Plan
	Seen time.Time // of a Peek that is Apart: when the world was last looked at; zero for never
}

// Peek plans an environment without its lease: it writes nothing, and settles
// nothing. What a run has under way there is held in the plan. Errors of type
// diag.List are the user's to mend.
func (d *Daemon) Peek(ctx context.Context, p Peek) (Peeked, error) {
	d.ready()
	row, err := d.Store.Environment(ctx, p.Env)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Peeked{}, err
	}
	d.mu.Lock()
	r := d.repos[p.Repo]
	d.mu.Unlock()
	if f, err := d.refusal(ctx, r, p.Env); err != nil || f != nil {
		if f != nil {
			err = diag.List{*f}
		}
		return Peeked{}, err
	}
	job := Job{
		Tree: p.Tree, Rules: p.Rules, Env: p.Env, Commit: p.Commit, Actor: p.By, Trigger: "preview", May: r.May, Orphans: row.Orphans, Flaps: flapsOf(&row), Waivers: p.Waivers,
	}
	ask, seen := d.Runner.Glance, time.Time{}
	if p.Apart {
		ask, seen = d.Runner.Recall, row.CheckedAt
	}
	draft, err := ask(ctx, job)
	if err != nil {
		return Peeked{}, err
	}
	return Peeked{draft.ViewPlan(d.Runner.Catalogue.Descriptors, p.Subject), seen}, nil
}

// Glance makes a draft that nobody may apply: intents of a run that goes on, or was
// cut off, are left as they are, and no lease is wanted. Errors of type diag.List
// are the user's to mend.
func (r *Runner) Glance(ctx context.Context, job Job) (*Draft, error) {
	return r.drafted(ctx, job, func(_ context.Context, d *Draft) ([]apply.Unsettled, error) { return d.underWay(), nil })
}

// underWay gives the intents that are open, as none that can be settled now.
func (d *Draft) underWay() []apply.Unsettled {
	var out []apply.Unsettled
	d.journal.View(func(s *ledger.State) {
		for _, e := range s.Sorted() {
			if e.Open != nil {
				out = append(out, apply.Unsettled{Key: e.Key, Why: errUnderWay})
			}
		}
	})
	return out
}

var errUnderWay = errors.New("a run that goes on, or was cut off, has begun to change it")

// Recall plans an environment against what the ledger has, as if nothing had been
// changed outside: no provider is asked, and nothing is written. Errors of type
// diag.List are the user's to mend.
func (r *Runner) Recall(ctx context.Context, job Job) (*Draft, error) {
	d := &Draft{Job: job}
	var err error
	if d.Estate, err = r.Specs.Estate(ctx, job.Tree); err != nil {
		return nil, err
	}
	lost, err := r.evaluate(ctx, d)
	if err != nil {
		return nil, err
	}
	if err := r.govern(ctx, d); err != nil {
		return nil, err
	}
	state, err := r.Ledger.State(ctx, job.Env)
	if err != nil {
		return nil, err
	}
	d.journal = apply.NewJournal(r.Ledger, state, r.Now)
	d.Open = d.underWay()
	if err := r.foreign(ctx, d); err != nil {
		return nil, err
	}
	d.withhold()
	d.world = observe.World{Live: recalled(state), Found: r.unpinned(d, state)}
	d.Plan = r.build(d, lost)
	d.Findings, err = r.judge(ctx, d)
	return d, err
}

// govern takes what a stranger's tree may not say for itself from where the rules
// are read: the mode, what may be deleted, which rules hold and what is waived. An
// environment that is not there has every rule and no waiver.
func (r *Runner) govern(ctx context.Context, d *Draft) error {
	if d.Job.Rules == nil {
		return nil
	}
	estate, err := r.Specs.Estate(ctx, d.Job.Rules)
	if err != nil {
		return err
	}
	base := spec.Environment{Mode: estate.Mode, Deletes: d.Spec.Deletes}
	if slices.Contains(estate.Environments, d.Job.Env) {
		var wrong diag.List
		is, err := r.Specs.Environment(ctx, d.Job.Rules, d.Job.Env)
		switch {
		case err == nil:
			base = is
		case !errors.As(err, &wrong): // else the change may be what mends it
			return err
		}
	}
	d.Spec.Policy, d.Spec.Mode, d.Spec.Deletes = base.Policy, base.Mode, base.Deletes
	return nil
}

// withhold notes the resources that want secrets, which are not read.
func (d *Draft) withhold() {
	d.unready = map[resource.Address]plan.Unready{}
	for i := range d.Spec.Desired {
		if w := &d.Spec.Desired[i]; resource.HasSecret(w.Fields) {
			d.unready[w.Address] = plan.Unready{Text: "it wants a secret, which is not read for a change from outside", Mend: "it is planned once this is merged"}
		}
	}
}

// unpinned gives what lookups find that the ledger has no pin of, where nobody is
// asked.
func (r *Runner) unpinned(d *Draft, s *ledger.State) map[resource.Address]plan.Reading {
	out := r.unasked(d.Spec.Desired)
	for i := range d.Spec.Desired {
		w := &d.Spec.Desired[i]
		if _, desc, ok := r.Catalogue.Kind(w.Address.Type()); ok && plan.Pinned(s.Current(w.Address), w, desc, "") {
			delete(out, w.Address)
		}
	}
	return out
}

// recalled gives the objects of a ledger as they were last written.
func recalled(s *ledger.State) map[ledger.Key]plan.Reading {
	out := map[ledger.Key]plan.Reading{}
	for _, e := range s.Sorted() {
		if !e.Made {
			continue
		}
		fields := resource.Map{}
		for _, from := range []resource.Map{e.Record.Outs, e.Record.Applied} {
			for name, v := range from {
				fields[name] = v
			}
		}
		out[e.Key] = plan.Reading{Seen: plan.Present, Object: resource.Object{
			Address: e.Address, ID: e.Record.ID, Fields: fields, Mark: resource.Mark{Env: e.Address.Env, Address: e.Address, Token: e.Token},
		}}
	}
	return out
}

// Concern is what a change of a repository is about.
type Concern struct {
	Estate spec.Estate // as the changed tree has it
	Envs   []string    // whose inputs differ, or that only one of both trees has: sorted
}

// Concerned is Runner's.
func (d *Daemon) Concerned(ctx context.Context, base, changed fs.FS) (Concern, error) {
	return d.Runner.Concerned(ctx, base, changed)
}

// Estate reads what a tree says of its repository. Errors of type diag.List are the
// user's to mend.
func (d *Daemon) Estate(ctx context.Context, tree fs.FS) (spec.Estate, error) {
	return d.Runner.Specs.Estate(ctx, tree)
}

// Poke fetches a repository now, and returns once that has ended, well or not.
func (d *Daemon) Poke(ctx context.Context, repo string) error {
	d.ready()
	return d.poke(ctx, repo)
}

// Concerned compares two trees. Errors of type diag.List are the user's to mend, in
// the second one.
func (r *Runner) Concerned(ctx context.Context, base, changed fs.FS) (Concern, error) {
	was, err := r.Specs.Estate(ctx, base)
	var wrong diag.List
	if err != nil && !errors.As(err, &wrong) {
		return Concern{}, err
	}
	is, err := r.Specs.Estate(ctx, changed)
	out := Concern{Estate: is}
	if err != nil {
		return out, err
	}
	all := slices.Concat(was.Environments, is.Environments)
	slices.Sort(all)
	for _, env := range slices.Compact(all) {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		if !slices.Contains(was.Environments, env) || !slices.Contains(is.Environments, env) {
			out.Envs = append(out.Envs, env)
			continue
		}
		before, berr := r.Specs.Digest(ctx, base, env)
		after, aerr := r.Specs.Digest(ctx, changed, env)
		if berr != nil || aerr != nil || before == "" || before != after {
			out.Envs = append(out.Envs, env)
		}
	}
	return out, nil
}

// Standing tells what is known of an environment in one line that changes with it:
// when a run ends, something is found changed, or a commit comes.
func (d *Daemon) Standing(ctx context.Context, env string) (string, error) {
	row, err := d.Store.Environment(ctx, env)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	parts := []string{row.Repo, row.Mode, row.Commit, row.Digest, row.State, row.PlanDigest, fmt.Sprint(row.Drift, row.Resources, row.Unread)}
	runs, err := d.Store.Runs(ctx, store.RunFilter{Env: env, Limit: 1})
	if err != nil {
		return "", err
	}
	for i := range runs {
		parts = append(parts, runs[i].ID, string(runs[i].State))
	}
	return strings.Join(parts, " "), nil
}
