package reconcile

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/cycle"
	"isobar.dev/engine/diag"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// turn is one worker's time with one environment: events go in, effects are
// run, and what they come to goes in again, until nothing is left.
type turn struct {
	d      *Daemon
	env    string
	row    store.Environment
	state  cycle.State
	rules  cycle.Rules
	head   *head
	repo   Repo
	draft  *Draft
	run    store.Run
	news   reporter
	saved  bool    // the run is in the store
	cut    bool    // the row says that the last apply was cut off
	agreed Consent // what people agreed to of the draft's commit while it was proposed
	under  string  // the digest of the approved plan of which the draft is what is as it was; "" for none
	lease  *lease
}

// turn works off what an environment was handed, under its lease. On error it
// gives the events that it did not come to.
func (d *Daemon) turn(ctx context.Context, env string) (rest []cycle.Event, err error) {
	t := &turn{d: d, env: env}
	keep := context.WithoutCancel(ctx)
	if t.lease, err = d.Tenure.hold(ctx, env); err != nil {
		return nil, err
	}
	defer t.lease.release(ctx)
	evs, err := d.queue.more(ctx, env)
	if err != nil || len(evs) == 0 {
		return nil, err
	}
	row, err := d.Store.Environment(keep, env)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return evs, err
	}
	t.row = row
	t.row.Name = env
	if len(row.Cycle) > 0 {
		if err := json.Unmarshal(row.Cycle, &t.state); err != nil {
			return nil, err
		}
	}
	if t.head, t.repo = d.snapshot(t.row); t.head == nil {
		if d.Inbox != nil && t.repo.Name != "" {
			return nil, errNotYet // another process may have it
		}
		return nil, d.queue.ack(keep, env) // its repository was not fetched yet: the first fetch wakes it
	}
	t.row.Repo, t.row.Origin = t.repo.Name, t.repo.Origin
	t.rules = cycle.Rules{Mode: cycle.Mode(t.row.Mode), Interval: d.Interval, Backoff: d.Backoff}
	if t.state.Phase == cycle.Planning || t.state.Phase == cycle.Applying {
		t.cut = t.state.Phase == cycle.Applying
		t.state.Phase = cycle.Idle // of a process that ended: whatever comes now starts over
	}
	if err := t.settleUp(keep); err != nil {
		return evs, err
	}
	if err := t.unstuck(keep); err != nil {
		return evs, err
	}
	for len(evs) > 0 {
		ev := evs[0]
		if said, ok := ev.(cycle.Approved); ok && t.spent(keep, said.Digest) {
			evs = evs[1:]
			continue
		}
		if said, ok := ev.(cycle.Resumed); ok {
			t.resume(said.Fields)
		}
		var effects []cycle.Effect
		t.state, effects = cycle.Step(t.state, ev, d.Runner.Now(), t.rules)
		var next []cycle.Event
		for _, e := range effects {
			got, err := t.do(ctx, e)
			if err != nil {
				t.owe(err)
				if errors.Is(err, store.ErrFull) {
					return evs[1:], err // nor could this be kept
				}
				return evs[1:], errors.Join(err, t.save(keep))
			}
			next = append(next, got...)
		}
		more, err := d.queue.more(keep, env)
		if err != nil {
			return append(evs[1:], next...), errors.Join(err, t.save(keep))
		}
		// what came meanwhile goes first: a newer commit makes the plan just made old
		evs = append(append(evs[1:], more...), next...)
	}
	if err := t.save(keep); err != nil {
		return nil, err
	}
	if d.Inbox != nil && ctx.Err() != nil { // this process ends: another goes on
		if err := d.queue.add(keep, env, cycle.Ticked{Trigger: cycle.Start}); err != nil {
			return nil, err
		}
	}
	if wait := t.state.Next.Sub(d.Runner.Now()); !t.state.Next.IsZero() {
		if err := d.queue.at(keep, env, max(wait, 0), cycle.Ticked{Trigger: cycle.Drift}); err != nil {
			return nil, err
		}
	}
	return nil, d.queue.ack(keep, env)
}

// unstuck says in the row of an apply whose process ended that nothing is applied any
// more: what comes next may take long, or fail before it has anything else to say.
func (t *turn) unstuck(ctx context.Context) error {
	if t.row.State != "applying" {
		return nil
	}
	t.row.State, t.row.Note = "failed", endedFirst+"; "+settledBy
	phase := t.state.Phase
	if t.cut {
		t.state.Phase = cycle.Applying // so that whoever starts over after this process knows it, too
	}
	err := t.save(ctx)
	t.state.Phase = phase
	return err
}

// spent reports whether an approval was used up: what was handed to a process
// that died may come twice.
func (t *turn) spent(ctx context.Context, digest string) bool {
	a, err := t.d.Store.Approval(ctx, t.env, digest)
	return err == nil && a.Run != ""
}

// holds fails with ErrFenced where another process that shares the store may
// work on the environment by now: what is to be told and kept of it is that one's.
func (t *turn) holds(ctx context.Context) error {
	if err := t.lease.fence(ctx); err != nil && t.d.Inbox != nil {
		return fmt.Errorf("%w: %w", store.ErrFenced, err)
	}
	return nil
}

// putRun keeps a run, while the environment's lease is this turn's.
func (t *turn) putRun(ctx context.Context, r store.Run) error {
	r.Fence = t.lease.epoch
	return t.d.Store.PutRun(ctx, r)
}

// save keeps the environment's row.
func (t *turn) save(ctx context.Context) error {
	if err := t.holds(ctx); err != nil {
		return err
	}
	body, err := json.Marshal(t.state)
	if err != nil {
		return err
	}
	t.row.Cycle = body
	t.row.PlanDigest = ""
	switch {
	case t.state.Phase == cycle.Waiting:
		t.row.PlanDigest = t.state.Digest
		t.row.State, t.row.Note = "waiting", t.needs()
	case t.row.State != "changes" || t.state.Phase != cycle.Idle:
	case t.state.Rejected != "" && t.state.Rejected == t.state.Digest:
		t.row.State, t.row.Note = string(t.turnedAway(ctx, t.state.Rejected).state), t.rejection(ctx)
		if t.draft != nil && len(t.draft.Plan.Held) > 0 { // that was not asked about
			t.row.Note += "; held: " + t.draft.firstHeld()
		}
	case t.rules.Mode == cycle.Observe:
		t.row.State, t.row.Note = "differs", "mode observe: nothing is applied"
	}
	t.d.Meter.Looked(t.row)
	began := t.d.asking()
	err = t.d.Store.PutEnvironment(ctx, t.row)
	t.d.written(ctx, began, err)
	return err
}

// needs is the environment's note while a plan of it waits.
func (t *turn) needs() string {
	note := "plan " + view.PlanID(t.state.Digest) + " needs an approval"
	switch {
	case t.state.Halted != "":
		note += ": the run before was cancelled by " + t.state.Halted
	case t.draft == nil || t.draft.Plan.Digest != t.state.Digest:
		if strings.HasPrefix(t.row.Note, note) {
			return t.row.Note
		}
	case t.agreed.unlike():
		note += ": " + t.agreed.text()
	case t.draft.over() != nil:
		note += ": " + t.draft.over().Text()
	}
	return note
}

// do runs one effect and gives the events that it came to.
func (t *turn) do(ctx context.Context, e cycle.Effect) ([]cycle.Event, error) {
	switch e := e.(type) {
	case cycle.MakePlan:
		return t.plan(ctx, e.Trigger)
	case cycle.Apply:
		return t.apply(ctx, e)
	case cycle.Tell:
		return nil, t.tell(context.WithoutCancel(ctx), e)
	}
	return nil, nil
}

// plan drafts the environment and says what the plan came to.
func (t *turn) plan(ctx context.Context, trigger cycle.Trigger) ([]cycle.Event, error) {
	d := t.d
	h, r, err := d.current(ctx, t.row)
	if err != nil {
		return nil, err
	}
	if h != nil {
		t.head, t.repo = h, r
		t.row.Repo, t.row.Origin = r.Name, r.Origin
	}
	if trigger == cycle.Drift && t.pushed(ctx) {
		trigger = cycle.Push
	}
	t.run = store.Run{
		ID: d.NewID(), Env: t.env, Repo: t.repo.Name, Trigger: string(trigger), Commit: t.head.commit.Hash, Subject: t.head.commit.Subject,
		Actor: t.head.commit.Author, State: store.Planning, Started: d.Runner.Now(),
	}
	t.saved, t.draft, t.news, t.under, t.agreed = false, nil, reporter{fails: t.state.Fails}, "", Consent{}
	if err := t.bury(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	if err := t.head.lacking(); err != nil {
		return t.broken(ctx, err), nil
	}
	waivers, err := t.waivers(ctx)
	if err != nil {
		return nil, err
	}
	draft, err := d.Runner.Draft(t.lease.guard(ctx), Job{
		Tree: t.head.tree, Rules: t.head.rules, Env: t.env, Commit: t.head.commit.Hash, Actor: t.head.commit.Author,
		Trigger: string(trigger), Run: t.run.ID, Epoch: t.lease.epoch, May: t.repo.May, Refresh: RefreshOf(t.env, t.state.Refresh), Orphans: t.row.Orphans,
		Flaps: flapsOf(&t.row), Waivers: waivers,
	})
	t.row.CheckedAt, t.row.Commit = d.Runner.Now(), t.head.commit.Hash
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err() // a shutdown: it starts over
		}
		if hitchOf(err).class != nil {
			return nil, err // nothing is wrong with the environment
		}
		return t.broken(ctx, err), nil
	}
	if err := t.bind(context.WithoutCancel(ctx), draft); err != nil {
		return nil, err
	}
	t.draft = draft
	t.learn(draft)
	if t.rules.Mode != cycle.Observe {
		if err := d.Runner.correct(context.WithoutCancel(ctx), draft); err != nil {
			return nil, err
		}
		draft.journal.View(t.countOwned)
	}
	t.recall(ctx, draft.Plan.Digest)
	if err := t.reviewed(context.WithoutCancel(ctx), draft); err != nil {
		return nil, err
	}
	return []cycle.Event{cycle.Planned(t.facts(draft))}, nil
}

// pushed reports whether a commit changed the environment's spec since it was
// last looked at: a look for drift may be the first to see it.
func (t *turn) pushed(ctx context.Context) bool {
	if t.row.Digest == "" || t.head.commit.Hash == t.row.Commit || t.head.lacking() != nil {
		return false
	}
	digest, err := t.d.Runner.Specs.Digest(ctx, t.head.tree, t.env)
	return err == nil && digest != t.row.Digest
}

// learn copies what a draft tells into the environment's row.
func (t *turn) learn(draft *Draft) {
	t.row.Mode = cmp.Or(draft.Spec.Mode, t.row.Mode, string(cycle.Approve))
	t.rules.Mode = cycle.Mode(t.row.Mode)
	t.row.Digest, t.row.Resources, t.row.Unread, t.row.Absent = draft.Spec.Digest, draft.Owned, draft.Unread, draft.absent()
	t.row.Drift, _ = draft.Drift()
	t.row.Drift += leftAlone(draft.Plan)
	t.row.Orphans = draft.orphans(t.d.Runner.Now())
	keepFlaps(&t.row, draft.flaps(t.d.Runner.Now()))
	t.row.State, t.row.Note = stateWords(draft)
	t.run.Digest, t.run.Counts = draft.Plan.Digest, counts(draft.Plan)
}

func stateWords(draft *Draft) (state, note string) {
	switch {
	case draft.Denied():
		return "denied", draft.Findings.Sorted()[0].String()
	case draft.Unread > 0 && len(draft.Plan.Steps) == 0:
		return "unreadable", draft.firstHeld()
	case len(draft.Plan.Steps) > 0:
		return "changes", ""
	case len(draft.Plan.Held) > 0:
		return "held", draft.firstHeld()
	}
	return "in sync", besides(draft.Plan)
}

// besides is what is to be known of a plan that finds nothing to do: how much
// can't be told yet, or the first note on what somebody else did; or "".
func besides(p *plan.Plan) string {
	if p == nil {
		return ""
	}
	if late := view.LateText(p.Unsure(), view.Page{}); late != "" {
		return late
	}
	for _, n := range p.Notes {
		if n.Drift {
			return n.Address.Local() + ": " + n.Text
		}
	}
	return ""
}

// firstHeld tells the first of what is held, and a cause before what only
// follows from one.
func (d *Draft) firstHeld() string {
	if len(d.Plan.Held) == 0 {
		return ""
	}
	h := d.Plan.Held[max(0, slices.IndexFunc(d.Plan.Held, func(h plan.Held) bool { return h.Why != plan.HeldFollows }))]
	return h.Address.Local() + ": " + h.Text
}

func counts(p *plan.Plan) store.Counts {
	c := store.Counts{Held: len(p.Held)}
	for i := range p.Changes {
		switch p.Changes[i].Action {
		case plan.Create:
			c.Create++
		case plan.Update, plan.Adopt, plan.Pin:
			c.Update++
		case plan.Replace:
			c.Replace++
		case plan.Delete, plan.Forget:
			c.Delete++
		}
	}
	return c
}

// facts sums a draft up for the cycle.
func (t *turn) facts(draft *Draft) cycle.Facts {
	drifted, _ := draft.Drift()
	f := cycle.Facts{
		Digest: draft.Plan.Digest, Of: t.under, Denied: draft.Denied(), Changes: len(draft.Plan.Changes), Drift: drifted, Held: len(draft.Plan.Held), Ripe: draft.Plan.Ripe(),
		Over: draft.over() != nil, Agreed: t.agreed.By, Unlike: t.agreed.unlike(),
	}
	f.Key = f.Digest
	if f.Denied {
		f.Key += " " + draft.Findings.Error()
	}
	if f.Digest == "" {
		f.Key += heldKey(draft.Plan)
	}
	return f
}

// heldKey tells what a plan holds from what another does, "" where it holds
// nothing.
func heldKey(p *plan.Plan) string {
	key := ""
	for _, h := range p.Held {
		key += " " + h.Address.String() + string(h.Why) + h.Field
	}
	return key
}

// broken says that no plan could be made. A user's mistake stays one until the
// next push.
func (t *turn) broken(ctx context.Context, err error) []cycle.Event {
	var list diag.List
	final := errors.As(err, &list)
	t.row.State, t.row.Note = "broken", err.Error()
	if final {
		t.row.Note = list.Sorted()[0].String()
		if digest, derr := t.d.Runner.Specs.Digest(ctx, t.head.tree, t.env); derr == nil {
			t.row.Digest = digest
		}
	}
	t.news.broken = list
	t.news.err = err
	return []cycle.Event{cycle.Broken{Why: t.head.commit.Hash + " " + err.Error(), Final: final}}
}

// apply takes the draft's steps.
func (t *turn) apply(ctx context.Context, e cycle.Apply) ([]cycle.Event, error) {
	keep := context.WithoutCancel(ctx)
	if t.draft == nil || t.draft.Plan.Digest != e.Digest { // what may be applied is that digest, and nothing else
		return nil, fmt.Errorf("plan %s was to be applied and is not at hand any more", view.PlanID(e.Digest))
	}
	t.run.State = store.Applying
	t.row.State, t.row.Note = "applying", ""
	if err := t.save(keep); err != nil {
		return nil, err
	}
	former := t.draft.former
	out := t.take(ctx)
	t.news.outcome = out
	t.finish(out)
	if former != "" { // what it let go of it learns by a look
		if err := t.d.queue.add(keep, former, cycle.Ticked{Trigger: cycle.Manual}); err != nil {
			return nil, err
		}
	}
	done := cycle.Applied{OK: out.OK(), Key: t.run.ID, Held: heldKey(t.draft.Plan), Ripe: out.ripe(), Rest: t.under != "" || len(t.draft.Job.Imports) > 0}
	switch {
	case !out.Stopped || out.Report.OK():
	case out.Halt == nil:
		done.Stopped = true
	case out.Halt.Commit != "":
		done.Newer = true
	default:
		done.Halted = out.Halt.By
	}
	return []cycle.Event{done}, nil
}

// take takes the draft's steps, and shows them to who asks meanwhile. A cancel or
// a newer commit ends it as a shutdown does.
func (t *turn) take(ctx context.Context) *Outcome {
	now := t.begin()
	defer t.d.over(t.env)
	newer := overtaken{t: t, seen: t.head.commit.Hash}
	ctx, end := heed(ctx, t.d.Tenure.TTL/3, now.hurry, func(ctx context.Context) *view.Halt {
		if h := cancelled(ctx, t.d.Store, &t.run); h != nil {
			return now.heard(h)
		}
		return now.heard(newer.look(ctx))
	})
	out := t.d.Runner.Apply(t.lease.guard(ctx), t.draft, func(r apply.Result) {
		now.took(stepView(r))
		t.progress(context.WithoutCancel(ctx), r)
	})
	end()
	out.Halt = haltOf(ctx)
	return out
}

// finish sums an outcome up in the run and the row.
func (t *turn) finish(out *Outcome) {
	t.run.Ended = t.d.Runner.Now()
	t.run.Counts.Failed = out.lost()
	t.row.CheckedAt = t.run.Ended
	t.run.State, t.row.State = out.words()
	if out.OK() {
		t.row.Drift = leftAlone(&plan.Plan{Held: t.draft.Plan.Held})
	}
	why := out.firstFault()
	t.row.Note = cmp.Or(why, besides(out.After))
	if t.run.State == store.Cancelled {
		why = out.Halt.String()
		t.row.Note = why
	}
	t.run.Note = strings.Trim(t.run.Note+"; "+why, "; ")
	if out.OK() && len(t.draft.Plan.Held) > 0 {
		t.row.State, t.row.Note = "held", t.draft.firstHeld()
	}
	t.draft.journal.View(t.countOwned)
	kept := t.draft.limit().Back(flapsOf(&t.row), t.draft.putBack(out), t.run.Ended)
	keepFlaps(&t.row, kept.Refuse(t.draft.refused(out)))
}

// ripe is when the first of what could not be told after the apply can be.
func (o *Outcome) ripe() time.Time {
	if o.After == nil {
		return time.Time{}
	}
	return o.After.Ripe()
}

// lost counts the steps that went wrong.
func (o *Outcome) lost() int {
	return o.Count(apply.Failed) + o.Count(apply.InDoubt) + o.Count(apply.Moved)
}

// words are an outcome's state as a run's and as its environment's.
func (o *Outcome) words() (run store.RunState, env string) {
	switch {
	case o.OK():
		return store.Applied, "in sync"
	case o.Stopped && o.Halt != nil:
		return store.Cancelled, "cancelled"
	case o.Stopped:
		return store.Drained, "stopped"
	case o.Count(apply.Done) > 0:
		return store.Partial, "partial"
	}
	return store.Failed, "failed"
}

// firstFault is what went wrong first, or "".
func (o *Outcome) firstFault() string {
	for i := range o.Results {
		if err := o.Results[i].Err; err != nil && !o.OK() {
			return o.Results[i].Step.Address.Local() + ": " + err.Error()
		}
	}
	return o.unmet()
}

// progress tells how a step went, in the log and in the run's thread.
func (t *turn) progress(ctx context.Context, r apply.Result) {
	if r.Outcome == "" {
		return
	}
	attrs := []any{"env", t.env, "run", t.run.ID, "step", r.Step.ID, "outcome", string(r.Outcome), "took_ms", r.Ended.Sub(r.Started).Milliseconds()}
	if r.ID != "" {
		attrs = append(attrs, "id", string(r.ID))
	}
	if r.Err != nil {
		t.d.Log.WarnContext(ctx, "step", append(attrs, "error", r.Err)...)
	} else {
		t.d.Log.InfoContext(ctx, "step", attrs...)
	}
	t.news.steps = append(t.news.steps, stepView(r))
	if t.since(t.news.at) >= threadBeat {
		_ = t.thread(ctx, t.viewRun(view.Applying)) // what could not be kept is told with the next
	}
}

func stepView(r apply.Result) view.Step {
	s := view.Step{ID: r.Step.ID, Address: r.Step.Address, Op: r.Step.Op, Aspect: r.Step.Aspect, At: r.Ended, Took: r.Ended.Sub(r.Started)}
	switch r.Outcome {
	case "":
		s.State, s.At, s.Took = view.StepRunning, r.Started, 0
	case apply.Done, apply.Converged:
		s.State, s.Same = view.StepDone, r.Outcome == apply.Converged
	case apply.InDoubt:
		s.State = view.StepDoubt
	case apply.NotStarted:
		s.State, s.Took = view.StepWaiting, 0
	default:
		s.State = view.StepFailed
	}
	if r.Err != nil {
		f := apply.FaultOf(r.Err)
		s.Text, s.RequestID = f.Message, f.RequestID
		if r.Outcome == "" {
			s.Text = fmt.Sprintf("refused so far, at try %d: %s", r.Tries, f.Message)
		}
	}
	return s
}

// since is a duration from a time to now.
func (t *turn) since(at time.Time) time.Duration { return t.d.Runner.Now().Sub(at) }
