package reconcile

import (
	"context"
	"errors"
	"sync"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// halt is why an apply's ctx ended before the apply did: a person cancelled it,
// or a newer commit took its place.
type halt struct{ view.Halt }

func (h *halt) Error() string { return h.String() }

// haltOf gives what halted an apply, nil where nothing did.
func haltOf(ctx context.Context) *view.Halt {
	var h *halt
	if errors.As(context.Cause(ctx), &h) {
		return &h.Halt
	}
	return nil
}

// heed returns the ctx of an apply, which ends once look gives a reason to. It is
// asked at once, at each hurry and at each pause until end, which waits for it.
func heed(ctx context.Context, pause time.Duration, hurry <-chan struct{}, look func(context.Context) *view.Halt) (_ context.Context, end func()) {
	ctx, stop := context.WithCancelCause(ctx)
	asks, done := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for {
			if h := look(asks); h != nil {
				stop(&halt{*h})
				return
			}
			select {
			case <-tick.C:
			case <-hurry:
			case <-asks.Done():
				return
			}
		}
	})
	return ctx, func() { done(); wg.Wait() }
}

// cancelled gives a person's cancel of a run, nil where there is none: what
// can't be read is read again.
func cancelled(ctx context.Context, said Words, r *store.Run) *view.Halt {
	if r.Digest == "" {
		return nil
	}
	a, err := said.Approval(ctx, r.Env, r.Digest)
	if err != nil || a.Verdict != store.Cancel || a.Run != r.ID {
		return nil
	}
	return &view.Halt{By: a.By, At: a.At}
}

// overtaken looks whether the repository has a newer commit that changes the
// input of the environment whose apply is under way, and so takes its place. One
// whose spec is wrong does not: what is under way is better than nothing.
type overtaken struct {
	t    *turn
	seen string // the newest commit that was looked at
}

func (o *overtaken) look(ctx context.Context) *view.Halt {
	t := o.t
	h, _, err := t.d.current(ctx, t.row)
	if err != nil || h == nil || h.commit.Hash == o.seen || h.lacking() != nil {
		return nil // or it is seen at the next look
	}
	changed, err := t.changes(ctx, h)
	var wrong diag.List
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.As(err, &wrong):
		t.d.Log.InfoContext(ctx, "a newer commit has mistakes: the run under way goes on", "env", t.env, "run", t.run.ID, "commit", h.commit.Short, "error", err)
	case err != nil:
		return nil
	}
	o.seen = h.commit.Hash
	if !changed {
		return nil
	}
	return &view.Halt{By: h.commit.Author, At: t.d.Runner.Now(), Commit: h.commit.Hash, Subject: h.commit.Subject}
}

// changes reports whether a commit wants the environment to be otherwise than the
// turn's draft. The error is a diag.List where the commit can't be planned.
func (t *turn) changes(ctx context.Context, h *head) (bool, error) {
	specs := t.d.Runner.Specs
	estate, err := specs.Estate(ctx, h.tree)
	if err != nil {
		return false, err
	}
	listed := false
	for _, name := range estate.Environments {
		listed = listed || name == t.env
	}
	if !listed {
		return true, nil // what is made of it now would be an orphan
	}
	digest, err := specs.Digest(ctx, h.tree, t.env)
	if err != nil || digest == t.draft.Spec.Digest {
		return false, err
	}
	_, err = specs.Environment(ctx, h.tree, t.env)
	return err == nil, err
}
