package preview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"isobar.dev/engine/git"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// runsLooked is how many runs of an environment are looked through for those of a
// merge.
const runsLooked = 20

// runs takes in what became of a merged pull in each environment.
func (d *Desk) runs(ctx context.Context, p *pull) error {
	if p.view == nil { // another process planned it
		p.view = d.recalled(p)
	}
	if err := d.free(ctx, p); err != nil {
		return err
	}
	p.view.Merged, p.view.Pins = p.Merged, nil
	p.view.Stale, p.view.Overlaps = view.Stale{}, nil
	for i := range p.view.Envs {
		e := &p.view.Envs[i]
		// What moves after this is seen to have moved, and told then.
		if _, known := p.view.standing[e.Env]; !known {
			is, err := d.Daemon.Standing(ctx, e.Env)
			if err != nil {
				return err
			}
			p.view.standing[e.Env], p.say = is, true
		}
		if err := d.ran(ctx, p, e); err != nil {
			return err
		}
	}
	return nil
}

// recalled is a merged pull as it is kept, without its plans.
func (d *Desk) recalled(p *pull) *made {
	out := &made{base: p.record.Base, standing: map[string]string{}}
	out.Preview = view.Preview{Sign: d.sign(), Head: p.record.Head, Base: p.record.Base}
	out.Mark.Kind, out.Mark.Pull = "preview", p.number
	for _, env := range p.Envs {
		out.Envs = append(out.Envs, view.PreviewEnv{Env: env})
	}
	return out
}

// ran takes in the last run of an environment that had the merge in it.
func (d *Desk) ran(ctx context.Context, p *pull, e *view.PreviewEnv) error {
	if p.Done[e.Env] && e.Run != nil {
		return nil
	}
	runs, err := d.Store.Runs(ctx, store.RunFilter{Env: e.Env, Limit: runsLooked})
	if err != nil {
		return err
	}
	row, err := d.Store.Environment(ctx, e.Env)
	if err != nil {
		return nil //nolint:nilerr // the daemon has not come to it yet
	}
	in, err := d.has(ctx, p, row.Commit)
	if err != nil || !in {
		return err
	}
	for i := range runs {
		r := &runs[i]
		if r.Started.Before(p.MergedAt.Add(-mergeLag)) {
			break
		}
		if in, err := d.has(ctx, p, r.Commit); err != nil {
			return err
		} else if !in {
			break // the merge left nothing to do, so far
		}
		whole, err := d.Store.Run(ctx, r.ID) // lists leave the report out
		if err != nil {
			return err
		}
		if read, err := d.report(ctx, p, e, &whole); read || err != nil {
			if err != nil {
				return err
			}
			break
		}
	}
	if row.State == "in sync" || e.Run != nil && (e.Run.State == view.Applied || e.Run.State == view.InSync) && row.State != "applying" {
		if e.Run == nil {
			e.Run = &view.Run{Env: e.Env, Commit: row.Commit, State: view.InSync, Drift: -1}
		}
		p.Done[e.Env], p.say = true, true
		return d.keep(ctx, p)
	}
	return nil
}

// report takes in what a run reported; read is false where that can't be read.
func (d *Desk) report(ctx context.Context, p *pull, e *view.PreviewEnv, r *store.Run) (read bool, err error) {
	var j view.RunJSON
	if json.Unmarshal(r.Report, &j) != nil {
		return false, nil //nolint:nilerr // of another version: an older run may be told
	}
	if e.Run, err = j.Run(); err != nil {
		return false, err
	}
	return true, d.compare(ctx, p, e, r)
}

// compare says how a plan that waits differs from the one that was approved.
func (d *Desk) compare(ctx context.Context, p *pull, e *view.PreviewEnv, r *store.Run) error {
	a := p.Agreed[e.Env]
	if e.Approved, e.Differs = "", nil; a.Digest == "" || r.State != store.Waiting || r.Digest == a.Digest {
		return nil
	}
	kept, err := d.Store.PlansOf(ctx, e.Env, a.Digest)
	if err != nil {
		return err
	}
	var then, now view.PlanJSON
	if len(kept) == 0 {
		return nil
	}
	if err := errors.Join(json.Unmarshal(kept[0].Body, &then), json.Unmarshal(r.Plan, &now)); err != nil {
		return fmt.Errorf("a kept plan of %s can't be read: %w", e.Env, err)
	}
	e.Approved, e.Differs = a.Digest, now.Differs(&then)
	return nil
}

// mergeLag is how long before we hear of a merge the daemon may have begun on it.
const mergeLag = 15 * time.Minute

// has reports whether a commit has the merge in its history.
func (d *Desk) has(ctx context.Context, p *pull, commit string) (bool, error) {
	if p.Merged == "" || commit == "" {
		return false, nil
	}
	in, err := d.git.Contains(ctx, p.Merged, commit)
	if git.KindOf(err) == git.NoRevision {
		return false, nil // it is fetched soon
	}
	return in, err
}
