package provider

import (
	"context"
	"errors"

	"isobar.dev/engine/resource"
)

// Op is a method of Session.
type Op string

// The methods of a session.
const (
	OpRead     Op = "read"
	OpRehearse Op = "rehearse"
	OpCreate   Op = "create"
	OpUpdate   Op = "update"
	OpDelete   Op = "delete"
	OpFind     Op = "find"
	OpPoll     Op = "poll"
	OpMark     Op = "mark"
)

// Mutates reports whether the method may change the world. Find counts: it may
// replay a create under its idempotency token.
func (o Op) Mutates() bool { return o != OpRead && o != OpRehearse && o != OpPoll }

// Call is one call of a session's method, without any value of a field.
type Call struct {
	Op    Op
	Kind  string // the kind within the provider; "" where a read or poll spans several
	Count int    // wants, handles or objects
}

// around is a session with something done around each call. It is the one
// place that spells out the methods; most wrappers are an around.
type around struct {
	Session
	do step
}

// step runs next, or refuses to, or does so under another ctx. What it returns
// is the call's outcome.
type step func(ctx context.Context, c Call, next func(context.Context) error) error

func (a around) Read(ctx context.Context, wants []resource.Want) []resource.Answer {
	var out []resource.Answer
	var inner error
	err := a.do(ctx, readCall(wants), func(ctx context.Context) error {
		out = a.Session.Read(ctx, wants)
		inner = readError(out)
		return inner
	})
	if len(out) != len(wants) || err != nil && inner == nil {
		if err == nil {
			err = countError("answers", len(out), len(wants))
		}
		out = make([]resource.Answer, len(wants))
		for i := range out {
			out[i].Err = err
		}
	}
	return out
}

func (a around) Poll(ctx context.Context, hs []resource.Handle) []Polled {
	var out []Polled
	var inner error
	err := a.do(ctx, Call{Op: OpPoll, Count: len(hs)}, func(ctx context.Context) error {
		out = a.Session.Poll(ctx, hs)
		inner = pollError(out)
		return inner
	})
	if len(out) != len(hs) || err != nil && inner == nil {
		if err == nil {
			err = countError("polls", len(out), len(hs))
		}
		out = make([]Polled, len(hs))
		for i := range out {
			out[i].Err = err
		}
	}
	return out
}

func (a around) Rehearse(ctx context.Context, want resource.Object) error {
	return a.do(ctx, call(OpRehearse, want), func(ctx context.Context) error { return a.Session.Rehearse(ctx, want) })
}

func (a around) Create(ctx context.Context, want resource.Object, m resource.Mark) (Progress, error) {
	return a.progress(ctx, call(OpCreate, want), func(ctx context.Context) (Progress, error) {
		return a.Session.Create(ctx, want, m)
	})
}

func (a around) Update(ctx context.Context, live, want resource.Object, changes []resource.Change) (Progress, error) {
	return a.progress(ctx, call(OpUpdate, live, want), func(ctx context.Context) (Progress, error) {
		return a.Session.Update(ctx, live, want, changes)
	})
}

func (a around) Delete(ctx context.Context, live, applied resource.Object) (Progress, error) {
	return a.progress(ctx, call(OpDelete, live, applied), func(ctx context.Context) (Progress, error) {
		return a.Session.Delete(ctx, live, applied)
	})
}

func (a around) Find(ctx context.Context, in Intent) (Progress, error) {
	return a.progress(ctx, call(OpFind, in.Want), func(ctx context.Context) (Progress, error) {
		return a.Session.Find(ctx, in)
	})
}

func (a around) Mark(ctx context.Context, live resource.Object, m *resource.Mark) error {
	return a.do(ctx, call(OpMark, live), func(ctx context.Context) error { return a.Session.Mark(ctx, live, m) })
}

// progress keeps what the inner call made known also beside an error of its
// own; of an answer that the step lost, nothing is known.
func (a around) progress(ctx context.Context, c Call, f func(context.Context) (Progress, error)) (Progress, error) {
	var p Progress
	var inner error
	err := a.do(ctx, c, func(ctx context.Context) error {
		p, inner = f(ctx)
		return inner
	})
	if err != nil && inner == nil {
		return Progress{}, err
	}
	return p, err
}

// call takes the kind from the first object whose address names one.
func call(op Op, objects ...resource.Object) Call {
	c := Call{Op: op, Count: 1}
	for _, o := range objects {
		if c.Kind == "" {
			c.Kind = o.Address.Kind
		}
	}
	return c
}

func readCall(wants []resource.Want) Call {
	c := Call{Op: OpRead, Count: len(wants)}
	for i, w := range wants {
		if i > 0 && w.Kind != c.Kind {
			c.Kind = ""
			break
		}
		c.Kind = w.Kind
	}
	return c
}

// readError gives the answers' error that matters most to the wrappers: a
// throttled one, else the first.
func readError(as []resource.Answer) error {
	var first error
	for _, a := range as {
		if resource.ClassOf(a.Err) == resource.Throttled {
			return a.Err
		}
		if first == nil {
			first = a.Err
		}
	}
	return first
}

// pollError is readError for polls; the error of finished work is not one of
// the call.
func pollError(ps []Polled) error {
	var first error
	for _, p := range ps {
		switch {
		case p.Done:
		case resource.ClassOf(p.Err) == resource.Throttled:
			return p.Err
		case first == nil:
			first = p.Err
		}
	}
	return first
}

// classify gives an unclassified error of a session a class: of a mutating call
// nothing is known; a read that ran out of time may be sent again. Errors of
// the fence and *Failure stay as they are.
func classify(op Op, err error) error {
	var failure *resource.Failure
	var fence *FencedError
	switch {
	case err == nil || errors.As(err, &failure) || errors.As(err, &fence):
		return err
	case op.Mutates():
		return &resource.Failure{Class: resource.UnknownOutcome, Op: string(op), Err: err}
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return &resource.Failure{Class: resource.Transient, Op: string(op), Err: err}
	}
	return &resource.Failure{Class: resource.Bug, Op: string(op), Err: err}
}

// unsent says that a call was never made, since ctx ended before its turn.
func unsent(op Op, err error) error {
	return &resource.Failure{Class: resource.Transient, Op: string(op), Message: "not sent: " + err.Error(), Err: err}
}
