package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// longWork is how long a step waits for work that a provider took on and that says
// that it still runs. Clones of large machines take an hour; work that nobody ends
// must not keep a run, and with it every later commit, for ever.
const longWork = 2 * time.Hour

// errRunning says of a handle that its work was still running as it was last asked
// for.
var errRunning = errors.New("it still runs")

// hear waits for the work that the step's call left running.
func (t *taking) hear(p provider.Progress) (provider.Progress, error) {
	return t.x.await(t.calls, t.account.Session, p, t.x.Now().Add(longWork))
}

// heardOut is how long work of an earlier run is waited for before a plan is made,
// and work of a run that was stopped: what takes longer is asked for at each look.
const heardOut = 10 * time.Second

// await polls a handle until its work has ended, at least once and then until a
// time, or until heardOut after a stop: work that still runs is in doubt then. An error of polling itself leaves
// the outcome unknown: at once where it is that nobody may ask.
func (e *Engine) await(ctx context.Context, s provider.Session, p provider.Progress, until time.Time) (provider.Progress, error) {
	pause, faults, stopped, began := 100*time.Millisecond, 0, false, e.Now()
	for {
		if !stopped && provider.Stopped(ctx) {
			stopped, pause = true, time.Second
			if end := e.Now().Add(heardOut); end.Before(until) {
				until = end
			}
		}
		if err := e.Sleep(ctx, max(p.After, pause)); err != nil {
			return p, &resource.Failure{Class: resource.UnknownOutcome, Op: "poll", Message: err.Error(), Err: err}
		}
		pause = min(pause*3/2, 5*time.Second)
		got := s.Poll(ctx, []resource.Handle{p.Handle})
		if len(got) != 1 {
			return p, &resource.Failure{Class: resource.Bug, Op: "poll", Message: "no answer for the handle"}
		}
		switch {
		case got[0].Done:
			return got[0].Progress, got[0].Err
		case got[0].Err != nil:
			if faults++; faults > 5 || resource.ClassOf(got[0].Err) == resource.Denied {
				return p, &resource.Failure{Class: resource.UnknownOutcome, Op: "poll", Message: got[0].Err.Error(), Err: got[0].Err}
			}
		case !e.Now().Before(until):
			return p, running(p.Handle, e.Now().Sub(began))
		default:
			faults = 0
		}
		p.After = got[0].After
	}
}

// running says that a provider's work still ran as it was last asked for.
func running(h resource.Handle, waited time.Duration) error {
	after := ""
	if waited >= longWork {
		after = fmt.Sprintf(" after %d hours", int(longWork.Hours()))
	}
	return &resource.Failure{
		Class: resource.UnknownOutcome, Op: "poll", Err: errRunning,
		Message: fmt.Sprintf("the provider's work %s still runs%s: each look asks for it again; what does not end by itself is ended at the provider", h, after),
	}
}
