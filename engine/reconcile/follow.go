package reconcile

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"isobar.dev/engine/cycle"
	"isobar.dev/engine/diag"
	"isobar.dev/engine/git"
	"isobar.dev/engine/store"
)

// mendOf gives what an adapter says would mend an error, or "".
func mendOf(err error) string {
	var told interface{ Finding() diag.Finding }
	if errors.As(err, &told) {
		return told.Finding().Mend
	}
	return ""
}

// follow fetches a repository at each poll and hint and wakes the environments
// that a new head concerns.
func (d *Daemon) follow(ctx context.Context, f *follower) {
	r := f.repo
	tick := time.NewTicker(cmp.Or(r.Poll, d.Poll))
	defer tick.Stop()
	hints := r.Hints
	var beside sync.WaitGroup
	defer beside.Wait()
	var waiting []chan struct{}
	reviewing := false
	for first := true; ; first = false {
		began := d.asking()
		var err error
		if r.Source == nil {
			r.Source, hints, err = r.Open(ctx)
		}
		if err == nil && r.Reviews != nil && !reviewing {
			reviewing = true
			beside.Go(func() { r.Reviews.Follow(ctx, r.Source) })
		}
		if err == nil {
			err = d.pull(ctx, r, first)
		}
		if ctx.Err() != nil {
			return
		}
		d.reached(ctx, began, err)
		hitched := hitchOf(err).class != nil // our own store: nothing is wrong with the repository
		if hitched {
			err = nil
		}
		d.Meter.Fetched(r.Name, err)
		switch news := d.note(r.Name, err); {
		case news && err == nil:
			d.Log.InfoContext(ctx, "repository is followed again", "repo", r.Name)
		case news && git.KindOf(err) == git.Unsigned:
			d.Log.WarnContext(ctx, "the head of a repository's branch is not taken; the last commit stays in force, and this is told once", "repo", r.Name, "error", err, "mend", mendOf(err))
		case news:
			d.Log.WarnContext(ctx, "repository could not be read; the last commit stays in force, it is tried again at each poll, and this is told once", "repo", r.Name, "error", err, "mend", mendOf(err))
		}
		if !hitched {
			d.lament(ctx, r, err)
		}
		for _, done := range waiting {
			close(done)
		}
		waiting = nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case done := <-f.pokes:
			waiting = append(waiting, done)
		case _, ok := <-hints:
			if !ok {
				hints = nil
			}
		}
	}
}

// note keeps what is wrong with a repository, and reports whether that is news:
// not what was wrong at the last poll, or nothing any more.
func (d *Daemon) note(repo string, err error) (news bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	was, wrong := d.trouble[repo]
	if err == nil {
		delete(d.trouble, repo)
		return wrong
	}
	now := trouble{text: err.Error(), kind: git.KindOf(err), since: d.Runner.Now()}
	if wrong {
		now.since = was.since
	}
	d.trouble[repo] = now
	// How a server can't be reached is worded in another way each time, and so is
	// which file of a mirror its disk has no room for.
	return !wrong || was.kind != git.KindOf(err) || was.text != err.Error() && was.kind != git.Unreachable && was.kind != git.Full
}

// pull fetches and, where the head moved (or is seen for the first time), finds
// out which environments it concerns. A fetch that fails at the start still
// works with what the mirror holds.
func (d *Daemon) pull(ctx context.Context, r Repo, first bool) error {
	_, began, err := d.Store.Head(ctx, r.Name)
	if err != nil {
		return err
	}
	_, ferr := r.Source.Fetch(ctx)
	commit, err := r.Source.Head(ctx)
	if err != nil {
		if ferr != nil {
			return ferr
		}
		return err
	}
	if ferr == nil {
		if err := d.see(ctx, r.Name, commit.Hash, began); err != nil {
			return err // ErrConflict: the next poll looks again
		}
	}
	d.mu.Lock()
	known := d.heads[r.Name]
	d.mu.Unlock()
	if known != nil && known.commit.Hash == commit.Hash {
		return errors.Join(ferr, d.again(ctx))
	}
	tree, err := r.Source.Tree(commit.Hash)
	if err != nil {
		return err
	}
	if commit.Forced != "" {
		d.Log.WarnContext(ctx, "the branch was forced: what it held before is not in its history; the new commit counts",
			"repo", r.Name, "commit", commit.Short, "before", short(commit.Forced))
	}
	h := &head{commit: commit, tree: tree}
	if err := d.affected(ctx, r, h, first || known == nil); err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.heads[r.Name] = known; known == nil {
			delete(d.heads, r.Name)
		}
		return err // the next poll does it again
	}
	return ferr
}

// again looks whether what is refused still must be: the environment of the
// repository that had it first may be gone.
func (d *Daemon) again(ctx context.Context) error {
	d.mu.Lock()
	none := len(d.refused) == 0
	d.mu.Unlock()
	if none {
		return nil
	}
	gained, err := d.assign(ctx)
	return errors.Join(err, d.wake(ctx, gained, ""))
}

// affected wakes the environments whose inputs a head changed, and those whose
// spec it no longer has. An estate that can't be read concerns all of them.
func (d *Daemon) affected(ctx context.Context, r Repo, h *head, first bool) error {
	estate, eerr := d.Runner.Specs.Estate(ctx, h.tree)
	h.names = estate.Environments
	if eerr != nil {
		d.Log.WarnContext(ctx, "isobar.cue could not be read", "repo", r.Name, "commit", h.commit.Short, "error", eerr)
		h.names, h.unreadable = nil, true
	}
	h.channel = cmp.Or(estate.Notify.SlackChannel, r.Channel, d.Channel)
	if first && h.channel == "" && d.Chat != nil {
		d.Log.WarnContext(ctx, "nobody is told of a repository's runs in chat: it has no channel", "repo", r.Name,
			"mend", "name one in its isobar.cue (notifications: slack: channel) or for the server")
	}
	d.mu.Lock()
	d.heads[r.Name] = h // runs that start now see it
	d.mu.Unlock()
	gained, err := d.assign(ctx)
	if err != nil {
		return err
	}
	if err := d.wake(ctx, gained, r.Name); err != nil {
		return err
	}
	known, err := d.held(ctx, r)
	if err != nil {
		return err
	}
	for _, name := range h.names {
		row, mine := known[name]
		if !mine {
			continue // refused
		}
		delete(known, name)
		digest, derr := d.Runner.Specs.Digest(ctx, h.tree, name)
		switch {
		case derr != nil || row.Digest != digest || digest == "" || slices.Contains(gained[r.Name], name):
			err = d.queue.add(ctx, name, cycle.Pushed{Commit: h.commit.Hash})
		case first:
			err = d.queue.add(ctx, name, cycle.Ticked{Trigger: cycle.Start})
		}
		if err != nil {
			return err
		}
	}
	for name, row := range known { // no longer in the spec, or the estate is unreadable
		switch {
		case row.Resources > 0 || eerr != nil || row.Digest != "":
			err = d.queue.add(ctx, name, cycle.Pushed{Commit: h.commit.Hash})
		case first: // a create that was given up may have landed since
			err = d.queue.add(ctx, name, cycle.Ticked{Trigger: cycle.Start})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// held gives the rows of the environments that belong to a repository.
func (d *Daemon) held(ctx context.Context, r Repo) (map[string]store.Environment, error) {
	rows, err := d.Store.Environments(ctx)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]store.Environment{}
	for _, row := range rows {
		if own, ok := d.holder(row.Name); ok && own.Name == r.Name && own.mayHold(row.Name) {
			out[row.Name] = row
		}
	}
	return out, nil
}
