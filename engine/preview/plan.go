package preview

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"sync"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/forge"
	"isobar.dev/engine/git"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/review"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// merging is what the merge of a pull gives: a tree, or why there is none.
type merging struct {
	head      git.Commit
	tree      fs.FS
	conflicts []git.Conflict
	why       error
}

// made is a pull as it was planned.
type made struct {
	view.Preview

	base     string                   // the commit that it is merged on
	standing map[string]string        // what was known of each environment before it was planned
	intents  map[string]review.Intent // by environment
	wrong    diag.List                // mistakes in the spec that have no place yet
}

// unplanned reports whether a conflict, or a mistake that is no single environment's,
// kept all from being planned.
func (m *made) unplanned() bool {
	return len(m.Envs) == 0 && (len(m.Conflicts) > 0 || len(m.wrong) > 0 || m.Spec.Errors()+m.Placed > 0)
}

// outdated notes that something has changed in an environment since.
func (m *made) outdated(env string) {
	if !slices.Contains(m.Stale.Envs, env) {
		m.Stale.Envs = append(m.Stale.Envs, env)
	}
}

// widest is how many environments are planned at a time.
const widest = 4

// plan plans what the merge of an open pull would do.
func (d *Desk) plan(ctx context.Context, p *pull) error {
	base, err := d.git.Head(ctx)
	if err != nil {
		return err
	}
	m, err := d.merge(ctx, p, base)
	if err != nil {
		return err
	}
	if p.Authors, err = d.Forge.Authors(ctx, p.number); err != nil {
		return err
	}
	out := &made{base: base.Hash, standing: map[string]string{}, intents: map[string]review.Intent{}}
	out.Preview = view.Preview{Sign: d.sign(), Head: m.head.Hash, Base: base.Hash, At: d.Now(), Fork: p.now.Fork}
	baseTree, err := d.git.Tree(base.Hash)
	if err != nil {
		return err
	}
	if err := d.look(ctx, p, out, trees{merged: m, base: baseTree, subject: p.now.Title}); err != nil {
		return err
	}
	if p.State != forge.Open {
		return nil
	}
	if merged, err := d.mayBeMerged(ctx, p, base.Hash); merged || err != nil {
		p.reread = true
		return err
	}
	p.view, p.replan, p.say = out, false, true
	p.record.Head, p.record.Base = m.head.Hash, base.Hash
	p.Plans = map[string]string{}
	if !out.unplanned() { // else those that it concerned last
		p.Envs = nil
	}
	for i := range out.Envs {
		e := &out.Envs[i]
		if !slices.Contains(p.Envs, e.Env) {
			p.Envs = append(p.Envs, e.Env)
		}
		if e.Plan != nil && e.Plan.Plan.Digest != "" {
			p.Plans[e.Env] = e.Plan.Plan.Digest
		}
	}
	p.forgetWords()
	if err := d.keep(ctx, p); err != nil {
		return err
	}
	d.overlaps(ctx)
	return nil
}

// mayBeMerged asks the forge anew where the base has moved since the last plan: it may
// be this very merge that moved it, and then the last plan is what it did, not this one.
func (d *Desk) mayBeMerged(ctx context.Context, p *pull, base string) (bool, error) {
	if p.record.Base == "" || p.record.Base == base {
		return false, nil
	}
	now, err := d.Forge.Pull(ctx, p.number)
	return now.State != forge.Open, err
}

// forgetWords drops approvals of plans that are not the environment's any more, but
// for the last few: a base that moves back makes the same plan again.
func (r *record) forgetWords() {
	const most = 100
	if n := len(r.Words) - most; n > 0 {
		r.Words = slices.Delete(r.Words, 0, n)
	}
}

// sign is what the forge writes before a pull's number.
func (d *Desk) sign() string {
	if d.Forge.Name() == forge.GitLab {
		return "!"
	}
	return "#"
}

// trees are what a preview is made from.
type trees struct {
	merged  merging
	base    fs.FS
	subject string
}

// look plans each environment that a merge concerns.
func (d *Desk) look(ctx context.Context, p *pull, out *made, t trees) error {
	switch {
	case len(t.merged.conflicts) > 0:
		for _, c := range t.merged.conflicts {
			out.Conflicts = append(out.Conflicts, view.Conflict{Path: c.Path, How: c.String()})
		}
		return d.mark(ctx, p, out, t.base)
	case t.merged.why != nil:
		out.Conflicts = []view.Conflict{{How: t.merged.why.Error()}}
		return d.mark(ctx, p, out, t.base)
	}
	tree := t.merged.tree
	if p.now.Fork {
		tree = governed(tree, t.base)
	}
	if err := d.mark(ctx, p, out, t.base); err != nil {
		return err
	}
	about, err := d.Daemon.Concerned(ctx, t.base, tree)
	if wrong := diag.List(nil); errors.As(err, &wrong) {
		out.wrong = wrong
		return nil
	}
	if err != nil {
		return err
	}
	out.Envs = make([]view.PreviewEnv, len(about.Envs))
	errs, wrongs := make([]error, len(about.Envs)), make([]diag.List, len(about.Envs))
	intents := make([]review.Intent, len(about.Envs))
	for _, env := range about.Envs {
		if out.standing[env], err = d.Daemon.Standing(ctx, env); err != nil {
			return err
		}
	}
	var wg sync.WaitGroup
	turns := make(chan struct{}, widest)
	for i, env := range about.Envs {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			ask := reconcile.Peek{
				Repo: d.Repo, Env: env, Tree: tree, Rules: t.base, Commit: t.merged.head.Hash, Subject: t.subject, By: p.now.Author,
				Apart: p.now.Fork, Waivers: p.waivers(env),
			}
			out.Envs[i], intents[i], wrongs[i], errs[i] = d.peek(ctx, ask)
			intents[i].Pull = p.number
		})
	}
	wg.Wait()
	for i, env := range about.Envs {
		if out.Envs[i].Pinned = d.elsewhere(p.number, env); p.holds(env) { // what the branch has would take it back
			out.Envs[i].Base, intents[i].Base = nil, nil
		}
		out.wrong = append(out.wrong, wrongs[i]...)
		if out.intents[env] = intents[i]; out.Envs[i].Plan == nil {
			delete(out.intents, env)
		}
	}
	return errors.Join(errs...)
}

// mark names the comment: the estate is the base's.
func (d *Desk) mark(ctx context.Context, p *pull, out *made, base fs.FS) error {
	estate, err := d.Daemon.Estate(ctx, base)
	if wrong := diag.List(nil); err != nil && !errors.As(err, &wrong) {
		return err
	}
	out.Mark = review.Mark{Kind: review.Preview, Estate: estate.ID, Pull: p.number}
	return nil
}

// peek plans one environment, on the merge and on the base branch.
func (d *Desk) peek(ctx context.Context, ask reconcile.Peek) (view.PreviewEnv, review.Intent, diag.List, error) {
	out, intent := view.PreviewEnv{Env: ask.Env}, review.Intent{Env: ask.Env}
	got, err := d.Daemon.Peek(ctx, ask)
	wrong := diag.List(nil)
	switch {
	case errors.As(err, &wrong):
		out.Why, out.Mend = "its spec has mistakes", "see them, and push again"
		return out, intent, wrong, nil
	case err != nil && ctx.Err() != nil:
		return out, intent, nil, err
	case err != nil:
		out.Why = err.Error()
		return out, intent, nil, nil //nolint:nilerr // it is told
	}
	out.Plan, out.Seen = got.Plan, got.Seen
	intent.Does = view.Touches(&got.Plan.Plan)
	if digest := got.Plan.Plan.Digest; digest != "" {
		body := got.Plan.Kept(view.Page{Detail: true})
		if err := d.Store.PutPlan(ctx, store.Plan{Env: ask.Env, Digest: digest, Shown: d.Now(), Body: body}); err != nil {
			return out, intent, nil, err
		}
	}
	ask.Tree, ask.Waivers = ask.Rules, nil
	was, err := d.Daemon.Peek(ctx, ask)
	if err != nil {
		return out, intent, nil, ctx.Err() // nobody knows what waits there
	}
	report := was.Plan.Report()
	intent.Base, out.Base = view.Touches(&was.Plan.Plan), report.Sums()
	return out, intent, nil, nil
}

// overlaps tells open pulls of each other.
func (d *Desk) overlaps(context.Context) {
	var all []review.Intent
	for _, p := range d.pulls {
		if p.State != forge.Open || p.view == nil {
			continue
		}
		for _, in := range p.view.intents {
			all = append(all, in)
		}
	}
	found := review.Overlaps(all)
	for n, p := range d.pulls {
		if p.State != forge.Open || p.view == nil {
			continue
		}
		was, _ := json.Marshal(p.view.Overlaps) //nolint:errchkjson // plain data
		is, _ := json.Marshal(found[n])         //nolint:errchkjson // plain data
		if string(was) != string(is) {
			p.view.Overlaps, p.say = found[n], true
		}
	}
}
