package reconcile

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"isobar.dev/engine/cycle"
	"isobar.dev/engine/diag"
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
func (d *Daemon) follow(ctx context.Context, r Repo) {
	tick := time.NewTicker(d.Poll)
	defer tick.Stop()
	hints := r.Hints
	for first := true; ; first = false {
		err := d.pull(ctx, r, first)
		d.Meter.Fetched(r.Name, err)
		if d.note(r.Name, err) {
			d.Log.InfoContext(ctx, "repository can be read again", "repo", r.Name)
		}
		if err != nil && ctx.Err() == nil {
			d.Log.WarnContext(ctx, "repository could not be read; the last commit stays in force", "repo", r.Name, "error", err, "mend", mendOf(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case _, ok := <-hints:
			if !ok {
				hints = nil
			}
		}
	}
}

// note keeps what is wrong with a repository, and reports whether it was and is
// no more.
func (d *Daemon) note(repo string, err error) (mended bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, was := d.trouble[repo]
	if err != nil {
		d.trouble[repo] = err.Error()
		return false
	}
	delete(d.trouble, repo)
	return was
}

// Trouble says which repositories can't be read now, and why.
func (d *Daemon) Trouble() map[string]string {
	d.ready()
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.trouble)
}

// pull fetches and, where the head moved (or is seen for the first time), finds
// out which environments it concerns. A fetch that fails at the start still
// works with what the mirror holds.
func (d *Daemon) pull(ctx context.Context, r Repo, first bool) error {
	_, ferr := r.Source.Fetch(ctx)
	commit, err := r.Source.Head(ctx)
	if err != nil {
		if ferr != nil {
			return ferr
		}
		return err
	}
	d.mu.Lock()
	known := d.heads[r.Name]
	d.mu.Unlock()
	if known != nil && known.commit.Hash == commit.Hash {
		return ferr
	}
	tree, err := r.Source.Tree(commit.Hash)
	if err != nil {
		return err
	}
	h := &head{commit: commit, tree: tree}
	if err := d.affected(ctx, r, h, first || known == nil); err != nil {
		return err
	}
	d.mu.Lock()
	d.heads[r.Name] = h
	d.mu.Unlock()
	return ferr
}

// affected wakes the environments whose inputs a head changed, and those whose
// spec it no longer has. An estate that can't be read concerns all of them.
func (d *Daemon) affected(ctx context.Context, r Repo, h *head, first bool) error {
	rows, err := d.Store.Environments(ctx)
	if err != nil {
		return err
	}
	known := map[string]store.Environment{}
	for _, row := range rows {
		if row.Repo == r.Name {
			known[row.Name] = row
		}
	}
	estate, eerr := d.Runner.Specs.Estate(ctx, h.tree)
	names := estate.Environments
	if eerr != nil {
		d.Log.WarnContext(ctx, "isobar.cue could not be read", "repo", r.Name, "commit", h.commit.Short, "error", eerr)
		names = nil
	}
	h.channel = cmp.Or(estate.Notify.SlackChannel, d.Channel)
	d.mu.Lock()
	d.heads[r.Name] = h // runs that start now see it
	for _, name := range names {
		d.envs[name] = r.Name
	}
	d.mu.Unlock()
	for _, name := range names {
		digest, derr := d.Runner.Specs.Digest(ctx, h.tree, name)
		row, seen := known[name]
		delete(known, name)
		switch {
		case derr != nil || !seen || row.Digest != digest || digest == "":
			d.queue.add(name, cycle.Pushed{Commit: h.commit.Hash})
		case first:
			d.queue.add(name, cycle.Restarted{})
		}
	}
	for name, row := range known { // no longer in the spec, or the estate is unreadable
		if row.Resources > 0 || eerr != nil || !slices.Contains(names, name) && row.Digest != "" {
			d.queue.add(name, cycle.Pushed{Commit: h.commit.Hash})
		}
	}
	return nil
}
