package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"isobar.dev/engine/cycle"
	"isobar.dev/engine/store"
)

// ErrNotUnderWay says that there is nothing to cancel under the name that a person
// gave.
var ErrNotUnderWay = errors.New("there is nothing to cancel")

// Cancel stops a run at its next call's end, or turns its plan away where that
// waits; what names it by its id or the beginning of it, or by its environment.
// It returns the run as it was, and the cancel: that of the first who asked. The
// process that works on the run sees it within a third of its lease's time.
func (d *Daemon) Cancel(ctx context.Context, what, by string) (store.Run, store.Approval, error) {
	d.ready()
	run, err := d.named(ctx, what)
	if err != nil {
		return run, store.Approval{}, err
	}
	word := store.Approval{Env: run.Env, Digest: run.Digest, By: by, At: d.Runner.Now(), Verdict: store.Cancel, Run: run.ID}
	if had, err := d.Store.Approval(ctx, run.Env, run.Digest); err == nil && had.Verdict == store.Cancel && had.Run == run.ID {
		word = had
	} else if err := d.Store.PutApproval(ctx, word); err != nil {
		return run, word, err
	}
	var said cycle.Event = cycle.Cancelled{By: word.By}
	if run.State == store.Waiting {
		said = cycle.Turned{Digest: run.Digest, By: word.By}
	}
	if err := d.queue.add(ctx, run.Env, said); err != nil {
		return run, word, err
	}
	d.hurry(run.Env)
	return run, word, nil
}

// named finds the run that a person means to cancel: one that goes on or waits.
func (d *Daemon) named(ctx context.Context, what string) (store.Run, error) {
	last, err := d.Store.Runs(ctx, store.RunFilter{Env: what, Limit: 1})
	if err != nil {
		return store.Run{}, err
	}
	if what != "" && len(last) > 0 {
		if !cancellable(&last[0]) {
			return last[0], fmt.Errorf("%w in %s: its last run, %s, %s", ErrNotUnderWay, what, last[0].ID, ending(&last[0]))
		}
		return last[0], nil
	}
	run, err := d.Store.Run(ctx, what)
	switch {
	case errors.Is(err, store.ErrNotFound):
		_, envErr := d.Store.Environment(ctx, what)
		if envErr == nil {
			return run, fmt.Errorf("%w in %s: it had no run yet", ErrNotUnderWay, what)
		}
		return run, fmt.Errorf("no run or environment is named %q: %w", what, err)
	case err != nil:
		return run, err
	case !cancellable(&run):
		return run, fmt.Errorf("%w: run %s of %s %s", ErrNotUnderWay, run.ID, run.Env, ending(&run))
	}
	return run, nil
}

// cancellable reports whether a run can still be kept from doing something.
func cancellable(r *store.Run) bool {
	return r.Digest != "" && (r.State == store.Applying || r.State == store.Waiting)
}

// ending says how a run ended, and when.
func ending(r *store.Run) string {
	text := "ended as " + string(r.State)
	if r.State == store.Applying { // of a plan without calls
		return "is about to end"
	}
	if !r.Ended.IsZero() {
		text += " at " + r.Ended.UTC().Format(time.RFC3339)
	}
	if r.State == store.Approved {
		text += ": another run applies its plan"
	}
	return text
}

// hurry has the apply that this process makes of an environment look at once
// whether it goes on.
func (d *Daemon) hurry(env string) {
	d.mu.Lock()
	u := d.live[env]
	d.mu.Unlock()
	if u == nil {
		return
	}
	select {
	case u.hurry <- struct{}{}:
	default: // it will anyway
	}
}
