package reconcile

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/observe"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// Once does runs for a person who waits for them: it holds the environment's
// lease meanwhile, and keeps what came of it as the daemon would. Its fields
// are read only; it is safe for concurrent use by runs of different
// environments.
type Once struct {
	Runner *Runner
	Store  store.Store
	Tenure Tenure
	NewID  func() string // UUIDv7 text
}

// Attempt is a draft on its way, and the run that it belongs to.
type Attempt struct {
	*Draft
	Run store.Run

	consent string // the digest of the plan that a person named, "" for none
}

// Draft makes a job's draft as the next run; the job's Run and Epoch are filled
// in. What it saw is kept in the environment's row.
func (o *Once) Draft(ctx context.Context, job Job) (*Attempt, error) {
	a := &Attempt{Run: store.Run{
		ID: o.NewID(), Env: job.Env, Trigger: job.Trigger, Commit: job.Commit, Actor: job.Actor,
		State: store.Planning, Started: o.Runner.Now(),
	}}
	l, err := o.Tenure.await(ctx, job.Env)
	if err != nil {
		return nil, err
	}
	defer l.release(ctx)
	if err := o.bury(ctx, job.Env); err != nil {
		return nil, err
	}
	row, err := o.Store.Environment(ctx, job.Env)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	job.Run, job.Epoch, job.Orphans = a.Run.ID, l.epoch, row.Orphans
	if a.Draft, err = o.Runner.Draft(l.guard(ctx), job); err != nil {
		return nil, err
	}
	if a.Denied() {
		if err := o.judged(ctx, a); err != nil {
			return nil, err
		}
	}
	state, note := stateWords(a.Draft)
	return a, o.keepRow(ctx, a, func(row *store.Environment) {
		if len(job.Imports) > 0 {
			return // it says nothing of the environment as a whole
		}
		row.State, row.Note = state, note
		row.Drift, _ = a.Drift()
		row.Drift += leftAlone(a.Plan)
		row.Resources, row.Unread, row.Orphans = a.Owned, a.Unread, a.orphans(o.Runner.Now())
	})
}

// judged puts on record what the rules said of an attempt.
func (o *Once) judged(ctx context.Context, a *Attempt) error {
	e, ok := a.judgement(o.Runner.Now())
	if !ok {
		return nil
	}
	return o.Store.Audit(ctx, e)
}

// bury ends the environment's last run where its process died before it did:
// the lease says that nobody works on it any more.
func (o *Once) bury(ctx context.Context, env string) error {
	last, err := o.Store.Runs(ctx, store.RunFilter{Env: env, Limit: 1})
	if err != nil || len(last) == 0 || last[0].State != store.Applying {
		return err
	}
	run, err := o.Store.Run(ctx, last[0].ID)
	if err != nil {
		return err
	}
	kept, _ := report(&run) // one that can't be read is made anew
	if err := bury(ctx, o.Store, &run, kept, cancelled(ctx, o.Store, &run)); err != nil {
		return err
	}
	run.Ended, run.Report = o.Runner.Now(), kept.JSON()
	return o.Store.PutRun(ctx, run)
}

// Apply takes an attempt's steps and gives the run as people see it. When ctx
// ends no further step starts; the calls under way are finished and recorded.
// progress is told of each step's start and end, one at a time; it may be nil.
// The error is one of the store: what was done until then is in the ledger; or a
// *NotNow, where the plan that a person named was carried out meanwhile.
func (o *Once) Apply(ctx context.Context, a *Attempt, progress func(view.Step)) (*view.Run, error) {
	keep := context.WithoutCancel(ctx)
	l, err := o.Tenure.await(keep, a.Job.Env)
	if err != nil {
		return nil, err
	}
	defer l.release(ctx)
	if err := o.use(keep, a); err != nil {
		return nil, err
	}
	a.journal.Epoch = l.epoch
	a.Run.State, a.Run.Started = store.Applying, o.Runner.Now()
	a.Run.Digest, a.Run.Counts = a.Plan.Digest, counts(a.Plan)
	shown := a.ViewPlan(o.Runner.Catalogue.Descriptors, a.Run.Subject)
	shown.Mode = "" // nothing waits for an approval: a person is there
	a.Run.Plan = shown.Kept(view.Page{})
	a.Run.Report = a.begun().JSON()
	if err := o.judged(keep, a); err != nil {
		return nil, err
	}
	err = errors.Join(o.Store.PutRun(keep, a.Run), o.keepRow(keep, a, func(row *store.Environment) { row.State, row.Note = "applying", "" }))
	if err != nil {
		return nil, err
	}
	ctx, end := heed(ctx, o.Tenure.TTL/3, nil, func(ctx context.Context) *view.Halt { return cancelled(ctx, o.Store, &a.Run) })
	out := o.Runner.Apply(l.guard(ctx), a.Draft, func(r apply.Result) {
		if progress != nil {
			progress(stepView(r))
		}
	})
	end()
	out.Halt = haltOf(ctx)
	a.Run.Ended = o.Runner.Now()
	a.Run.Counts.Failed = out.lost()
	a.Run.State, _ = out.words()
	if a.Run.Note = out.firstFault(); a.Run.State == store.Cancelled {
		a.Run.Note = strings.TrimPrefix(a.Run.Note+"; "+out.Halt.String(), "; ")
	}
	state, note := a.left(out)
	run := a.view(out)
	a.Run.Report = run.JSON()
	err = o.keepRow(keep, a, func(row *store.Environment) {
		row.State, row.Note = state, note
		a.journal.View(func(s *ledger.State) { row.Resources = len(s.Entries) })
		if out.OK() {
			row.Drift = leftAlone(&plan.Plan{Held: a.Plan.Held})
		}
	})
	return run, errors.Join(out.Err, o.Store.PutRun(keep, a.Run), err)
}

// destroyed is the state of an environment of which a person had all deleted.
const destroyed = "destroyed"

// left is what an outcome leaves its environment in: what was held is not in
// sync.
func (a *Attempt) left(out *Outcome) (state, note string) {
	_, state = out.words()
	switch {
	case out.Next != nil && !out.Next.Empty():
		return "changes", out.firstFault()
	case out.OK() && len(a.Plan.Held) > 0:
		return "held", a.firstHeld()
	case out.OK() && a.Job.Destroy:
		return destroyed, ""
	}
	return state, cmp.Or(out.firstFault(), besides(out.After))
}

// keepRow writes what is now known of the environment; the place in the cycle
// of a daemon that worked on this store before stays as it was.
func (o *Once) keepRow(ctx context.Context, a *Attempt, learn func(*store.Environment)) error {
	row, err := o.Store.Environment(ctx, a.Job.Env)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	row.Name, row.Mode, row.Commit = a.Job.Env, a.Spec.Mode, a.Job.Commit
	row.Digest, row.CheckedAt, row.Absent = a.Spec.Digest, o.Runner.Now(), a.absent()
	learn(&row)
	return o.Store.PutEnvironment(ctx, row)
}

// view is the attempt's run as people see it.
func (a *Attempt) view(out *Outcome) *view.Run {
	r := &view.Run{
		ID: a.Run.ID, Env: a.Job.Env, Commit: a.Job.Commit, By: a.Job.Actor, Plan: a.Plan.Digest, Changes: len(a.Plan.Changes),
		Took: a.Run.Ended.Sub(a.Run.Started), Drift: -1, Lost: a.Plan.Held, State: out.state(), Halt: out.Halt,
	}
	r.Drifted, r.Back = a.Drift()
	r.Known = a.Known()
	for i := range out.Results {
		r.Steps = append(r.Steps, stepView(out.Results[i]))
	}
	if out.After != nil {
		r.Drift, r.Late = len(out.After.Changes), out.After.Unsure()
	}
	if r.Why = out.unmet(); out.Err != nil {
		r.Why = out.Err.Error()
	}
	if len(a.Job.Imports) > 0 {
		r.Next = a.afterImport(out)
	}
	if a.Job.Destroy && r.State != view.Applied { // view's usual words would make it all anew
		on := "; to go on: "
		if r.State != view.Stopped && r.State != view.Cancelled {
			on = ": mend the cause, then "
		}
		r.Next = r.Kept() + on + "isobar destroy " + a.Job.Env
	}
	return r
}

// begun is the run's report until it ends, or where its process does first.
func (a *Attempt) begun() *view.Run {
	r := a.view(&Outcome{Report: &apply.Report{}})
	r.State, r.Steps, r.Next = view.Applying, pending(a.Plan, nil), ""
	return r
}

// state is an outcome's state for people.
func (o *Outcome) state() view.State {
	switch state, _ := o.words(); state {
	case store.Applied:
		return view.Applied
	case store.Drained:
		return view.Stopped
	case store.Cancelled:
		return view.Cancelled
	case store.Partial:
		return view.Partial
	case store.Planning, store.Waiting, store.Applying, store.Failed, store.Denied, store.NoChanges, store.Held, store.Differs,
		store.Approved, store.Rejected, store.Superseded:
	}
	return view.Failed
}

// Imagine plans an environment as if nothing existed yet: no provider, ledger
// or clock is asked. What other environments give is taken as known only after
// they are applied. Errors of type diag.List are the user's to mend.
func (r *Runner) Imagine(ctx context.Context, job Job) (*Draft, error) {
	d := &Draft{Job: job}
	var err error
	if d.Estate, err = r.Specs.Estate(ctx, job.Tree); err != nil {
		return nil, err
	}
	lost, err := r.evaluate(ctx, d)
	if err != nil {
		return nil, err
	}
	d.outs = map[resource.Address]resource.Map{}
	for i := range d.Spec.Desired {
		for _, ref := range resource.Refs(d.Spec.Desired[i].Fields) {
			if ref.Address.Env == job.Env {
				continue
			}
			if d.outs[ref.Address] == nil {
				d.outs[ref.Address] = resource.Map{}
			}
			d.outs[ref.Address][ref.Out] = resource.Unknown{}
		}
	}
	d.journal = apply.NewJournal(r.Ledger, &ledger.State{}, func() time.Time { return time.Time{} })
	d.world = observe.World{Live: map[ledger.Key]plan.Reading{}, Found: r.unasked(d.Spec.Desired)}
	d.Plan = r.build(d, lost)
	d.Findings, err = r.judge(ctx, d)
	return d, err
}
