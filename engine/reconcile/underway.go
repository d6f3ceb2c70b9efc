package reconcile

import (
	"maps"
	"sync"
	"time"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/view"
)

// underway is an apply that this process makes, for who asks meanwhile. Safe for
// concurrent use.
type underway struct {
	run   view.Run // without steps
	began time.Time
	plan  []plan.Step
	hurry chan struct{} // rung when somebody wants the apply to end

	mu    sync.Mutex
	steps map[string]view.Step // those that have begun, by id
	halt  *view.Halt           // why nothing more is begun; nil while it goes on
}

// begin shows the turn's apply to those who ask, until over.
func (t *turn) begin() *underway {
	u := &underway{run: *t.viewRun(view.Applying), began: t.run.Started, plan: t.draft.Plan.Steps, hurry: make(chan struct{}, 1), steps: map[string]view.Step{}}
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	if t.d.live == nil {
		t.d.live = map[string]*underway{}
	}
	t.d.live[t.env] = u
	return u
}

func (d *Daemon) over(env string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.live, env)
}

func (u *underway) took(s view.Step) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.steps[s.ID] = s
}

// heard notes why nothing more is begun, if there is a reason.
func (u *underway) heard(h *view.Halt) *view.Halt {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.halt = h
	return h
}

// turnTold is how long a wait for a turn is nothing to speak of.
const turnTold = time.Second

// turns gives by step what waits for its turn in a rate budget, the longest of
// each.
func (d *Daemon) turns(env string) map[string]*view.Turn {
	out := map[string]*view.Turn{}
	budgets, now := d.Runner.Sessions.Options.Budgets, d.Runner.Now()
	if budgets == nil {
		return out
	}
	for _, w := range budgets.Waits() {
		if lasted := now.Sub(w.Since); w.Caller == env && lasted >= turnTold && out[w.Step] == nil {
			out[w.Step] = &view.Turn{Scope: w.Scope, Service: w.Service, For: lasted}
		}
	}
	return out
}

// Underway gives the apply that this process makes of an environment, each step
// as it is now; nil where it makes none.
func (d *Daemon) Underway(env string) *view.Run {
	d.mu.Lock()
	u := d.live[env]
	d.mu.Unlock()
	if u == nil {
		return nil
	}
	now, turns := d.Runner.Now(), d.turns(env)
	u.mu.Lock()
	begun := maps.Clone(u.steps)
	run := u.run
	run.Halt = u.halt
	u.mu.Unlock()
	run.Took, run.Steps = now.Sub(u.began), make([]view.Step, 0, len(u.plan))
	for i := range u.plan {
		p := &u.plan[i]
		s, ok := begun[p.ID]
		switch {
		case !ok:
			s = view.Step{ID: p.ID, Address: p.Address, Op: p.Op, Aspect: p.Aspect, State: view.StepWaiting}
		case s.State == view.StepRunning:
			s.Took, s.Turn = now.Sub(s.At), turns[s.ID]
			if s.Turn == nil {
				s.Turn = turns[""] // what it stands on is read again, with that of others
			}
		}
		run.Steps = append(run.Steps, s)
	}
	return &run
}
