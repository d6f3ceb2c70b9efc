package reconcile

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"isobar.dev/engine/cycle"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// verdict is how a run that waited for a person ends.
type verdict struct {
	state store.RunState
	words string     // "rejected by ann"
	by    string     // the person; "" for nobody
	at    time.Time  // when; the zero time where nobody knows
	halt  *view.Halt // of a cancel, in place of the words in the report
	next  string     // what to do or look at now; "" for the usual words
}

// asking gives the environment's runs that wait for a person, with all that is
// kept of them.
func (t *turn) asking(ctx context.Context) ([]store.Run, error) {
	runs, err := t.d.Store.Runs(ctx, store.RunFilter{Env: t.env, Limit: 10})
	if err != nil {
		return nil, err
	}
	var out []store.Run
	for _, r := range runs {
		if r.State != store.Waiting {
			continue
		}
		if r, err = t.d.Store.Run(ctx, r.ID); err != nil { // lists leave plan and report out
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// supersede ends the runs of the environment that waited for a person: from now
// on this one speaks for it. The one that a person approved gives it its thread.
func (t *turn) supersede(ctx context.Context) error {
	olds, err := t.asking(ctx)
	if err != nil {
		return err
	}
	for i := range olds {
		old := &olds[i]
		v := verdict{state: store.Superseded, words: superseded(t.run.State), at: t.d.Runner.Now(), next: "isobar runs show " + t.run.ID}
		switch by := t.consented(ctx, old); {
		case t.news.by != "" && old.Digest == cmp.Or(t.under, t.run.Digest):
			v.state, v.words, v.by, v.at = store.Approved, "approved by "+t.news.by, t.news.by, t.news.decided
		case by != "":
			v.words, v.by = "approved by "+by+", then "+v.words, by
		}
		run := t.reported(ctx, old, v)
		if v.state == store.Approved {
			t.run.Thread = cmp.Or(old.Thread, old.ID) // it goes on with what was asked there
		} else {
			t.amend(ctx, old, "verdict", run.Chat().Head)
		}
		if err := t.settle(ctx, old, v, run); err != nil {
			return err
		}
	}
	return nil
}

// superseded says why nobody is asked about a plan any more, once a later run
// came to a state.
func superseded(later store.RunState) string {
	switch later {
	case store.NoChanges:
		return "superseded: nothing is left to do"
	case store.Failed:
		return "superseded: no plan can be made now"
	case store.Planning, store.Waiting, store.Applying, store.Applied, store.Partial, store.Denied, store.Held, store.Differs, store.Drained,
		store.Cancelled, store.Approved, store.Rejected, store.Superseded:
	}
	return "superseded by a newer plan"
}

// consented gives who approved a run's plan while it waited, where that was not
// used: the plan had changed since.
func (t *turn) consented(ctx context.Context, old *store.Run) string {
	a, err := t.d.Store.Approval(ctx, t.env, old.Digest)
	if err != nil || a.Verdict != store.Approve || a.Run != "" || a.At.Before(old.Started) {
		return ""
	}
	return a.By
}

// reported is a run's kept report, as it reads with a verdict.
func (t *turn) reported(ctx context.Context, old *store.Run, v verdict) *view.Run {
	run := t.kept(ctx, old)
	run.State, run.Verdict, run.Decided, run.Next = view.State(v.state), v.words, v.at, v.next
	if run.Halt = v.halt; v.halt != nil {
		run.Verdict, run.Decided = "", time.Time{}
	}
	return run
}

// kept is a run's kept report.
func (t *turn) kept(ctx context.Context, old *store.Run) *view.Run {
	run, err := report(old)
	if err != nil {
		t.d.Log.WarnContext(ctx, "a kept report can't be read: it is written anew", "env", t.env, "run", old.ID, "error", err)
	}
	run.Daemon = true
	return run
}

// report reads a run's kept report. With an error it is what the run's row tells.
func report(r *store.Run) (*view.Run, error) {
	var j view.RunJSON
	err := json.Unmarshal(r.Report, &j)
	if err == nil {
		var run *view.Run
		if run, err = j.Run(); err == nil {
			return run, nil
		}
	}
	c := r.Counts
	return &view.Run{
		ID: r.ID, Env: r.Env, Commit: r.Commit, Subject: r.Subject, By: r.Actor, Plan: r.Digest, Drift: -1,
		Changes: c.Create + c.Update + c.Replace + c.Delete,
	}, err
}

// settle ends a run that waited: its state, its note and its report say how.
func (t *turn) settle(ctx context.Context, old *store.Run, v verdict, run *view.Run) error {
	attrs := []any{"state", string(v.state), "env", t.env, "run", old.ID, "commit", short(old.Commit), "plan", view.PlanID(old.Digest), "note", v.words}
	if v.by != "" {
		attrs = append(attrs, "by", v.by)
	}
	t.d.Log.InfoContext(ctx, "verdict", attrs...)
	old.State, old.Note, old.Report = v.state, v.words, run.JSON()
	return t.putRun(ctx, *old)
}

// rejected tells that a person turned a plan away: on the run that waited with
// it, or, where that is told already and other things were since, by a run of
// its own.
func (t *turn) rejected(ctx context.Context) error {
	digest := t.state.Rejected
	olds, err := t.asking(ctx)
	if err != nil {
		return err
	}
	v := t.turnedAway(ctx, digest)
	found := false
	for i := range olds {
		old := &olds[i]
		if old.Digest != digest {
			continue
		}
		found = true
		run := t.reported(ctx, old, v)
		t.amend(ctx, old, "verdict", run.Chat().Head)
		if err := t.settle(ctx, old, v, run); err != nil {
			return err
		}
	}
	switch {
	case found:
		if t.state.Phase == cycle.Idle {
			t.row.State, t.row.Note = string(v.state), t.rejection(ctx)
		}
	case t.draft != nil && !t.saved && t.run.Digest == digest:
		t.news.turned, t.news.decided = v.words, v.at
		t.run.State, t.run.Note, t.run.Ended = v.state, v.words, t.d.Runner.Now()
		return t.report(ctx, cycle.NewsRejected)
	default:
		t.d.Log.WarnContext(ctx, "a rejection came too late: its plan did not wait any more", "env", t.env, "plan", view.PlanID(digest), "by", v.by)
	}
	return nil
}

// turnedAway is how a plan was turned away that waited: rejected, or cancelled
// with its run.
func (t *turn) turnedAway(ctx context.Context, digest string) verdict {
	a, err := t.d.Store.Approval(ctx, t.env, digest)
	switch {
	case err == nil && a.Verdict == store.Reject:
		return verdict{state: store.Rejected, words: "rejected by " + a.By, by: a.By, at: a.At}
	case err == nil && a.Verdict == store.Cancel:
		h := &view.Halt{By: a.By, At: a.At}
		return verdict{state: store.Cancelled, words: h.String(), by: a.By, halt: h}
	}
	return verdict{state: store.Rejected, words: "rejected"}
}

// rejection is the environment's note while the plan that it would need stays
// turned away.
func (t *turn) rejection(ctx context.Context) string {
	return "plan " + view.PlanID(t.state.Rejected) + " was " + t.turnedAway(ctx, t.state.Rejected).words
}

// recall takes up a person's word on this very plan that a process which ended
// left in the store, not yet used. It must be an answer to the question that is
// still open: one given when the plan waited before, and was then not needed, is
// none.
func (t *turn) recall(ctx context.Context, digest string) {
	if t.rules.Mode == cycle.Observe || digest == "" || t.state.Consent == digest || t.state.Digest != digest || t.state.Asked.IsZero() {
		return
	}
	a, err := t.d.Store.Approval(ctx, t.env, digest)
	if err != nil || a.Run != "" && a.Verdict != store.Cancel || a.At.Before(t.state.Asked.Truncate(time.Millisecond)) {
		return
	}
	switch a.Verdict {
	case store.Approve:
		if t.rules.Mode == cycle.Approve {
			t.state.Consent, t.state.By = a.Digest, a.By
		}
	case store.Reject, store.Cancel:
		t.state.Rejected = a.Digest
	case store.Delete, store.Release, store.Keep: // of an object, not of a plan
	}
}
