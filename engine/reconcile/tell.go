package reconcile

import (
	"cmp"
	"context"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/cycle"
	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// reporter is what a turn knows for its reports.
type reporter struct {
	steps   []view.Step
	outcome *Outcome
	broken  diag.List
	err     error
	by      string          // who approved what is applied; "" for nobody
	decided time.Time       // when that was, or when it was turned away
	fails   int             // runs in a row before this one that did not end well
	turned  string          // of a plan that was turned away before: "rejected by ann"
	head    string          // the thread's head as last told, as the outbox has it
	edits   int             // of the head
	logged  cycle.News      // what the log has last
	told    map[string]bool // lines of the thread, by key
	at      time.Time       // when the thread was last brought up to date
}

// tell takes news in, and reports them.
func (t *turn) tell(ctx context.Context, news cycle.Tell) error {
	if err := t.holds(ctx); err != nil {
		return err
	}
	n := news.What
	switch n {
	case cycle.NewsApplying:
		t.run.State = store.Applying
		if news.By != "" { // used up before anything is told or done under it
			a, err := t.d.Store.Consume(ctx, t.env, cmp.Or(t.under, t.run.Digest), t.run.ID, t.d.Runner.Now())
			if err != nil {
				return err
			}
			t.news.by, t.news.decided, t.run.Note = news.By, a.At, "approved by "+news.By
			t.run.Trigger = string(cycle.Consent) // whichever look at the plan found the word given
		}
	case cycle.NewsWaiting, cycle.NewsReport:
		t.run.State, t.run.Ended = store.Waiting, t.d.Runner.Now()
		if n == cycle.NewsReport {
			t.run.State = store.Differs
		}
		t.row.State, t.row.Note = "waiting", t.needs()
		if n == cycle.NewsReport {
			t.row.State, t.row.Note = "differs", "mode observe: nothing is applied"
		}
	case cycle.NewsDenied:
		t.run.State, t.run.Ended = store.Denied, t.d.Runner.Now()
	case cycle.NewsBroken:
		t.run.State, t.run.Ended = store.Failed, t.d.Runner.Now()
		t.run.Note = t.row.Note
	case cycle.NewsInSync, cycle.NewsHeld:
		t.run.State, t.run.Ended = store.NoChanges, t.d.Runner.Now()
		if n == cycle.NewsHeld {
			t.run.State = store.Held
		}
	case cycle.NewsRejected:
		return t.rejected(ctx)
	case cycle.NewsApplied, cycle.NewsFailed, cycle.NewsStopped, cycle.NewsHalted: // finish said so
	}
	return t.report(ctx, n)
}

// report tells news: in the log, in the store's runs and in chat.
func (t *turn) report(ctx context.Context, n cycle.News) error {
	known := t.saved
	if known || t.run.ID == "" {
		t.log(ctx, n)
	}
	if n == cycle.NewsDenied || n == cycle.NewsApplying {
		if err := t.judged(ctx); err != nil {
			return err
		}
	}
	run := t.viewRun(newsState(n))
	if t.run.ID == "" {
		return nil
	}
	// Whatever is lost between the two is told all the same: a run that was kept as
	// applying is ended by its burial, one that ended is told before it is kept so.
	if known {
		if err := t.thread(ctx, run); err != nil {
			return err
		}
	}
	if err := t.keepRun(ctx, run); err != nil {
		return err
	}
	if !known { // what can't be kept is not begun, and so no news
		t.log(ctx, n)
	}
	if n != cycle.NewsApplying {
		t.d.Meter.Run(t.env, cycle.Trigger(t.run.Trigger), t.run.State, t.since(t.run.Started))
	}
	if known {
		return nil
	}
	if n == cycle.NewsApplying && t.run.Trigger == string(cycle.Retry) && t.run.Thread != "" {
		t.news.at = t.d.Runner.Now() // told once there is something new
		return nil
	}
	return t.thread(ctx, run)
}

// judged puts on record what the rules said of the plan.
func (t *turn) judged(ctx context.Context) error {
	if t.draft == nil {
		return nil
	}
	e, ok := t.draft.judgement(t.d.Runner.Now())
	if !ok {
		return nil
	}
	return t.d.Store.Audit(ctx, e)
}

func (t *turn) log(ctx context.Context, n cycle.News) {
	t.news.logged = n
	attrs := []any{"news", string(n), "env", t.env, "run", t.run.ID, "commit", short(t.row.Commit), "trigger", t.run.Trigger}
	if t.news.by != "" {
		attrs = append(attrs, "by", t.news.by)
	}
	if t.draft != nil {
		attrs = append(attrs, "plan", view.PlanID(t.draft.Plan.Digest), "changes", len(t.draft.Plan.Changes), "held", len(t.draft.Plan.Held))
		for _, f := range t.draft.Findings {
			if n != cycle.NewsApplying && t.news.outcome != nil {
				break // said when the run began
			}
			t.d.Log.WarnContext(ctx, "policy", "env", t.env, "severity", string(f.Severity), "rule", string(f.Code), "finding", f.String())
		}
	}
	if n == cycle.NewsBroken || n == cycle.NewsFailed {
		t.d.Log.WarnContext(ctx, "news", append(attrs, "note", t.row.Note)...)
		return
	}
	t.d.Log.InfoContext(ctx, "news", attrs...)
}

func short(hash string) string { return hash[:min(len(hash), 7)] }

func newsState(n cycle.News) view.State {
	switch n {
	case cycle.NewsWaiting:
		return view.Waiting
	case cycle.NewsDenied:
		return view.Denied
	case cycle.NewsApplying:
		return view.Applying
	case cycle.NewsApplied:
		return view.Applied
	case cycle.NewsFailed, cycle.NewsBroken:
		return view.Failed
	case cycle.NewsStopped:
		return view.Stopped
	case cycle.NewsHalted:
		return view.Cancelled
	case cycle.NewsRejected:
		return view.Rejected
	case cycle.NewsInSync:
		return view.InSync
	case cycle.NewsReport, cycle.NewsHeld:
	}
	return view.Planned
}

// viewRun is the run as people see it.
func (t *turn) viewRun(state view.State) *view.Run {
	took := t.since(t.run.Started)
	if !t.run.Ended.IsZero() {
		took = t.run.Ended.Sub(t.run.Started)
	}
	r := &view.Run{
		ID: t.run.ID, Env: t.env, Commit: t.run.Commit, Subject: t.run.Subject, By: t.run.Actor, State: state,
		Took: took, Drift: -1, Daemon: true, Trigger: t.run.Trigger, Decided: t.news.decided,
	}
	if t.run.Trigger == string(cycle.Retry) {
		r.Retry = t.news.fails
	}
	if t.draft != nil {
		r.Plan, r.Changes, r.Lost, r.Policy = t.draft.Plan.Digest, len(t.draft.Plan.Changes), t.draft.Plan.Held, t.draft.Findings
		if state == view.Waiting {
			r.Over = t.draft.over()
		}
		r.Drifted, r.Back = t.draft.Drift()
		r.Known = t.draft.Known()
	}
	if r.Verdict = t.news.turned; t.news.by != "" {
		r.Verdict = "approved by " + t.news.by
	}
	if len(t.news.broken) > 0 {
		r.Spec = t.news.broken
	} else if t.news.err != nil {
		r.Why = t.news.err.Error()
	}
	r.Steps = t.news.steps
	out := t.news.outcome
	if out == nil {
		if state == view.Applying {
			r.Steps = pending(t.draft.Plan, r.Steps)
		}
		return r
	}
	r.Steps = nil
	for i := range out.Results {
		r.Steps = append(r.Steps, stepView(out.Results[i]))
	}
	if out.After != nil {
		r.Drift, r.Late = len(out.After.Changes), out.After.Unsure()
	}
	r.Halt = out.Halt
	if why := out.unmet(); why != "" {
		r.Why = why
	}
	if out.Err != nil {
		r.Why = out.Err.Error()
	}
	if state == view.Failed {
		if out.Count(apply.Done) > 0 {
			r.State = view.Partial
		}
		sole, again := t.draft.refusedAlone(out)
		switch {
		case sole && again.IsZero():
			r.Next = r.Kept() + ", and it is not asked for again by itself: isobar status says how to go on"
		case sole:
			r.Again = again
		case t.rules.Mode == cycle.Approve:
			r.Next = "what was done is kept; isobar plans what is left, and asks again"
		default:
			r.Again = t.state.Next
		}
	}
	return r
}

// pending adds a plan's steps that have not ended to those that have.
func pending(p *plan.Plan, done []view.Step) []view.Step {
	ended := map[string]bool{}
	for _, s := range done {
		ended[s.ID] = true
	}
	out := append([]view.Step(nil), done...)
	for i := range p.Steps {
		if s := &p.Steps[i]; !ended[s.ID] {
			out = append(out, view.Step{ID: s.ID, Address: s.Address, Op: s.Op, Aspect: s.Aspect, State: view.StepWaiting})
		}
	}
	return out
}

// shown is the draft as people see it: where it waits, it says what for.
func (t *turn) shown() *view.Plan {
	p := t.draft.ViewPlan(t.d.Runner.Catalogue.Descriptors, t.run.Subject)
	p.Asked = t.run.State == store.Waiting
	return p
}

// ViewPlan is the draft as people see it.
func (d *Draft) ViewPlan(kinds resource.Descriptors, subject string) *view.Plan {
	return &view.Plan{
		Plan: *d.Plan, Commit: d.Job.Commit, Subject: subject, Mode: d.Spec.Mode, Policy: d.Findings, Spec: d.Warnings,
		Kinds: kinds, Reads: d.Wants, Took: d.Took, By: d.Job.Actor, Over: d.over(),
	}
}

// over is how far the draft goes beyond the environment's budget of deletes, or what
// it would make anew only to undo what somebody did outside; nil where it does not or
// where a person asked for all to go.
func (d *Draft) over() *plan.Excess {
	if d.Job.Destroy {
		return nil
	}
	return cmp.Or(d.Plan.Excess(budget(d.Spec.Deletes), d.counted), d.Plan.Undoing())
}

// keepRun writes the run with its plan and report.
func (t *turn) keepRun(ctx context.Context, r *view.Run) error {
	if t.draft != nil {
		t.run.Plan = t.shown().Kept(view.Page{})
	}
	t.run.Report = r.JSON()
	if !t.saved {
		if err := t.goOn(ctx); err != nil {
			return err
		}
		if err := t.supersede(ctx); err != nil {
			return err
		}
	}
	t.saved = true
	return t.putRun(ctx, t.run)
}

func (t *turn) countOwned(s *ledger.State) { t.row.Resources = len(s.Entries) }
