package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"isobar.dev/engine/git"
)

// Pin says that an environment is kept as a pull request would make it, which is
// not merged yet.
type Pin struct {
	Where  string    // the pull request: "#12"
	By     string    // who applied it
	Since  time.Time //
	Commit git.Commit
	Tree   fs.FS // what its merge gives; nil where that can't be had now
	Why    error // why not
}

// String says what holds the environment, for people.
func (p *Pin) String() string {
	return fmt.Sprintf("pinned to %s since %s, as %s applied it before its merge", p.Where, p.Since.UTC().Format(time.RFC3339), p.By)
}

// pinned gives what an environment is brought to in place of a head: what a pull
// request that was applied before its merge gives. The rules that judge it stay the
// head's.
func (d *Daemon) pinned(ctx context.Context, env string, h *head, r Repo) (*head, error) {
	if r.Reviews == nil {
		return h, nil
	}
	pin, err := r.Reviews.Pinned(ctx, env, h.commit.Hash)
	if err != nil || pin == nil {
		return h, err
	}
	out := *h
	out.commit, out.tree, out.rules, out.pin = pin.Commit, pin.Tree, h.tree, pin
	return &out, nil
}

// lacking gives why a pinned head's tree can't be had, or nil.
func (h *head) lacking() error {
	if h.pin == nil || h.tree != nil {
		return nil
	}
	return fmt.Errorf("it is %s, and what that gives can't be read now: %w: push its commit again, or end the pin: isobar unpin in a comment there", h.pin, h.pin.Why)
}

// Pins says of each environment that a pull request holds what holds it.
func (d *Daemon) Pins(ctx context.Context) (map[string]string, error) {
	d.ready()
	d.mu.Lock()
	var all []Reviews
	for _, r := range d.repos {
		if r.Reviews != nil {
			all = append(all, r.Reviews)
		}
	}
	d.mu.Unlock()
	out := map[string]string{}
	var errs []error
	for _, rv := range all {
		pins, err := rv.Pins(ctx)
		for env := range pins {
			pin := pins[env]
			out[env] = pin.String()
		}
		errs = append(errs, err)
	}
	return out, errors.Join(errs...)
}
