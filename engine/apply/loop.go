package apply

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// execution is one run of Apply. Only loop's goroutine touches state, ready
// and parked.
type execution struct {
	*Engine
	run     *Run
	calls   context.Context // for calls and the journal: outlives the run's ctx, since a call once made must be heard out
	stop    <-chan struct{} // closed when no call may be begun any more
	state   map[string]*stepState
	touched map[resource.Address]bool // what steps of the plan make or change
	ready   []*stepState              // needs done, in order of ids
	parked  []*stepState              // met a conflict that may pass
	barred  []*stepState              // want what another object has, and this run may yet take away
	freed   map[string][]*stepState   // by kind: steps so far that may have taken away what another wants
	results chan event
	trail   trail
}

type stepState struct {
	step     *plan.Step
	result   Result
	feeds    []*stepState // steps that need this one
	missing  int          // needs that are not done
	attempts int
	freed    int // how many execution.freed had of its kind as it was taken
}

type event struct {
	st     *stepState
	result Result
	retry  bool  // a conflict that may pass
	taken  bool  // another object has what it wants
	fatal  error // the journal or the lease failed
}

// maxAttempts bounds how often a step that meets a conflict is tried.
const maxAttempts = 7

func newExecution(ctx context.Context, e *Engine, r *Run) *execution {
	x := &execution{
		Engine: e, run: r, calls: provider.WithStop(context.WithoutCancel(ctx), ctx), stop: ctx.Done(),
		state: make(map[string]*stepState, len(r.Plan.Steps)), results: make(chan event), freed: map[string][]*stepState{},
		touched: map[resource.Address]bool{},
	}
	for i := range r.Plan.Steps {
		s := &r.Plan.Steps[i]
		x.state[s.ID] = &stepState{step: s, missing: len(s.Needs)}
		if writes(s.Op) {
			x.touched[s.Address] = true
		}
	}
	for i := range r.Plan.Steps {
		st := x.state[r.Plan.Steps[i].ID]
		for _, id := range st.step.Needs {
			if n := x.state[id]; n != nil {
				n.feeds = append(n.feeds, st)
			}
		}
		if st.missing == 0 {
			x.ready = append(x.ready, st)
		}
	}
	return x
}

// loop starts what is ready, in waves, until nothing is left or may go on.
func (x *execution) loop(ctx context.Context, rep *Report) {
	running := map[*stepState]bool{}
	for {
		if rep.Err == nil && ctx.Err() == nil {
			wave := x.pick(running)
			if len(wave) == 0 && len(running) == 0 && x.unpark(ctx) {
				continue
			}
			for _, st := range wave {
				running[st] = true
				st.attempts++
				if st.result.Step = *st.step; st.attempts == 1 {
					st.result.Started = x.Now()
				}
				st.result.Tries, st.freed = st.attempts, len(x.freed[st.step.Address.Type()])
				x.tell(st.result)
			}
			if len(wave) > 0 {
				go x.wave(wave)
			}
		}
		if len(running) == 0 {
			break
		}
		ev := <-x.results
		delete(running, ev.st)
		if ev.fatal != nil && rep.Err == nil {
			rep.Err = ev.fatal
		}
		x.took(ev)
	}
	rep.Stopped = ctx.Err() != nil
	for _, st := range slices.Concat(x.parked, x.barred) {
		x.lose(st)
	}
}

// stopped reports whether no call may be begun any more.
func (x *execution) stopped() bool {
	select {
	case <-x.stop:
		return true
	default:
		return false
	}
}

// lose ends a step that is not tried again.
func (x *execution) lose(st *stepState) {
	st.result.Outcome, st.result.Ended = Failed, x.Now()
	x.tell(st.result)
}

// took notes a step's outcome and readies what waited for it.
func (x *execution) took(ev event) {
	st := ev.st
	ev.result.Started, ev.result.Tries = st.result.Started, st.attempts
	if ev.retry && st.attempts < maxAttempts {
		ev.result.Outcome = ""
		st.result = ev.result
		x.parked = append(x.parked, st)
		x.tell(st.result)
		return
	}
	if ev.taken {
		ev.result.Outcome = ""
		st.result = ev.result
		x.barred = append(x.barred, st)
		x.unbar(nil)
		return
	}
	ev.result.Ended = x.Now()
	st.result = ev.result
	x.tell(st.result)
	x.unbar(st)
	if st.result.Outcome != Done && st.result.Outcome != Converged {
		return
	}
	for _, f := range st.feeds {
		if f.missing--; f.missing == 0 {
			x.enqueue(f)
		}
	}
	for _, p := range x.parked { // something moved: what was in the way may be gone
		x.enqueue(p)
	}
	x.parked = nil
}

func (x *execution) enqueue(st *stepState) {
	i, _ := slices.BinarySearchFunc(x.ready, st, func(a, b *stepState) int { return strings.Compare(a.step.ID, b.step.ID) })
	x.ready = slices.Insert(x.ready, i, st)
}

func (x *execution) tell(r Result) {
	if x.run.Progress != nil {
		x.run.Progress(r)
	}
}

// pick takes ready steps, at most one an address and lane and Width in all.
func (x *execution) pick(running map[*stepState]bool) []*stepState {
	width := cmp.Or(x.Width, 8) - len(running)
	if width <= 0 || len(x.ready) == 0 {
		return nil
	}
	busy, lanes := map[resource.Address]bool{}, map[string]bool{}
	for st := range running {
		busy[st.step.Address] = true
		lanes[x.lane(st.step)] = true
	}
	var out, rest []*stepState
	for i, st := range x.ready {
		if len(out) == width {
			rest = append(rest, x.ready[i:]...)
			break
		}
		lane := x.lane(st.step)
		if busy[st.step.Address] || lane != "" && lanes[lane] {
			rest = append(rest, st)
			continue
		}
		busy[st.step.Address], lanes[lane] = true, true
		out = append(out, st)
	}
	x.ready = rest
	return out
}

func (x *execution) lane(s *plan.Step) string {
	k, _, ok := x.Kinds.Kind(s.Address.Type())
	if !ok || k.Lane == nil {
		return ""
	}
	return k.Lane(resource.Object{Address: s.Address, ID: s.Live, Fields: s.Want})
}

// unpark waits a little and readies the parked steps again. It reports whether
// there were any.
func (x *execution) unpark(ctx context.Context) bool {
	if len(x.parked) == 0 {
		return false
	}
	pause := time.Duration(0)
	for _, st := range x.parked {
		pause = max(pause, time.Second<<min(st.attempts-1, 5))
	}
	if x.Sleep(ctx, pause) != nil {
		return false
	}
	for _, st := range x.parked {
		x.enqueue(st)
	}
	x.parked = nil
	return true
}
