package fake

import (
	"context"
	"errors"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// ErrCrash is for a Decision: the process died here. The simulation takes it,
// wherever errors.Is finds it, as the end of the process.
var ErrCrash = errors.New("the process died at this call")

// Call is one call of a session's method that reached the world or was refused
// on its way, without any field's value.
type Call struct {
	N      int // counted from 0 over all sessions of the world
	Op     provider.Op
	Kind   string // "" for a read or poll of several
	ID     resource.ID
	Token  string // of the mark, for create, find and mark
	Aspect string // of an update
	Scope  string
	Fenced bool  // the ctx carried a fence, and it held just before the call
	Epoch  int64 // as Options.Epoch says
	At     time.Time
	Replay bool           // a find sent the create again, under its token
	Done   bool           // the call had its effect; a read, its answer
	Class  resource.Class // of the error that the caller saw; "" for none
}

// Decision is what befalls a call. The zero Decision is nothing.
type Decision struct {
	Before error  // it has no effect, and this is its error
	After  error  // it has its effect, the answer is lost, and this is its error
	Broken string // a create makes its object and fails all the same, with these words
}

// Halfway is for the cause of an update's Decision.Before, a Failure's Err: the
// refusal comes with the fields that the update has left otherwise than it found
// them. That they are so is for the decider to see to, by Mutate.
type Halfway struct{ Left resource.Map }

// Error implements error.
func (h *Halfway) Error() string { return "left halfway" }

type knobs struct {
	onCall   func(Call) Decision
	throttle int
	after    time.Duration
	lists    map[string]int
	denied   map[[2]string]bool
	drops    map[string]bool
}

// OnCall asks decide what befalls each call from now on; nil asks nobody. It is
// called without the world's lock, so it may use the world.
func (w *World) OnCall(decide func(Call) Decision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.knobs.onCall = decide
}

// Throttle refuses the next n calls, with the advice to try again after d.
func (w *World) Throttle(n int, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.knobs.throttle, w.knobs.after = n, d
}

// FailLists makes every list of a kind fail once it gave n objects; n < 0 ends
// it.
func (w *World) FailLists(kind string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.knobs.lists == nil {
		w.knobs.lists = map[string]int{}
	}
	if w.knobs.lists[kind] = n; n < 0 {
		delete(w.knobs.lists, kind)
	}
}

// DenyAspect makes the fields of one aspect unreadable, or readable again. The
// aspect "" denies the whole kind: its reads fail.
func (w *World) DenyAspect(kind, aspect string, deny bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.knobs.denied == nil {
		w.knobs.denied = map[[2]string]bool{}
	}
	w.knobs.denied[[2]string{kind, aspect}] = deny
}

// DropTags makes creates of a kind drop the mark and the tags that they carry,
// and say so, or keep them again.
func (w *World) DropTags(kind string, drop bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.knobs.drops == nil {
		w.knobs.drops = map[string]bool{}
	}
	w.knobs.drops[kind] = drop
}

// Calls gives the log so far, in order of the calls' ends.
func (w *World) Calls() []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Call(nil), w.log...)
}

// Count is how many calls were begun so far.
func (w *World) Count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls
}

// run makes one call: it asks what befalls it, checks the fence where it
// mutates, runs f under the lock, and logs it.
func (w *World) run(ctx context.Context, c Call, f func(c *Call, broken string) error) error {
	if err := ctx.Err(); err != nil {
		return &resource.Failure{Class: resource.Transient, Op: op(c), Message: "not sent: " + err.Error(), Err: err}
	}
	w.mu.Lock()
	c.N, c.At = w.calls, w.opt.Now()
	w.calls++
	decide := w.knobs.onCall
	w.mu.Unlock()
	if w.opt.Epoch != nil {
		c.Epoch = w.opt.Epoch(ctx)
	}
	var d Decision
	if decide != nil {
		d = decide(c)
	}
	if c.Op.Mutates() {
		fenced := provider.CheckFence(ctx)
		if fenced != nil && c.Op != provider.OpFind { // Find asks where it replays
			return &provider.FencedError{Cause: fenced}
		}
		c.Fenced = provider.HasFence(ctx) && fenced == nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.age()
	err := d.Before
	if err == nil {
		err = w.refuse(c)
	}
	if err == nil {
		err = f(&c, d.Broken)
		c.Done = err == nil || d.Broken != "" && c.Op == provider.OpCreate
		if err == nil {
			err = d.After
		}
	}
	c.Class = resource.ClassOf(err)
	w.log = append(w.log, c)
	return err
}

func (w *World) refuse(c Call) error {
	if w.knobs.throttle == 0 {
		return nil
	}
	w.knobs.throttle--
	return &resource.Failure{Class: resource.Throttled, Op: op(c), Code: "TooManyCalls", Message: "slow down", After: w.knobs.after}
}

func op(c Call) string { return Name + ":" + string(c.Op) }
