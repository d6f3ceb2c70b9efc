package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// sighting is what a re-read just before a step showed.
type sighting struct {
	object resource.Object
	found  bool
	young  bool // reads may not show our last write yet
	err    error
}

// wave re-reads what its steps touch, in one batch a session, and takes them.
func (x *execution) wave(steps []*stepState) {
	seen := x.look(steps)
	for i, st := range steps {
		go func() { x.results <- x.safely(st, seen[i]) }()
	}
}

// safely takes a step. A fault of our own ends the run with whatever intent is
// open left open: the next one settles it.
func (x *execution) safely(st *stepState, seen sighting) (ev event) {
	defer func() {
		if p := recover(); p != nil {
			err := &resource.Failure{Class: resource.Bug, Op: st.step.ID, Message: fmt.Sprintf("isobar's own fault: %v\n%s", p, debug.Stack())}
			ev = event{st: st, fatal: err, result: Result{Step: *st.step, Outcome: InDoubt, Err: err}}
		}
	}()
	return x.take(st, seen)
}

// look reads the live objects of steps that have one.
func (x *execution) look(steps []*stepState) []sighting {
	out := make([]sighting, len(steps))
	type ask struct {
		wants []resource.Want
		index map[string]int // kind → index in wants
		steps []int
	}
	asks := map[provider.Session]*ask{}
	for i, st := range steps {
		e, ok := x.entryOf(st.step)
		id := e.Record.ID
		if !ok && imports(st.step) {
			id = st.step.Live
		}
		if st.step.Op == ledger.Create || st.step.Op == ledger.Pin || st.step.Op == ledger.Forget || id == "" {
			continue
		}
		acc, err := x.account(st.step, e.Record.Scope)
		if err != nil {
			out[i].err = err
			continue
		}
		a := asks[acc.Session]
		if a == nil {
			a = &ask{index: map[string]int{}}
			asks[acc.Session] = a
		}
		n, seen := a.index[st.step.Address.Kind]
		if !seen {
			n = len(a.wants)
			a.index[st.step.Address.Kind] = n
			a.wants = append(a.wants, resource.Want{Kind: st.step.Address.Kind})
		}
		a.wants[n].By.IDs = append(a.wants[n].By.IDs, id)
		a.steps = append(a.steps, i)
	}
	var wg sync.WaitGroup
	for session, a := range asks {
		wg.Go(func() {
			at := x.Now()
			answers := session.Read(x.calls, a.wants)
			for _, i := range a.steps {
				out[i] = x.sight(steps[i].step, answers[a.index[steps[i].step.Address.Kind]], at)
			}
		})
	}
	wg.Wait()
	return out
}

func (x *execution) sight(s *plan.Step, a resource.Answer, at time.Time) sighting {
	e, _ := x.entryOf(s)
	k, _, _ := x.Kinds.Kind(s.Address.Type())
	out := sighting{err: a.Err, young: at.Before(e.At.Add(k.Lag)) && !slices.Contains(a.Ended, e.Record.ID)}
	for _, o := range a.Objects {
		if o.ID == cmp.Or(e.Record.ID, s.Live) {
			out.object, out.found, out.err = o, true, nil
			out.object.Address = s.Address
			out.object.Fields = x.run.Veil.Conceal(o.Fields, s.Want, e.Record.Applied)
		}
	}
	return out
}

// entryOf gives the ledger's entry that a step is about.
func (x *execution) entryOf(s *plan.Step) (ledger.Entry, bool) {
	if s.Token != "" {
		return x.run.Journal.entry(ledger.Key{Address: s.Address, Token: s.Token})
	}
	if s.Op == ledger.Create {
		return ledger.Entry{}, false
	}
	return x.run.Journal.current(s.Address)
}

// account gives the session for a step: its alias's, or that of the scope where
// its object lives.
func (x *execution) account(s *plan.Step, scope string) (Account, error) {
	return accountFor(x.run.Accounts, cmp.Or(s.Meta.Alias, s.Address.Provider), scope)
}

func accountFor(accounts map[string]Account, alias, scope string) (Account, error) {
	acc, ok := accounts[alias]
	if ok && (scope == "" || acc.Session.Scope() == scope) {
		return acc, nil
	}
	for _, a := range accounts {
		if scope != "" && a.Session.Scope() == scope {
			return a, nil
		}
	}
	if !ok {
		return Account{}, &resource.Failure{Class: resource.Invalid, Message: "no session with the provider " + alias + " could be opened"}
	}
	return Account{}, &resource.Failure{Class: resource.Invalid, Message: fmt.Sprintf("it lives in %s, and the provider %s looks at %s", scope, alias, acc.Session.Scope())}
}

// take does one step and says how it ended.
func (x *execution) take(st *stepState, seen sighting) event {
	t := &taking{x: x, calls: provider.WithStep(x.calls, st.step.ID), step: st.step, seen: seen, ev: event{st: st, result: Result{Step: *st.step}}}
	t.kind, t.desc, _ = x.Kinds.Kind(st.step.Address.Type())
	var known bool
	t.entry, known = x.entryOf(st.step)
	switch st.step.Op {
	case ledger.Pin:
		return t.pin(known)
	case ledger.Forget:
		return t.forget(known)
	case ledger.Create, ledger.Update, ledger.Clear, ledger.Delete, ledger.Adopt, ledger.Release:
	}
	var err error
	if t.account, err = x.account(st.step, t.entry.Record.Scope); err != nil {
		return t.failed(err)
	}
	switch {
	case st.step.Op == ledger.Create:
		return t.create()
	case imports(st.step) && !known:
		return t.adopt()
	case imports(st.step):
		return t.moved("it has an object by now")
	case !known:
		return t.moved("the ledger no longer has it")
	case seen.err != nil:
		return t.failed(seen.err)
	case t.entry.Open != nil:
		return t.moved("an earlier call is not settled")
	}
	t.ev.result.ID = t.entry.Record.ID
	switch st.step.Op {
	case ledger.Delete:
		return t.remove()
	case ledger.Release, ledger.Adopt:
		return t.mark()
	default:
		return t.update()
	}
}

// taking is one step under way.
type taking struct {
	x       *execution
	calls   context.Context // as the execution's, told apart by step
	step    *plan.Step
	seen    sighting
	entry   ledger.Entry
	account Account
	kind    provider.Kind
	desc    *resource.Descriptor
	ev      event
	left    resource.Map // what a refused call left otherwise than it found it, beside what it was to change
	begun   bool         // it goes on with what a call of this run made: a stop does not come between
}

func (t *taking) end(o Outcome) event {
	t.ev.result.Outcome = o
	return t.ev
}

func (t *taking) failed(err error) event {
	t.ev.result.Err = err
	var secret *provider.SecretError
	if errors.As(err, &secret) && secret.Moved {
		return t.end(Moved) // the error says to plan again
	}
	t.ev.retry = t.passes(err) && !resource.Interrupts(err)
	var f *resource.Failure
	t.ev.taken = errors.As(err, &f) && f.Taken
	return t.end(Failed)
}

func (t *taking) moved(format string, args ...any) event {
	t.ev.result.Err = fmt.Errorf(format+"; plan again", args...)
	return t.end(Moved)
}

// fatal ends the run with the step's call left to be settled.
func (t *taking) fatal(err error) event {
	t.ev.fatal, t.ev.result.Err = err, err
	return t.end(InDoubt)
}

// unwritten ends the run before the step's call, which was not made: what it
// would do could not be written.
func (t *taking) unwritten(err error) event {
	if !errors.Is(err, provider.ErrStopped) {
		t.ev.fatal, t.ev.result.Err = err, fmt.Errorf("what would be done can't be recorded: %w", err)
	}
	return t.end(NotStarted)
}

// unheard ends the run after a call of whose end nothing could be written: the
// next run finds it out.
func (t *taking) unheard(was string, err error) event {
	t.ev.fatal, t.ev.result.Err = err, fmt.Errorf("it was %s, which can't be recorded: %w", was, err)
	return t.end(InDoubt)
}

// write appends one event about the step's entry.
func (t *taking) write(ev ledger.Event) error {
	ev.Address, ev.Token = t.entry.Address, t.entry.Token
	return t.x.run.Journal.Append(t.calls, ev)
}

// intend writes what is about to be done; nothing is sent before it is durable.
// Of a run that was stopped nothing is begun: provider.ErrStopped.
func (t *taking) intend(rec ledger.Record, changes []resource.Change) error {
	if t.x.stopped() && !t.begun {
		return provider.ErrStopped
	}
	in := &ledger.Intent{Step: t.step.ID, Op: t.step.Op, Aspect: t.step.Aspect, Record: rec, Epoch: t.x.run.Journal.Epoch}
	for _, c := range changes {
		in.Paths = append(in.Paths, c.Path)
	}
	return t.write(ledger.Event{Type: ledger.Intended, Intent: in, Past: t.step.Past})
}

// outcome writes what came of the call and says how the step ended. done is
// written when it was done.
func (t *taking) outcome(done ledger.Event, err error) event {
	var fenced *provider.FencedError
	switch {
	case err == nil:
		if werr := t.write(done); werr != nil {
			return t.unheard("done", werr)
		}
		return t.end(Done)
	case errors.As(err, &fenced): // not sent; who holds the lease now settles the intent
		return t.fatal(err)
	case resource.ClassOf(err) == resource.UnknownOutcome || resource.ClassOf(err) == resource.Bug:
		return t.doubt(err)
	}
	err = t.pointed(err)
	stopped, was := errors.Is(err, provider.ErrStopped), "refused ("+err.Error()+")"
	if stopped {
		was = "not sent"
	}
	if werr := t.write(ledger.Event{Type: ledger.Failed, Fault: FaultOf(err), Record: t.stranded()}); werr != nil {
		return t.unheard(was, werr)
	}
	if stopped {
		return t.end(NotStarted) // it waited for its turn, and was not sent
	}
	return t.failed(err)
}

// doubt records an unknown outcome and tries to settle it on the spot.
func (t *taking) doubt(err error) event {
	t.ev.result.Err = err
	if werr := t.write(ledger.Event{Type: ledger.Doubted, Fault: FaultOf(err)}); werr != nil {
		return t.fatal(werr)
	}
	if blinded(err) {
		return t.end(InDoubt) // nor could it be settled now
	}
	s := settling{engine: t.x.Engine, estate: t.x.run.Estate, journal: t.x.run.Journal, accounts: t.x.run.Accounts, veil: t.x.run.Veil, deaf: map[ledger.Key]error{}}
	if !errors.Is(err, errRunning) { // else it was waited for
		s.until = t.x.Now().Add(longWork)
	}
	verdict, serr := s.patiently(t.calls, t.entry.Key)
	switch {
	case serr != nil:
		return t.fatal(serr)
	case verdict == wasDone:
		t.ev.result.Err = nil
		if e, ok := t.x.run.Journal.entry(t.entry.Key); ok {
			t.ev.result.ID = e.Record.ID
		}
		return t.end(Done)
	case verdict == wasNotDone:
		t.ev.retry = true
		return t.end(Failed)
	}
	return t.end(InDoubt)
}

// blinded reports whether an outcome is unknown since nobody may ask for it.
func blinded(err error) bool {
	var f *resource.Failure
	return errors.As(err, &f) && f.Class == resource.UnknownOutcome && resource.ClassOf(f.Err) == resource.Denied
}

// FaultOf is an error as the ledger keeps it.
func FaultOf(err error) *ledger.Fault {
	f := &ledger.Fault{Class: resource.ClassOf(err), Message: err.Error()}
	var fail *resource.Failure
	if errors.As(err, &fail) {
		f.RequestID = fail.RequestID
	}
	return f
}

// deps fills in the tokens of the step's dependencies.
func (x *execution) deps(s *plan.Step, aspects func(string) bool) []ledger.Dep {
	var out []ledger.Dep
	for _, d := range s.Deps {
		if !aspects(d.Aspect) {
			continue
		}
		if e, ok := x.run.Journal.current(d.Address); ok {
			d.Token = e.Token
		}
		out = append(out, d)
	}
	return out
}
