package reconcile

import (
	"context"
	"errors"
	"fmt"

	"isobar.dev/engine/store"
)

// errNotYet says that this process can't work on an environment for now, and
// another may: it does not have the commit that was seen last.
var errNotYet = errors.New("not at the newest commit yet")

// see brings the head that a fetch just gave to the other processes on the
// store: a look that began before theirs ended says nothing.
func (d *Daemon) see(ctx context.Context, repo, commit string, began int64) error {
	seen, _, err := d.Store.Head(ctx, repo)
	if err != nil || seen == commit {
		return err
	}
	return d.Store.PutHead(ctx, repo, commit, began)
}

// current gives the head of an environment's repository once it is the one that
// was seen last by any process on the store: it fetches where it is not. Else
// what one process applied another would take back. Where a pull request holds the
// environment, it gives what that makes of the branch.
func (d *Daemon) current(ctx context.Context, row store.Environment) (*head, Repo, error) {
	for try := 0; ; try++ {
		h, r := d.snapshot(row)
		if h == nil {
			return nil, r, nil
		}
		seen, _, err := d.Store.Head(ctx, r.Name)
		if err != nil {
			return h, r, err
		}
		if seen == "" || seen == h.commit.Hash {
			h, err = d.pinned(ctx, row.Name, h, r)
			return h, r, err
		}
		if try == 2 {
			return nil, r, fmt.Errorf("%w: another process saw %s of %s, this one has %s", errNotYet, short(seen), r.Name, short(h.commit.Hash))
		}
		if err := d.poke(ctx, r.Name); err != nil {
			return nil, r, err
		}
	}
}

// poke makes the follower of a repository fetch now, and waits for it. It fails
// where none follows it any more.
func (d *Daemon) poke(ctx context.Context, repo string) error {
	d.mu.Lock()
	f := d.followers[repo]
	d.mu.Unlock()
	if f == nil {
		return fmt.Errorf("%w: %s is not followed", errNotYet, repo)
	}
	done := make(chan struct{})
	select {
	case f.pokes <- done:
	case <-f.ended:
		return fmt.Errorf("%w: %s is followed anew", errNotYet, repo)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-f.ended:
		return fmt.Errorf("%w: %s is followed anew", errNotYet, repo)
	case <-ctx.Done():
		return ctx.Err()
	}
}
