package preview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"isobar.dev/engine/forge"
	"isobar.dev/engine/git"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// early has the plan of an open pull applied to an environment before the merge, or
// says why not.
func (h *hearing) early(ctx context.Context, env string) (no string, err error) {
	d, p := h.d, h.p
	if in, ok := p.Pins[env]; ok && in.Of == h.c.ID { // by a process that did not live to note it
		return h.asked(d.Daemon.Look(ctx, env))
	}
	if !d.Early {
		return "isobar applies to " + env + " what is merged: merge this pull request", nil
	}
	if no, err := h.fresh(ctx, env); no != "" || err != nil {
		return no, err
	}
	e := p.planOf(env)
	if no := h.ready(e, env); no != "" {
		return no, nil
	}
	digest := e.Plan.Plan.Digest
	access, err := d.access(ctx)
	if err != nil {
		return "", err
	}
	tally, err := d.tally(ctx, p, access, env, digest)
	if err != nil {
		return "", err
	}
	if !tally.Done() {
		return fmt.Sprintf("plan %s of %s has %d of %d approvals: isobar approve %s gives one", view.PlanID(digest), env, tally.Have, tally.Need, view.PlanID(digest)), nil
	}
	row, err := d.Store.Environment(ctx, env)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return env + " is not on the base branch yet: an environment begins with a merge", nil
	case err != nil:
		return "", err
	case row.State == "applying":
		return "a run is under way in " + env + ": say it again once that has ended", nil
	}
	m, err := d.git.Merge(ctx, p.view.base, p.view.Head)
	if err != nil || len(m.Conflicts) > 0 {
		return "isobar can't merge this itself, as it would have to: merge the base branch into it, and push", ignored(err)
	}
	if p.Pins == nil {
		p.Pins = map[string]pin{}
	}
	p.Pins[env] = pin{Head: p.view.Head, Base: p.view.base, Fetch: p.now.HeadFetch, Digest: digest, By: h.c.Author, At: d.Now(), Of: h.c.ID}
	p.Agreed = with(p.Agreed, env, agreed{Digest: digest, By: tally.By, At: p.lastWord(env, digest)})
	if err := d.keep(ctx, p); err != nil {
		return "", err
	}
	return h.asked(d.Daemon.Look(ctx, env))
}

// ignored keeps an error of Git's that says that two commits can't be merged from
// being tried for ever.
func ignored(err error) error {
	if k := git.KindOf(err); k == git.Unrelated || k == git.TooLarge {
		return nil
	}
	return err
}

// with sets an entry of a map that may be nil.
func with[V any](m map[string]V, key string, v V) map[string]V {
	if m == nil {
		m = map[string]V{}
	}
	m[key] = v
	return m
}

// unmergeable is why what conflicts with the base branch is not applied.
const unmergeable = "this pull request can't be merged as it is: merge the base branch into it, and push"

// planOf gives an environment's part of the preview, nil for none.
func (p *pull) planOf(env string) *view.PreviewEnv {
	for i := range p.view.Envs {
		if p.view.Envs[i].Env == env {
			return &p.view.Envs[i]
		}
	}
	return nil
}

// fresh asks forge, repository and world whether the preview is of what they are now.
func (h *hearing) fresh(ctx context.Context, env string) (no string, err error) {
	d, p := h.d, h.p
	now, err := d.Forge.Pull(ctx, p.number)
	if err != nil {
		return "", err
	}
	if err := d.Daemon.Poke(ctx, d.Repo); err != nil {
		return "", err
	}
	base, err := d.git.Head(ctx)
	if err != nil {
		return "", err
	}
	is, err := d.Daemon.Standing(ctx, env)
	if err != nil {
		return "", err
	}
	stale := ""
	switch {
	case now.State != forge.Open:
		p.reread = true
		return "this pull request is not open any more", nil
	case now.Fork:
		return "a change from a fork is never applied before it is merged: merge it first", nil
	case now.Draft:
		return "this pull request is a draft: mark it as ready first", nil
	case now.Mergeable == forge.No || len(p.view.Conflicts) > 0:
		return unmergeable, nil
	case now.Head != p.view.Head:
		stale, p.reread = "the head has moved", true
	case base.Hash != p.view.base:
		stale = "the base branch has moved"
	case is != p.view.standing[env] || p.replan || p.view.Stale.Is():
		stale = "something has changed in " + env
	default:
		return "", nil
	}
	p.replan = true
	return stale + " since this was planned: look at the new plan, and say it again", nil
}

// ready says why an environment's plan can't be applied, "" where it can.
func (h *hearing) ready(e *view.PreviewEnv, env string) (no string) {
	switch {
	case e == nil:
		return "this pull request changes nothing in " + env
	case e.Plan == nil:
		return env + " could not be planned: " + e.Why
	case e.Plan.Denied():
		return "policy denies the plan of " + env
	case e.Plan.Mode == "observe":
		return "nothing is applied in " + env + ", which is in mode observe"
	}
	if n := h.d.elsewhere(h.p.number, env); n > 0 {
		return env + " is pinned to " + h.d.sign() + strconv.Itoa(n) + ", which " + h.d.pulls[n].Pins[env].By + " applied before its merge: merge or close that, or write isobar unpin there"
	}
	if e.Plan.Plan.Digest == "" {
		return "there is nothing to apply to " + env
	}
	return ""
}

// unpin gives up what was applied to an environment before the merge.
func (h *hearing) unpin(ctx context.Context, env string) (no string, err error) {
	if !h.p.holds(env) {
		return env + " is not pinned to this pull request", nil
	}
	h.p.endPin(env, h.c.Author, h.d.Now())
	if err := h.d.keep(ctx, h.p); err != nil {
		return "", err
	}
	return h.asked(h.d.Daemon.Look(ctx, env))
}

func (r *record) endPin(env, by string, at time.Time) {
	p := r.Pins[env]
	p.Ended, p.EndedBy = at, by
	r.Pins[env] = p
}

// closed ends the pins of a pull that was closed, and lets go of it once its
// environments are as the branch has them again.
func (d *Desk) closed(ctx context.Context, p *pull) error {
	if err := d.giveUp(ctx, p, "the end of "+d.sign()+strconv.Itoa(p.number)); err != nil {
		return err
	}
	if err := d.back(ctx, p); err != nil || len(p.Pins) > 0 {
		p.reread, p.replan, p.say = false, false, false
		return err
	}
	return d.close(ctx, p)
}

// giveUp ends the pins of a pull that nobody ended: what it did goes back to the
// branch, by plans that people approve.
func (d *Desk) giveUp(ctx context.Context, p *pull, by string) error {
	for _, env := range slices.Sorted(maps.Keys(p.Pins)) {
		if !p.Pins[env].Ended.IsZero() {
			continue
		}
		p.endPin(env, by, d.Now())
		body, err := json.Marshal(map[string]any{"repo": d.Repo, "pull": p.number, "by": by})
		if err != nil {
			return err
		}
		if err := d.Store.Audit(ctx, store.AuditEntry{At: d.Now(), Kind: "pin.ended", Env: env, Actor: "isobar", Body: body}); err != nil {
			return err
		}
		if err := d.keep(ctx, p); err != nil {
			return err
		}
		if err := d.Daemon.Look(ctx, env); err != nil {
			return err
		}
	}
	return nil
}

// back forgets the pins that were given up and whose environments are as the branch
// has them.
func (d *Desk) back(ctx context.Context, p *pull) error {
	changed := false
	for env, pin := range p.Pins {
		if pin.Ended.IsZero() {
			continue
		}
		row, err := d.Store.Environment(ctx, env)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err != nil || row.State == "in sync" && row.CheckedAt.After(pin.Ended) && row.Commit != pin.Head {
			delete(p.Pins, env)
			changed = true
		}
	}
	if !changed {
		return nil
	}
	p.say = true
	return d.keep(ctx, p)
}

// hold brings what the preview tells of pins up to date, with the runs under them.
func (d *Desk) hold(ctx context.Context, p *pull) error {
	if err := d.back(ctx, p); err != nil {
		return err
	}
	p.view.Pins = nil
	for _, env := range slices.Sorted(maps.Keys(p.Pins)) {
		in := p.Pins[env]
		out := view.Pin{Env: env, By: in.By, Since: in.At, Head: in.Head, EndedBy: in.EndedBy}
		e := p.planOf(env)
		if e == nil {
			e = &view.PreviewEnv{Env: env}
		}
		run, err := d.under(ctx, env, in)
		if err != nil {
			return err
		}
		if run != nil && in.Ended.IsZero() {
			if _, err := d.report(ctx, p, e, run); err != nil {
				return err
			}
			out.Run, out.Approved, out.Differs = e.Run, e.Approved, e.Differs
			e.Run, e.Approved, e.Differs = nil, "", nil
		}
		if in.Ended.IsZero() && !in.Applied {
			if err := d.done(ctx, p, env, run); err != nil {
				return err
			}
		}
		if out.Run == nil && p.Pins[env].Applied { // there was nothing to do any more
			out.Run = &view.Run{Env: env, Commit: in.Head, State: view.InSync, Drift: -1}
		}
		p.view.Pins = append(p.view.Pins, out)
	}
	return nil
}

// done notes that the plan of a pin was carried out: what was agreed to is used up.
func (d *Desk) done(ctx context.Context, p *pull, env string, run *store.Run) error {
	in := p.Pins[env]
	row, err := d.Store.Environment(ctx, env)
	if err != nil {
		return err
	}
	still := row.State == "in sync" && row.Commit == in.Head && row.CheckedAt.After(in.At)
	if !still && (run == nil || run.State != store.Applied) {
		return nil
	}
	in.Applied = true
	p.Pins[env] = in
	delete(p.Agreed, env)
	return d.keep(ctx, p)
}

// free has the environments of a merged pull follow the branch again, once that has
// the merge, and forgets the pins of those that do.
func (d *Desk) free(ctx context.Context, p *pull) error {
	if len(p.Pins) == 0 {
		return nil
	}
	head, err := d.git.Head(ctx)
	if err != nil {
		return err
	}
	on, err := d.has(ctx, p, head.Hash)
	if err != nil || !on && p.Merged != "" {
		return err
	}
	for _, env := range p.held() {
		in := p.Pins[env]
		if !in.Freed {
			if err := errors.Join(d.Daemon.Poke(ctx, d.Repo), d.Daemon.Look(ctx, env)); err != nil {
				return err
			}
			in.Freed, p.say = true, true
			p.Pins[env] = in
			if err := d.keep(ctx, p); err != nil {
				return err
			}
		}
		row, err := d.Store.Environment(ctx, env)
		if err != nil {
			return err
		}
		if follows, err := d.has(ctx, p, row.Commit); err != nil || !follows && p.Merged != "" {
			return err
		}
		delete(p.Pins, env)
		if err := d.keep(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// under gives the last run that an environment had under a pin.
func (d *Desk) under(ctx context.Context, env string, in pin) (*store.Run, error) {
	runs, err := d.Store.Runs(ctx, store.RunFilter{Env: env, Limit: runsLooked})
	if err != nil {
		return nil, err
	}
	for i := range runs {
		if r := &runs[i]; r.Commit == in.Head && !r.Started.Before(in.At.Add(-clockSkew)) {
			whole, err := d.Store.Run(ctx, r.ID)
			return &whole, err
		}
	}
	return nil, nil //nolint:nilnil // none
}

// clockSkew is by how much the clocks of two daemons may differ.
const clockSkew = 2 * time.Second

// elsewhere gives the pull that holds an environment, 0 where none but this one does.
func (d *Desk) elsewhere(number int, env string) int {
	for n, o := range d.pulls {
		if n != number && o.holds(env) {
			return n
		}
	}
	return 0
}
