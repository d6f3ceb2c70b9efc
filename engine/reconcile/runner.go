package reconcile

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"math"
	"slices"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/observe"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// Specs evaluates repositories. A user's mistakes come back as a diag.List.
type Specs interface {
	Estate(ctx context.Context, tree fs.FS) (spec.Estate, error)
	Digest(ctx context.Context, tree fs.FS, env string) (string, error)
	Environment(ctx context.Context, tree fs.FS, env string) (spec.Environment, error)
}

// Policies judges plans. A policy's own mistakes come back as a diag.List.
type Policies interface {
	Judge(ctx context.Context, tree fs.FS, env spec.Environment, in policy.Input) (diag.List, error)
}

// Ledger keeps events and their fold.
type Ledger interface {
	apply.Events
	State(ctx context.Context, env string) (*ledger.State, error)
	Environments(ctx context.Context) ([]store.Environment, error)
	Restored(ctx context.Context) (time.Time, error)
}

// Runner does runs. Its fields are read only; it is safe for concurrent use by
// runs of different environments.
type Runner struct {
	Specs     Specs
	Policies  Policies
	Ledger    Ledger
	Words     Words // what people said of objects; nil: nothing
	Catalogue provider.Catalogue
	Sessions  *Sessions
	Observer  *observe.Observer
	Engine    *apply.Engine
	Now       func() time.Time
	Schema    string        // the version of the schemas, for the ledger
	Holder    ledger.Holder // the store, which its tokens name; 0 heeds no other
	// Secrets gives the secrets that a spec binds to sources; nil: none can be
	// had.
	Secrets func(map[string]resource.SecretSource) provider.Secrets
}

// Job is one environment to plan.
type Job struct {
	Tree    fs.FS
	Rules   fs.FS // where policies/ is read; nil is Tree, which then is the base branch's
	Env     string
	Commit  string
	Actor   string
	Trigger string
	Run     string // the run's id
	Epoch   int64  // the lease's
	Bounded bool   // nobody is asked: what goes beyond the spec's limit of deletes is held
	// May says why a profile of credentials may not be used ("": what the process
	// itself has), or nil. A nil May lets all be used.
	May     func(profile string) error
	Destroy bool     // plan the deletion of everything, as a person asked by name
	Imports []Import // bring these under management, and do nothing else
	// TakeOver has the objects come under this store's marks that bear another's,
	// where there are any: then nothing else is done.
	TakeOver bool
	Refresh  Refresh // lookups to ask anew, though they are pinned
	// Waivers accept findings of rules beside those of the spec.
	Waivers []spec.Waiver
	// Flaps are the fields that were put back of late, or refused at the cost of an
	// interruption, as the environment's row has them: in mode auto those that flap are
	// left alone, and what was refused is not asked for again. nil takes up all.
	Flaps plan.Flaps
	// Orphans are those that waited for a person before, as the environment's row
	// has them.
	Orphans map[string]time.Time
}

// Draft is a plan with all that applying it needs.
type Draft struct {
	Job      Job
	Estate   spec.Estate
	Spec     spec.Environment
	Plan     *plan.Plan
	Findings diag.List // policy's decisions; an Error denies
	Warnings diag.List // of the spec
	Wants    int
	Took     time.Duration     // of the observation
	Open     []apply.Unsettled // intents that could not be settled yet
	Owned    int               // objects in the ledger
	counted  int               // of them, those that count for the budget of deletes
	Unread   int               // objects that could not be read
	Rivalled bool              // asked to take over: another store is seen to work on the environment

	journal *apply.Journal
	veil    *provider.Veil
	unready map[resource.Address]plan.Unready
	world   observe.World
	opened  accounts
	outs    map[resource.Address]resource.Map
	imports map[resource.Address]plan.Import
	words   words
	// protected is what the spec of a destroy protects, though no apply may have
	// taken that into the ledger yet.
	protected map[resource.Address]bool
	undone    []resource.Desired // what the spec of a destroy has
	restored  time.Time          // when the store was set back, zero for never

	lost     []plan.Note // of what bears the marks of environments that nobody knows
	standing map[resource.Address]plan.Standing
	former   string                          // the environment's name before, from which the job's imports move; "" for none
	pins     []plan.Correction               // of lookups, that come along
	waiting  map[resource.Address]plan.Wait  // what can't move yet, with the reason
	gone     map[string]plan.Gone            // marks of environments that are gone
	awaited  map[ledger.Key]plan.Wait        // what another environment is to have
	owned    map[ownedID][]*ledger.Entry     // what the ledgers of other environments have
	taking   map[ownedID]string              // the environment that has begun to take an object, and has not got it
	away     map[ledger.Key]resource.Address // what is another environment's by now
	only     map[string]string               // the sums of the steps that may be taken, by id; nil: all of the plan's
}

// Denied reports whether a policy forbids the plan.
func (d *Draft) Denied() bool { return d.Findings.Errors() > 0 }

// Drift counts the objects that were changed outside, and of them those in which
// nothing else changes.
func (d *Draft) Drift() (drifted, only int) {
	for i := range d.Plan.Changes {
		c := &d.Plan.Changes[i]
		if c.Drifted() {
			drifted++
		}
		if c.OnlyDrifted() {
			only++
		}
	}
	return drifted, only
}

// Known counts the changes that the ledger only takes in: no call is made.
func (d *Draft) Known() int {
	n := 0
	for i := range d.Plan.Changes {
		c := &d.Plan.Changes[i]
		if c.Action == plan.Adopt && !slices.ContainsFunc(d.Plan.Steps, func(s plan.Step) bool { return s.Address == c.Address }) {
			n++
		}
	}
	return n
}

// Draft evaluates, settles what earlier runs left open, observes, plans and
// judges. Errors of type diag.List are the user's to mend.
func (r *Runner) Draft(ctx context.Context, job Job) (*Draft, error) {
	return r.drafted(ctx, job, func(ctx context.Context, d *Draft) ([]apply.Unsettled, error) {
		return r.Engine.Settle(ctx, d.veil, d.Estate.ID, d.journal, d.opened.accounts)
	})
}

// drafted makes a draft; settle sees to what earlier runs left open, and gives what
// stays so.
func (r *Runner) drafted(ctx context.Context, job Job, settle func(context.Context, *Draft) ([]apply.Unsettled, error)) (*Draft, error) {
	ctx = provider.WithCaller(ctx, job.Env) // environments take turns in a shared rate budget
	d := &Draft{Job: job}
	var err error
	if d.Estate, err = r.Specs.Estate(ctx, job.Tree); err != nil {
		return nil, err
	}
	lost, err := r.evaluate(ctx, d)
	if err != nil {
		return nil, err
	}
	r.stamp(ctx, d)
	state, err := r.Ledger.State(ctx, job.Env)
	if err != nil {
		return nil, err
	}
	if d.restored, err = r.Ledger.Restored(ctx); err != nil {
		return nil, err
	}
	d.journal = apply.NewJournal(r.Ledger, state, r.Now)
	d.journal.Env, d.journal.RunID, d.journal.Epoch = job.Env, job.Run, job.Epoch
	began := r.Now()
	d.opened = r.Sessions.open(ctx, who{d.Estate.ID, job.May}, d.Spec.Providers, state)
	if d.Open, err = settle(ctx, d); err != nil {
		return nil, err
	}
	if err := r.foreign(ctx, d); err != nil {
		return nil, err
	}
	r.look(ctx, d)
	r.takeOver(d)
	if err := r.depart(ctx, d, lost); err != nil {
		return nil, err
	}
	if err := r.arrive(ctx, d); err != nil { // in the place of what went
		return nil, err
	}
	r.seek(ctx, d)
	if err := errors.Join(r.traces(ctx, d), r.standing(ctx, d)); err != nil {
		return nil, err
	}
	if err := errors.Join(r.hear(ctx, d), r.await(ctx, d), r.untaken(ctx, d)); err != nil {
		return nil, err
	}
	d.Plan = r.plan(ctx, d, lost)
	d.Took, d.Wants = r.Now().Sub(began), d.Wants+len(d.opened.blind) // what could not be asked was tried, too
	if err := r.leaned(ctx, d); err != nil {
		return nil, err
	}
	d.Findings, err = r.judge(ctx, d)
	return d, err
}

// evaluate evaluates the spec. lost says that it is gone or empty, rather than
// edited.
func (r *Runner) evaluate(ctx context.Context, d *Draft) (lost bool, err error) {
	listed := !d.absent()
	switch {
	case d.Job.Destroy && !listed:
		d.Spec = spec.Environment{Name: d.Job.Env, Mode: d.Estate.Mode} // the ledger knows what it made
		return false, nil
	case d.Job.Destroy:
		d.Spec, err = r.Specs.Environment(ctx, d.Job.Tree, d.Job.Env)
		d.protected, d.undone = protected(d.Spec.Desired), d.Spec.Desired
		d.Spec.Desired = nil
		return false, err
	case !listed:
		d.Spec = spec.Environment{Name: d.Job.Env, Mode: d.Estate.Mode}
		return true, nil
	}
	d.Spec, err = r.Specs.Environment(ctx, d.Job.Tree, d.Job.Env)
	d.Warnings = d.Spec.Warnings
	return r.empty(d), err
}

// empty reports whether a draft's spec wants no object.
func (r *Runner) empty(d *Draft) bool {
	return !slices.ContainsFunc(d.Spec.Desired, func(w resource.Desired) bool {
		_, desc, known := r.Catalogue.Kind(w.Address.Type())
		return !known || !desc.Lookup
	})
}

// absent reports whether the repository no longer has the draft's environment.
func (d *Draft) absent() bool { return !slices.Contains(d.Estate.Environments, d.Job.Env) }

// protected gives the addresses whose objects preventDestroy keeps, the one
// before a rename too.
func protected(desired []resource.Desired) map[resource.Address]bool {
	out := map[resource.Address]bool{}
	for i := range desired {
		if m := desired[i].Meta; m.PreventDestroy {
			out[desired[i].Address] = true
			if m.MovedFrom != nil {
				out[*m.MovedFrom] = true
			}
		}
	}
	return out
}

// foreign takes the outputs of other environments' resources from their
// ledgers.
func (r *Runner) foreign(ctx context.Context, d *Draft) error {
	states := map[string]*ledger.State{}
	d.outs = map[resource.Address]resource.Map{}
	for i := range d.Spec.Desired {
		for _, ref := range resource.Refs(d.Spec.Desired[i].Fields) {
			env := ref.Address.Env
			if env == d.Job.Env || d.outs[ref.Address] != nil {
				continue
			}
			if states[env] == nil {
				s, err := r.Ledger.State(ctx, env)
				if err != nil {
					return err
				}
				states[env] = s
			}
			if e := states[env].Current(ref.Address); e != nil && e.Made {
				d.outs[ref.Address] = e.Record.Outs
			}
		}
	}
	return nil
}

// look observes the world for a draft.
func (r *Runner) look(ctx context.Context, d *Draft) {
	started := r.Now()
	d.journal.View(func(s *ledger.State) {
		d.world = r.Observer.Observe(ctx, observe.Request{
			Estate: d.Estate.ID, Env: d.Job.Env, Former: d.Spec.MovedFrom, Gone: d.departed, Ledger: s, Desired: d.Spec.Desired,
			Also: r.leftovers(d, s), Beside: r.everywhere(d),
			Sessions: d.opened.sessions(), Blind: d.opened.blind, Veil: d.veil, Refresh: d.Job.Refresh,
		})
	})
	d.Took, d.Wants = r.Now().Sub(started), d.world.Wants
}

// build makes the plan of what was seen.
func (r *Runner) build(d *Draft, lost bool) *plan.Plan {
	var p *plan.Plan
	d.journal.View(func(s *ledger.State) {
		d.Owned, d.counted = len(s.Entries), plan.Owned(s, r.kinds())
		s, parted := d.parts(s)
		s = d.withPins(s)
		in := r.input(d, s, lost)
		p = plan.Build(in)
		if d.former != "" && len(p.Steps) == 0 { // nothing can move now: the rest goes on without it
			for a, why := range stayed(p) {
				d.waiting[a] = why
			}
			d.Job.Imports, in.Imports = nil, nil
			p = plan.Build(in)
		} else if d.former != "" {
			p.Ledger = append(slices.Clone(d.pins), p.Ledger...)
		}
		p.Ledger = append(parted, p.Ledger...)
	})
	if len(d.Job.Imports) == 0 && !d.Job.Destroy {
		p.Notes = append(p.Notes, d.lost...)
	}
	d.Unread = 0
	for _, live := range d.world.Live {
		if live.Seen == plan.Unread && live.Trail == nil { // else it was read, too soon
			d.Unread++
		}
	}
	for _, found := range d.world.Found {
		if found.Seen == plan.Unread {
			d.Unread++
		}
	}
	partly := map[resource.Address]bool{}
	for i := range p.Held {
		if p.Held[i].Blind() {
			partly[p.Held[i].Address] = true
		}
	}
	d.Unread += len(partly)
	return p
}

// input is what a plan is made from, over a ledger. lost says that the spec is
// gone or empty, rather than edited.
func (r *Runner) input(d *Draft, s *ledger.State, lost bool) plan.Input {
	in := plan.Input{
		Ledger: s, Applied: d.applied(s), Holder: r.Holder, TakeOver: d.Job.TakeOver, Former: d.former, Waiting: d.waiting, Gone: d.gone, Awaited: d.awaited, Away: d.away,
		Destroy: d.Job.Destroy, Protected: d.protected, Scopes: d.opened.scopes(), Imports: d.imports,
		Env: d.Job.Env, Estate: d.Estate.ID, Desired: d.Spec.Desired, Lost: lost,
		Live: d.world.Live, Doubts: doubts(d.Open), Strays: d.world.Strays, Copies: d.world.Copies, Standing: d.standing, Kinds: r.kinds(), Outs: d.outs, Blind: d.world.Blind, Unready: d.unready,
		Found: d.world.Found, Homes: d.world.Homes, Confirmed: d.words.confirmed, Released: d.words.released,
		Paused: d.paused(r.Now()), Spurned: d.spurned(r.Now()), Anew: d.anew(), Restored: d.restored, Had: addresses(d.undone),
	}
	if d.Job.Bounded && !d.Job.Destroy {
		in.Deletes = budget(d.Spec.Deletes)
	}
	return in
}

// doubts gives plan what keeps open intents from being settled.
func doubts(open []apply.Unsettled) map[ledger.Key]plan.Doubt {
	out := make(map[ledger.Key]plan.Doubt, len(open))
	for _, u := range open {
		d := plan.Doubt{Until: u.Until}
		if u.Why != nil {
			d.Why = u.Why.Error()
		}
		out[u.Key] = d
	}
	return out
}

// kinds gives plan what it needs to know of every kind.
func (r *Runner) kinds() map[string]plan.Kind {
	out := make(map[string]plan.Kind, len(r.Catalogue.Descriptors))
	for name := range r.Catalogue.Descriptors {
		k, d, ok := r.Catalogue.Kind(name)
		if ok {
			out[name] = plan.Kind{
				Descriptor: d, Schema: r.Schema, Marked: !k.Unmarked, Found: k.Origin == provider.OriginFound, Named: k.Settle == provider.SettleNatural,
			}
		}
	}
	return out
}

// judge holds the plan against the rules.
func (r *Runner) judge(ctx context.Context, d *Draft) (diag.List, error) {
	if r.Policies == nil {
		return nil, nil
	}
	trigger := d.Job.Trigger
	if d.Job.Destroy {
		trigger = "destroy" // a person named the environment: the rule on mass deletion stands aside
	}
	if d.meant() {
		trigger = "confirm" // a person named each object
	}
	rules := d.Job.Rules
	if rules == nil {
		rules = d.Job.Tree
	}
	env := d.Spec
	env.Policy.Waivers = slices.Concat(env.Policy.Waivers, d.Job.Waivers)
	return r.Policies.Judge(ctx, rules, env, policy.Input{
		Plan: d.Plan, Desired: d.Spec.Desired, Live: d.live(), Kinds: r.Catalogue.Descriptors, Commit: d.Job.Commit,
		Actor: d.Job.Actor, Trigger: trigger, Mode: d.Spec.Mode,
	})
}

// live gives the objects that were seen, in order of their addresses.
func (d *Draft) live() []resource.Object {
	out := make([]resource.Object, 0, len(d.world.Live))
	for _, r := range d.world.Live {
		if r.Seen == plan.Present {
			out = append(out, r.Object)
		}
	}
	slices.SortFunc(out, func(a, b resource.Object) int { return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Outcome is how an apply ended.
type Outcome struct {
	*apply.Report
	Halt  *view.Halt // what ended it before all was done, beside a shutdown; nil for nothing
	After *plan.Plan // what a look afterwards still found to do; nil where there was none
	Next  *plan.Plan // after an import: what a plan finds to do now, of which nothing was asked for
}

// OK reports whether all steps were done and nothing was left to do.
func (o *Outcome) OK() bool { return o.Report.OK() && (o.After == nil || len(o.After.Steps) == 0) }

// ErrDenied says that a policy forbids a plan: nothing of it is applied.
var ErrDenied = errors.New("a policy denies the plan: nothing was applied")

// Apply takes a draft's steps, then looks again: what a second plan would still
// do is in After. progress may be nil. When ctx ends no further step starts. A
// denied draft is refused with ErrDenied, whoever asks.
func (r *Runner) Apply(ctx context.Context, d *Draft, progress func(apply.Result)) *Outcome {
	if d.Denied() {
		return &Outcome{Report: &apply.Report{Err: ErrDenied}}
	}
	ctx = provider.WithCaller(ctx, d.Job.Env)
	run := r.order(d)
	run.Progress = progress
	if err := r.carry(ctx, d); err != nil {
		return &Outcome{Report: &apply.Report{Err: err}}
	}
	out := &Outcome{Report: r.Engine.Apply(ctx, run)}
	d.imports, d.former, d.pins = nil, "", nil // asked for once
	if out.Err != nil || out.Stopped {
		return out
	}
	d.Job.Refresh, d.Job.TakeOver = Refresh{}, false // what was asked anew is pinned by now, and what was taken over is
	r.look(ctx, d)
	left := r.plan(ctx, d, d.Plan.Env != "" && r.empty(d) && !d.Job.Destroy)
	if len(d.Job.Imports) > 0 {
		out.Next = left
	} else {
		out.After = d.rest(left)
	}
	return out
}

// correct writes what a draft without steps found that the ledger did not know:
// a new preventDestroy, an object that is gone or was adopted. It calls nobody.
func (r *Runner) correct(ctx context.Context, d *Draft) error {
	if len(d.Plan.Steps) > 0 || d.Denied() {
		return nil // with the steps, once they may be taken
	}
	if err := r.carry(ctx, d); err != nil {
		return err
	}
	return r.Engine.Correct(ctx, r.order(d))
}

// order is a draft as apply takes it.
func (r *Runner) order(d *Draft) *apply.Run {
	return &apply.Run{
		Estate: d.Estate.ID, Plan: d.Plan, Journal: d.journal, Accounts: d.opened.accounts, Outs: d.outs, Schema: r.Schema,
		Veil: d.veil,
	}
}

// budget is what a spec lets one plan delete. Its zeros mean none: a share is
// rounded up, and only plan's negatives say as much.
func budget(d spec.Deletes) plan.Budget {
	b := plan.Budget{Count: d.Max, Percent: int(math.Ceil(d.MaxShare*100 - 1e-9))} // 0.07*100 is a little more than 7
	if b.Count <= 0 {
		b.Count = -1
	}
	if b.Percent <= 0 {
		b.Percent = -1
	}
	return b
}
