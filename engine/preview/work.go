package preview

import (
	"context"
	"errors"
	"slices"
	"time"

	"isobar.dev/engine/forge"
	"isobar.dev/engine/git"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/review"
)

// work does for one pull what is to be done now: it is read anew, its commands are
// obeyed, it is planned, and what there is to say is said.
func (d *Desk) work(ctx context.Context, p *pull) error {
	if p.reread || p.now.Number == 0 {
		gone, err := d.read(ctx, p)
		if err != nil || gone {
			return err
		}
	}
	switch p.State {
	case forge.Closed:
		return d.closed(ctx, p)
	case forge.Open:
		if p.replan || p.view == nil {
			if err := d.plan(ctx, p); err != nil {
				return err
			}
		}
	case forge.Merged:
		if err := d.merged(ctx, p); err != nil {
			return err
		}
	}
	if err := d.listen(ctx, p); err != nil {
		return err
	}
	if p.State == forge.Open && p.view != nil {
		if err := d.hold(ctx, p); err != nil {
			return err
		}
	}
	if err := d.express(ctx, p); err != nil {
		return err
	}
	if p.State == forge.Merged && !p.say && (!p.open() || d.Now().Sub(p.MergedAt) > watched && len(p.Pins) == 0) {
		return d.close(ctx, p)
	}
	return nil
}

// watched is how long a merge is followed that does not come true, but for what was
// applied before it, which is never let go of unasked.
const watched = 7 * 24 * time.Hour

// read takes in what a pull is now; gone says that it is none of ours.
func (d *Desk) read(ctx context.Context, p *pull) (gone bool, err error) {
	if p.State == "" {
		kept, err := d.records(ctx) // it may come back
		if err != nil {
			return false, err
		}
		p.record = kept[p.number]
	}
	now, err := d.Forge.Pull(ctx, p.number)
	if f := (*resource.Failure)(nil); errors.As(err, &f) && f.Class == resource.NotFound {
		// Forges say so as well of all that the token may not see just now.
		if all, lerr := d.Forge.Pulls(ctx); lerr != nil || slices.ContainsFunc(all, func(o forge.Pull) bool { return o.Number == p.number }) {
			return false, errors.Join(err, lerr)
		}
		return true, d.leave(ctx, p)
	}
	if err != nil {
		return false, err
	}
	branch := d.git.Branch()
	if branch == "" { // whether it is ours can't be told
		return false, errNotFetched
	}
	if now.BaseRef != branch || now.Fork && !d.Forks {
		p.now = now
		return true, d.leave(ctx, p)
	}
	if p.State != now.State || p.record.Head != now.Head {
		p.say = true
	}
	if now.State == forge.Open && p.record.Head != now.Head {
		p.replan = true
		if p.view != nil {
			p.view.Stale.Head = now.Head
		}
	}
	p.now, p.Title, p.Updated, p.reread = now, now.Title, now.Updated, false
	if p.State == forge.Merged && now.State != forge.Merged {
		return false, nil // forges do not take a merge back
	}
	p.State = now.State
	return false, nil
}

// leave sees a pull off that is none of ours any more: it goes to another branch, or
// comes from a fork and those are left alone by now.
func (d *Desk) leave(ctx context.Context, p *pull) error {
	if p.State == "" || p.State == forge.Merged { // it never was, or all is done
		delete(d.pulls, p.number)
		return nil
	}
	p.State = forge.Closed
	return d.closed(ctx, p)
}

// close lets go of a pull of which nothing is to be told any more.
func (d *Desk) close(ctx context.Context, p *pull) error {
	p.reread, p.replan, p.say = false, false, false
	if p.State == forge.Closed {
		p.Words, p.Waivers = nil, nil // nothing of it came true
	}
	if err := d.keep(ctx, p); err != nil {
		return err
	}
	if p.now.HeadFetch != "" {
		refs := []string{p.now.HeadFetch}
		if p.now.MergeFetch != "" {
			refs = append(refs, p.now.MergeFetch)
		}
		if err := d.git.DropRefs(ctx, refs); err != nil {
			return err
		}
	}
	delete(d.pulls, p.number)
	d.overlaps(ctx)
	return nil
}

// merge gives the commit whose tree is what the merge of a pull gives, or what keeps
// it from being merged.
func (d *Desk) merge(ctx context.Context, p *pull, base git.Commit) (merging, error) {
	refs := []string{p.now.HeadFetch}
	if p.now.MergeFetch != "" {
		refs = append(refs, p.now.MergeFetch)
	}
	got, err := d.git.FetchRefs(ctx, refs)
	head, ok := got[p.now.HeadFetch]
	if !ok || err != nil && git.KindOf(err) != git.NoRevision {
		return merging{}, err
	}
	if head.Hash != p.now.Head { // it was pushed to since it was read
		p.reread = true
		return merging{}, errMoved
	}
	if trial, ok := got[p.now.MergeFetch]; ok && d.fits(ctx, trial.Hash, base.Hash, head.Hash) {
		tree, err := d.git.Tree(trial.Hash)
		return merging{head: head, tree: tree}, err
	}
	m, err := d.git.Merge(ctx, base.Hash, head.Hash)
	switch {
	case git.KindOf(err) == git.Unrelated, git.KindOf(err) == git.TooLarge:
		return merging{head: head, why: err}, nil
	case err != nil:
		return merging{}, err
	}
	return merging{head: head, tree: m.Files, conflicts: m.Conflicts}, nil
}

// fits reports whether the forge's trial merge is that of these two commits.
func (d *Desk) fits(ctx context.Context, trial, base, head string) bool {
	first, err := d.git.Resolve(ctx, trial+"^1")
	if err != nil || first.Hash != base {
		return false
	}
	second, err := d.git.Resolve(ctx, trial+"^2")
	return err == nil && second.Hash == head
}

var errMoved = errors.New("the head has moved")

// merged takes in that a pull was merged: what was approved by then holds, whatever
// is approved of it later on.
func (d *Desk) merged(ctx context.Context, p *pull) error {
	p.replan = false
	if p.MergedAt.IsZero() {
		p.Merged, p.MergedAt, p.Done = p.now.MergeCommit, d.Now(), map[string]bool{}
		if err := d.keep(ctx, p); err != nil {
			return err
		}
		d.overlaps(ctx)
	}
	return d.runs(ctx, p)
}

// lastWord is when the last approval of a plan was given.
func (r *record) lastWord(env, digest string) time.Time {
	var out time.Time
	for _, w := range r.Words {
		if w.Env == env && w.Digest == digest && w.At.After(out) {
			out = w.At
		}
	}
	return out
}

// access gives the rules of the base branch.
func (d *Desk) access(ctx context.Context) (review.Access, error) {
	head, err := d.git.Head(ctx)
	if err != nil {
		return nil, err
	}
	return d.accessAt(ctx, d.git, head.Hash)
}

// accessAt gives the rules of a commit.
func (d *Desk) accessAt(ctx context.Context, g Git, commit string) (review.Access, error) {
	tree, err := g.Tree(commit)
	if err != nil {
		return nil, err
	}
	estate, err := d.Daemon.Estate(ctx, tree)
	return estate.Access, err
}

// tally counts a plan's approvals.
func (d *Desk) tally(ctx context.Context, p *pull, access review.Access, env, digest string) (review.Tally, error) {
	given, err := d.crowd.approvals(ctx, &p.record, access.Teams(env), word{Env: env, Digest: digest})
	if err != nil {
		return review.Tally{}, err
	}
	return access.Tally(env, digest, p.asked(), given), nil
}

// asked is a pull as access goes.
func (p *pull) asked() review.Pull {
	return review.Pull{Author: p.now.Author, Authors: slices.Clone(p.Authors), Fork: p.now.Fork}
}
