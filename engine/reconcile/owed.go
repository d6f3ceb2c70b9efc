package reconcile

import (
	"context"
	"errors"
	"strings"
	"time"

	"isobar.dev/engine/cycle"
	"isobar.dev/engine/store"
)

// owe remembers a run that was applying when the store took nothing any more, or
// when its lease ran out since it could not be renewed there: what became of it is
// known here alone. The environment's next turn keeps and tells it.
func (t *turn) owe(err error) {
	if hitchOf(err).class == nil && !isFenced(err) || t.run.State != store.Applying && t.news.outcome == nil {
		return
	}
	if t.news.outcome == nil { // nothing was begun
		t.run.State, t.run.Ended = store.Failed, t.d.Runner.Now()
		t.run.Note = strings.TrimPrefix(t.run.Note+"; "+err.Error(), "; ")
		t.row.State, t.row.Note, t.news.err = "failed", err.Error(), err
	}
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	t.d.owed[t.env] = t
}

// settleUp keeps and tells the run that the turn before this one could not, and
// goes on where that one was. It wants the environment's lease.
func (t *turn) settleUp(ctx context.Context) error {
	t.d.mu.Lock()
	o := t.d.owed[t.env]
	t.d.mu.Unlock()
	if o == nil {
		return nil
	}
	kept, err := t.d.Store.Run(ctx, o.run.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) { // else nothing was begun
		return err
	}
	if kept.State == store.Applying { // else it was kept, or ended by another process
		if err := t.takeOn(ctx, o); err != nil {
			return err
		}
	}
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	delete(t.d.owed, t.env)
	return nil
}

// takeOn keeps and tells the run of an earlier turn, and goes on where that one was.
func (t *turn) takeOn(ctx context.Context, o *turn) error {
	t.row, t.state, t.cut = o.row, o.state, false
	t.state.Phase = cycle.Idle
	o.lease, o.head, o.repo = t.lease, t.head, t.repo
	if !o.state.Next.After(o.d.Runner.Now()) {
		o.state.Next = time.Time{} // it is tried again now
	}
	news := o.ending()
	if o.news.logged != news {
		o.log(ctx, news)
	}
	run := o.viewRun(newsState(news))
	if err := o.thread(ctx, run); err != nil {
		return err
	}
	if err := o.keepRun(ctx, run); err != nil {
		return err
	}
	t.d.Meter.Run(o.env, cycle.Trigger(o.run.Trigger), o.run.State, o.run.Ended.Sub(o.run.Started))
	return t.save(ctx)
}

// ending is the news that a run's state is.
func (t *turn) ending() cycle.News {
	switch t.run.State {
	case store.Applied:
		return cycle.NewsApplied
	case store.Drained:
		return cycle.NewsStopped
	case store.Cancelled:
		return cycle.NewsHalted
	case store.Planning, store.Waiting, store.Applying, store.Partial, store.Failed, store.Denied, store.NoChanges, store.Held, store.Differs,
		store.Approved, store.Rejected, store.Superseded:
	}
	return cycle.NewsFailed
}
