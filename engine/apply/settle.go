package apply

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// verdict is what became of an open intent.
type verdict int

const (
	notSettled verdict = iota
	wasDone
	wasNotDone
)

// settling closes open intents by asking the world.
type settling struct {
	engine   *Engine
	estate   string
	journal  *Journal
	accounts map[string]Account
	veil     *provider.Veil
	deaf     map[ledger.Key]error // what could not be asked for, with why
	until    time.Time            // how long work that still runs is waited for; each is asked for once at least
}

// Settle closes every open intent of a journal, each by its kind's rule: a
// create by Find, an update field by field, a delete by absence. What can't be
// told yet stays open, and is given; so does what a provider still works on, which
// is waited for heardOut in all. The error is the journal's. v may be nil.
func (e *Engine) Settle(ctx context.Context, v *provider.Veil, estate string, j *Journal, accounts map[string]Account) (open []Unsettled, err error) {
	var keys []ledger.Key
	j.View(func(s *ledger.State) {
		for _, en := range s.Sorted() {
			if en.Open != nil {
				keys = append(keys, en.Key)
			}
		}
	})
	s := settling{engine: e, estate: estate, journal: j, accounts: veil(v, accounts), veil: v, deaf: map[ledger.Key]error{}, until: e.Now().Add(heardOut)}
	for _, k := range keys {
		got, err := s.once(ctx, k)
		if err != nil {
			return open, err
		}
		if got == notSettled {
			open = append(open, s.unsettled(k))
		}
	}
	return open, nil
}

// unheard leaves an intent open that could not be asked for.
func (s settling) unheard(k ledger.Key, why error) (verdict, error) {
	s.deaf[k] = why
	return notSettled, nil
}

// patiently tries for a little longer than reads may trail, within reason: what
// takes longer is left to the next run.
func (s settling) patiently(ctx context.Context, k ledger.Key) (verdict, error) {
	pause, spent := 200*time.Millisecond, time.Duration(0)
	for {
		v, err := s.once(ctx, k)
		if v != notSettled || err != nil || spent > 5*time.Second {
			return v, err
		}
		if s.engine.Sleep(ctx, pause) != nil {
			return notSettled, nil
		}
		spent += pause
		pause *= 2
	}
}

// once tries to settle one intent. The error is the journal's only.
func (s settling) once(ctx context.Context, k ledger.Key) (verdict, error) {
	e, ok := s.journal.entry(k)
	if !ok || e.Open == nil {
		return wasDone, nil
	}
	if _, _, known := s.engine.Kinds.Kind(k.Address.Type()); !known {
		return notSettled, nil
	}
	acc, err := accountFor(s.accounts, cmp.Or(e.Open.Record.Meta.Alias, k.Address.Provider), e.Open.Record.Scope)
	if err != nil {
		return s.unheard(k, err)
	}
	running := false
	if e.Open.Handle != "" {
		p, err := s.engine.await(ctx, acc.Session, provider.Progress{Handle: e.Open.Handle}, s.until)
		if running = errors.Is(err, errRunning); running && e.Open.Doubt == nil {
			werr := s.journal.Append(ctx, ledger.Event{Address: k.Address, Token: k.Token, Type: ledger.Doubted, Fault: FaultOf(err)})
			if werr != nil {
				return notSettled, werr
			}
		}
		if err == nil && (e.Open.Op == ledger.Create) && p.Object.ID != "" {
			return s.made(ctx, e, acc, p.Object)
		}
	}
	switch e.Open.Op {
	case ledger.Create:
		return s.create(ctx, e, acc, running)
	case ledger.Delete:
		return s.gone(ctx, e, acc, running)
	default:
		return s.changed(ctx, e, acc, running)
	}
}

func (s settling) write(ctx context.Context, k ledger.Key, ev ledger.Event, v verdict) (verdict, error) {
	ev.Address, ev.Token, ev.Type = k.Address, k.Token, ledger.Settled
	if err := s.journal.Append(ctx, ev); err != nil {
		return notSettled, err
	}
	return v, nil
}

// create asks by the kind's rule for what became of a create. While its work runs
// it is not told to be not done.
func (s settling) create(ctx context.Context, e ledger.Entry, acc Account, running bool) (verdict, error) {
	kind, _, _ := s.engine.Kinds.Kind(e.Address.Type())
	asked := s.engine.Now()
	p, err := acc.Session.Find(ctx, provider.Intent{
		Want: resource.Object{Address: e.Address, Fields: e.Open.Record.Applied}, Mark: markOf(s.estate, e.Key), Since: e.Open.At, Handle: e.Open.Handle,
	})
	switch {
	case err != nil:
		return s.unheard(e.Key, err)
	case p.Handle != "" && running && p.Handle == e.Open.Handle:
		return notSettled, nil // it was asked for just now
	case p.Handle != "":
		if err := s.journal.Append(ctx, ledger.Event{Address: e.Address, Token: e.Token, Type: ledger.Accepted, Handle: p.Handle}); err != nil {
			return notSettled, err
		}
		if p, err = s.engine.await(ctx, acc.Session, p, s.until); err != nil || p.Object.ID == "" {
			return notSettled, nil
		}
		return s.made(ctx, e, acc, p.Object)
	case p.Object.ID != "" && kind.Unmarked && asked.Before(e.Open.At.Add(kind.Lag)):
		return notSettled, nil // what has its name may be what was deleted before, and still shows
	case p.Object.ID != "":
		return s.made(ctx, e, acc, p.Object)
	case running:
		return notSettled, nil
	case kind.Lag > 0 && e.At.Before(e.Open.At):
		// Nobody noted when its call ended: it may have gone out long after its
		// intent, throttled or put off. Now nothing more of it goes out, so the
		// time in which it may show begins here.
		fault := &ledger.Fault{Class: resource.UnknownOutcome, Message: "nothing of it is to be seen yet"}
		return notSettled, s.journal.Append(ctx, ledger.Event{Address: e.Address, Token: e.Token, Type: ledger.Doubted, Fault: fault})
	case asked.Before(latest(e.Open.At, e.At).Add(kind.Lag)):
		return notSettled, nil // it may only not be visible yet
	}
	return s.write(ctx, e.Key, ledger.Event{}, wasNotDone)
}

// latest gives the later of two times: a call goes out some time after its
// intent, when it was throttled long after, so a doubt about it counts as its
// end.
func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// made settles a create that was done.
func (s settling) made(ctx context.Context, e ledger.Entry, acc Account, o resource.Object) (verdict, error) {
	o = s.engine.complete(ctx, acc.Session, e.Address, o)
	rec := e.Open.Record
	rec.ID = o.ID
	if _, d, ok := s.engine.Kinds.Kind(e.Address.Type()); ok {
		rec.Outs = d.Outputs(o)
	}
	return s.write(ctx, e.Key, ledger.Event{Record: &rec}, wasDone)
}

// find reads the entry's object by its id.
func (s settling) find(ctx context.Context, e ledger.Entry, acc Account) (resource.Object, bool, error) {
	ans := acc.Session.Read(ctx, []resource.Want{{Kind: e.Address.Kind, By: resource.Selector{IDs: []resource.ID{e.Record.ID}}}})
	if len(ans) != 1 {
		return resource.Object{}, false, &resource.Failure{Class: resource.Bug, Op: "read", Message: "no answer"}
	}
	for _, o := range ans[0].Objects {
		if o.ID == e.Record.ID {
			return o, true, nil
		}
	}
	return resource.Object{}, false, ans[0].Err
}

// gone settles a delete: absent is done; still there is not done, and deleting
// again does no harm, unless the work of it still runs.
func (s settling) gone(ctx context.Context, e ledger.Entry, acc Account, running bool) (verdict, error) {
	kind, _, _ := s.engine.Kinds.Kind(e.Address.Type())
	asked := s.engine.Now()
	_, found, err := s.find(ctx, e, acc)
	switch {
	case err != nil:
		return s.unheard(e.Key, err)
	case !found && asked.Before(e.At.Add(kind.Lag)):
		return notSettled, nil // it may be so young that reads do not show it
	case found && running:
		return notSettled, nil
	case found:
		return s.write(ctx, e.Key, ledger.Event{}, wasNotDone)
	}
	return s.write(ctx, e.Key, ledger.Event{Gone: true}, wasDone)
}

// changed settles an update, a clearing or a marking: each field that is live
// as intended counts as applied, the others as they were, once nothing runs that
// may yet change them.
func (s settling) changed(ctx context.Context, e ledger.Entry, acc Account, running bool) (verdict, error) {
	kind, _, _ := s.engine.Kinds.Kind(e.Address.Type())
	young := s.engine.Now().Before(latest(e.Open.At, e.At).Add(kind.Lag))
	o, found, err := s.find(ctx, e, acc)
	if err != nil {
		return s.unheard(e.Key, err)
	}
	if e.Open.Op == ledger.Adopt || e.Open.Op == ledger.Release {
		return s.marked(ctx, e, sighting{object: o, found: found, young: young})
	}
	rec := e.Record
	rec.Applied = maps.Clone(rec.Applied)
	if rec.Applied == nil {
		rec.Applied = resource.Map{}
	}
	v := wasDone
	o.Fields = s.veil.Conceal(o.Fields, e.Open.Record.Applied)
	_, d, _ := s.engine.Kinds.Kind(e.Address.Type())
	for _, p := range e.Open.Paths {
		top := p[0]
		f := d.Field(top)
		want := e.Open.Record.Applied[top]
		if !found || f != nil && f.Unseen() || !plan.Same(f, o.Fields[top], want) && !bothEmpty(o.Fields[top], want) {
			v = wasNotDone
			continue
		}
		if want == nil {
			delete(rec.Applied, top)
		} else {
			rec.Applied[top] = want
		}
	}
	if v == wasNotDone && running {
		return notSettled, nil
	}
	rec.Deps = mergeDeps(e.Record.Deps, e.Open.Record.Deps)
	if found {
		rec.Outs = d.Outputs(o)
	}
	return s.write(ctx, e.Key, ledger.Event{Record: &rec}, v)
}

// mergeDeps keeps both sides' dependencies: until the next plan tells, either
// may hold.
func mergeDeps(a, b []ledger.Dep) []ledger.Dep {
	seen := map[ledger.Dep]bool{}
	var out []ledger.Dep
	for _, list := range [][]ledger.Dep{a, b} {
		for _, d := range list {
			if !seen[d] {
				seen[d] = true
				out = append(out, d)
			}
		}
	}
	return out
}

// marked settles a marking: done where the object shows what was to be. A mark
// that does not show, or still names where the object was before it was renamed, may
// only not be visible yet.
func (s settling) marked(ctx context.Context, e ledger.Entry, seen sighting) (verdict, error) {
	ours := seen.found && seen.object.Mark.Token == e.Token
	switch {
	case e.Open.Op == ledger.Release && !ours:
		return s.write(ctx, e.Key, ledger.Event{Gone: true}, wasDone)
	case e.Open.Op == ledger.Adopt && ours && seen.object.Mark.Address == e.Address:
		rec := e.Open.Record
		rec.Bare = false
		return s.write(ctx, e.Key, ledger.Event{Record: &rec}, wasDone)
	case e.Open.Op == ledger.Adopt && seen.young:
		return notSettled, nil
	}
	return s.write(ctx, e.Key, ledger.Event{}, wasNotDone)
}
