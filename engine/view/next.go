package view

import (
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
)

// next is what a person does next, or what isobar does by itself.
func (r *Run) next() string {
	if r.Next != "" {
		return clean(r.Next)
	}
	if r.Daemon {
		return r.goesOn()
	}
	apply := "isobar apply " + clean(r.Env)
	switch r.State {
	case Waiting:
		return "isobar approve " + PlanID(r.Plan)
	case Denied:
		return "nothing was applied: mend what the rules name and push again"
	case Partial, Failed:
		if !r.Again.IsZero() {
			return "isobar tries again at " + timeOfDay(r.Again)
		}
		return r.Kept() + ": mend the cause, then " + apply
	case Stopped, Cancelled:
		return r.Kept() + "; to go on: " + apply
	case Planned:
		return apply
	case Rejected:
		return turnedAway
	case Applying, Applied, InSync, Approved, Superseded:
	}
	return ""
}

// goesOn is next for a run of a daemon: it looks again by itself, and an apply
// typed somewhere else would keep a ledger of its own.
func (r *Run) goesOn() string {
	kept := r.Kept()
	switch r.State {
	case Waiting:
		return "isobar approve " + PlanID(r.Plan)
	case Denied:
		return "nothing was applied: mend what the rules name and push again"
	case Partial, Failed:
		switch {
		case len(r.Spec) > 0:
			return kept + ": push a mended commit"
		case !r.Again.IsZero():
			return "isobar tries again at " + timeOfDay(r.Again)
		}
		return kept + ": it is tried again by itself"
	case Stopped:
		if len(r.Steps) == 0 {
			return kept
		}
		return kept + "; it goes on by itself once isobar runs again"
	case Cancelled:
		switch {
		case len(r.Steps) == 0:
			return turnedAway
		case r.Halt != nil && r.Halt.Commit != "":
			return kept + "; the rest is planned anew, at that commit"
		}
		return kept + "; what is left waits for a person or a commit: isobar status"
	case Planned:
		switch {
		case r.Plan == "" && r.spurned():
			return "nothing is done while this is so"
		case r.Plan == "":
			return "nothing is done while this is so; it is tried again by itself"
		}
		return "nothing is applied in mode observe"
	case Applied:
		if len(r.Lost) > 0 && !r.spurned() {
			return "what is held is tried again by itself"
		}
	case Rejected:
		return turnedAway
	case Applying, InSync, Approved, Superseded:
	}
	return ""
}

// spurned reports whether what is held was refused before: each says itself what
// ends that, which need not be time.
func (r *Run) spurned() bool {
	return !slices.ContainsFunc(r.Lost, func(h plan.Held) bool { return h.Why != plan.HeldSpurned }) && len(r.Lost) > 0
}

// turnedAway is what follows a rejection: the same plan is not asked about twice.
const turnedAway = "nothing was applied; isobar asks again when a commit is pushed or the plan changes"

// Kept says what a run that did not come to its end leaves behind.
func (r *Run) Kept() string {
	switch {
	case r.began():
		return "what was done is kept"
	case slices.ContainsFunc(r.Steps, func(s Step) bool { return s.halved() }):
		return "nothing was finished"
	}
	return "nothing was applied"
}

// began reports whether a step did something, or may have.
func (r *Run) began() bool {
	n, _ := r.tallySteps()
	return n[StepDone]+n[StepDoubt]+n[StepRunning] > 0
}

// halved reports whether a step failed that may consist of several calls, of which
// the first may have been heard: a create is one call.
func (s *Step) halved() bool {
	return s.State == StepFailed && (s.Op == ledger.Update || s.Op == ledger.Clear || s.Op == ledger.Delete)
}
