package reconcile

import (
	"context"

	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// What is said of a run whose process ended before it did.
const (
	endedFirst = "its process ended first"
	settledBy  = "what it had begun is settled by the next run"
)

// buried is a run's note once its process ended first.
func buried(note string) string {
	if note != "" {
		note += "; "
	}
	return note + endedFirst + "; " + settledBy
}

// bury ends the environment's run that was applying when its process ended. It
// wants the environment's lease: nobody works on it any more.
func (t *turn) bury(ctx context.Context) error {
	runs, err := t.d.Store.Runs(ctx, store.RunFilter{Env: t.env, Limit: 10})
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.State != store.Applying {
			continue
		}
		if r, err = t.d.Store.Run(ctx, r.ID); err != nil { // lists leave plan and report out
			return err
		}
		run := t.kept(ctx, &r)
		run.State, run.Why, run.Next = view.Failed, endedFirst, settledBy
		run.Steps = nil // what became of them, the ledger knows
		t.amend(ctx, &r, run)
		t.d.Log.WarnContext(ctx, endedFirst, "env", t.env, "run", r.ID, "commit", short(r.Commit))
		r.State, r.Ended, r.Note, r.Report = store.Failed, t.d.Runner.Now(), buried(r.Note), run.JSON()
		if err := t.d.Store.PutRun(ctx, r); err != nil {
			return err
		}
	}
	return nil
}
