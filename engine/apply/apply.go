// Package apply interprets a plan: it makes the calls of its steps in order of
// their needs, with the intent on disk before each call and the outcome after
// it, and settles what an earlier run left open. It must not decide what to do:
// a step whose ground has moved is not taken. Floor 5.
package apply

import (
	"cmp"
	"context"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// Kinds tells what is known of a kind by its full name, "aws.vpc".
type Kinds interface {
	Kind(name string) (provider.Kind, *resource.Descriptor, bool)
}

// Account is a session with the settings that reopen it, as the ledger keeps
// them.
type Account struct {
	Session  provider.Session
	Settings resource.Map
}

// veil puts the veil before each account's session.
func veil(v *provider.Veil, accounts map[string]Account) map[string]Account {
	if v == nil {
		return accounts
	}
	out := make(map[string]Account, len(accounts))
	for alias, acc := range accounts {
		acc.Session = v.Over(acc.Session)
		out[alias] = acc
	}
	return out
}

// Engine applies plans. Its fields are read only; it is safe for concurrent
// use by several runs.
type Engine struct {
	Kinds    Kinds
	Now      func() time.Time
	NewToken func() string                                    // UUIDv7 text
	Sleep    func(ctx context.Context, d time.Duration) error // returns ctx.Err when ctx ends first
	Width    int                                              // calls at once in one run; 0 is 8
}

// Run is one plan's application to one environment.
type Run struct {
	Estate   string
	Plan     *plan.Plan
	Journal  *Journal
	Accounts map[string]Account                // by alias
	Outs     map[resource.Address]resource.Map // outputs of other environments' resources
	Schema   string                            // the schema's version, for the ledger
	Veil     *provider.Veil                    // reveals secrets to providers, and hides them in what they tell; nil knows none
	// Progress is told of each step's start (Outcome "", with Err once a try of it
	// was refused) and end; it may be nil. Calls come one at a time.
	Progress func(Result)
}

// Outcome is how a step ended.
type Outcome string

// The outcomes.
const (
	Done       Outcome = "done"
	Converged  Outcome = "converged"   // it was so already: no call was made
	Failed     Outcome = "failed"      // definitely not done
	InDoubt    Outcome = "in doubt"    // may or may not be done: settled before anything else happens there
	Moved      Outcome = "moved"       // what the plan saw has changed since: not done, plan again
	NotStarted Outcome = "not started" // it needs something that was not done, or the run ended before its call
)

// Result is one step's outcome.
type Result struct {
	Step    plan.Step
	Outcome Outcome
	ID      resource.ID
	Err     error     // for Failed, InDoubt and Moved, and for NotStarted where it could not be recorded: in words for people
	Started time.Time // of the first try
	Ended   time.Time
	Tries   int // how often it was taken
}

// Report is a run's outcome: a Result for each step, in order of step ids.
type Report struct {
	Results []Result
	Stopped bool  // ctx ended before all steps were taken
	Err     error // the journal could not be written, or the lease was lost: the run ended at once
}

// Count counts the results of an outcome.
func (r *Report) Count(o Outcome) int {
	n := 0
	for i := range r.Results {
		if r.Results[i].Outcome == o {
			n++
		}
	}
	return n
}

// OK reports whether every step was done or was so already.
func (r *Report) OK() bool {
	return r.Err == nil && r.Count(Done)+r.Count(Converged) == len(r.Results)
}

// Apply writes the plan's corrections and takes its steps. When ctx ends no
// further step starts, and calls under way are left to finish. A failure stops
// only what needs it.
func (e *Engine) Apply(ctx context.Context, r *Run) *Report {
	veiled := *r
	veiled.Accounts = veil(r.Veil, r.Accounts)
	r = &veiled
	x := newExecution(ctx, e, r)
	rep := &Report{}
	if err := e.Correct(ctx, r); err != nil {
		rep.Err = err
	} else {
		x.loop(ctx, rep)
	}
	for i := range r.Plan.Steps {
		s := &r.Plan.Steps[i]
		if st := x.state[s.ID]; st != nil && st.result.Outcome != "" {
			rep.Results = append(rep.Results, st.result)
		} else {
			rep.Results = append(rep.Results, Result{Step: *s, Outcome: NotStarted})
		}
	}
	return rep
}

// Correct writes what spec and cloud agree on and the ledger did not know, and
// calls nobody. Apply begins with it; a plan without steps needs nothing more.
// The error is the journal's.
func (e *Engine) Correct(ctx context.Context, r *Run) error {
	if len(r.Plan.Ledger) == 0 {
		return nil
	}
	evs := make([]ledger.Event, 0, len(r.Plan.Ledger))
	for _, c := range r.Plan.Ledger {
		ev := ledger.Event{Address: c.Address, Token: c.Token, Type: c.Type, Record: c.Record, From: c.From, Why: c.Why, Beside: c.Beside}
		if c.Type == ledger.Adopted {
			rec := *c.Record
			if acc, ok := r.Accounts[cmp.Or(rec.Meta.Alias, c.Address.Provider)]; ok {
				rec.Scope, rec.Settings = acc.Session.Scope(), acc.Settings
			}
			ev.Record = &rec
		}
		evs = append(evs, ev)
	}
	return r.Journal.Append(ctx, evs...)
}
