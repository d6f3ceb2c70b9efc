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

// burial is how a run is kept whose process ended before it did.
func burial(r *store.Run, h *view.Halt) (state store.RunState, note string) {
	state = store.Failed
	if note = r.Note; note != "" {
		note += "; "
	}
	if h != nil {
		state, note = store.Cancelled, note+h.String()+"; "
	}
	return state, note + endedFirst + "; " + settledBy
}

// bury ends a run and its report whose process ended before it did.
func bury(ctx context.Context, st store.Store, r *store.Run, run *view.Run, h *view.Halt) (err error) {
	r.State, r.Note = burial(r, h)
	run.State, run.Why, run.Next, run.Halt = view.State(r.State), endedFirst, settledBy, h
	run.Steps, err = recorded(ctx, st, r, run.Steps)
	return err
}

// bury ends the environment's runs that were applying when their processes ended.
// It wants the environment's lease: nobody works on them any more. The row does
// not tell of them all: a process may end after its run was kept and before its
// row was, or between the two at the end. What a person cancelled is not taken up
// again unasked, though the process ended first.
func (t *turn) bury(ctx context.Context) error {
	if err := t.holds(ctx); err != nil {
		return err // stopped for a while: they may be of the process that took over
	}
	runs, err := t.d.Store.Runs(ctx, store.RunFilter{Env: t.env, Limit: 10})
	if err != nil {
		return err
	}
	for i, r := range runs {
		h := cancelled(ctx, t.d.Store, &r)
		if i == 0 && h != nil && (r.State == store.Applying || t.cut && r.State == store.Cancelled) {
			t.state.Halted = h.By
		}
		if r.State != store.Applying {
			continue
		}
		if r, err = t.d.Store.Run(ctx, r.ID); err != nil { // lists leave plan and report out
			return err
		}
		run := t.kept(ctx, &r)
		if err := bury(ctx, t.d.Store, &r, run, h); err != nil {
			return err
		}
		t.amend(ctx, &r, "verdict", run.Chat().Head)
		t.relate(ctx, &r, run)
		t.d.Log.WarnContext(ctx, endedFirst, "env", t.env, "run", r.ID, "commit", short(r.Commit))
		r.Ended, r.Report = t.d.Runner.Now(), run.JSON()
		if err := t.putRun(ctx, r); err != nil {
			return err
		}
	}
	t.cut = false
	return nil
}
