package view

import (
	"strconv"

	"isobar.dev/engine/diag"
)

// CheckState is a commit status's state, as the forges call it.
type CheckState string

// The states.
const (
	CheckPending CheckState = "pending"
	CheckPassed  CheckState = "success"
	CheckFailed  CheckState = "failure"
)

// Check is a commit status of one environment.
type Check struct {
	Context string // "isobar/plan: prod"
	State   CheckState
	Text    string // at most CheckText characters
}

// CheckText is the most characters of a status's text: GitHub takes 140
// (docs.github.com/rest/commits/statuses), and the other forges more.
const CheckText = 140

// Checks gives the statuses of one environment of a preview: isobar/plan,
// isobar/policy and isobar/apply. That of apply is a success only once a run has
// applied all of it.
func (p *Preview) Checks(e *PreviewEnv) []Check {
	plan, policy := e.planned()
	if p.Stale.Is() && e.Run == nil {
		plan, policy = Check{State: CheckPending, Text: "out of date: it is being planned anew"}, Check{State: CheckPending, Text: "out of date: it is being planned anew"}
	}
	return named([]Check{plan, policy, p.applied(e)}, ": "+clean(e.Env))
}

// named gives checks of plan, policy and apply their contexts, and cuts their texts.
func named(out []Check, of string) []Check {
	for i, name := range []string{"plan", "policy", "apply"} {
		out[i].Context = "isobar/" + name + of
		if r := []rune(clean(out[i].Text)); len(r) > CheckText {
			out[i].Text = string(r[:CheckText-1]) + "…"
		} else {
			out[i].Text = string(r)
		}
	}
	return out
}

// All gives every status of a preview: isobar/plan, isobar/policy and isobar/apply
// for all environments at once, which a branch can require whatever a pull request
// concerns, then those of each environment.
func (p *Preview) All() []Check {
	var each []Check
	worst := [3]Check{}
	denied := 0
	for i := range p.Envs {
		of := p.Checks(&p.Envs[i])
		for n := range worst {
			if i == 0 || of[n].State.worse(worst[n].State) {
				worst[n] = of[n]
			}
		}
		if of[1].State == CheckFailed {
			denied++
		}
		each = append(each, of...)
	}
	plan, policy, applied := worst[0], worst[1], worst[2]
	before := *p
	before.Merged = ""
	if plan.Text = before.gist(); p.Stale.Is() && p.Merged == "" {
		plan.Text = "out of date: it is being planned anew"
	}
	switch wrong := len(p.Conflicts) > 0 || p.Spec.Errors()+p.Placed > 0; {
	case wrong:
		plan.State = CheckFailed
		if len(p.Envs) == 0 {
			policy, applied = Check{State: CheckPending, Text: "nothing was planned"}, Check{State: CheckPending, Text: "nothing was planned"}
		}
	case len(p.Envs) == 0:
		plan.State = CheckPassed
		policy, applied = Check{State: CheckPassed, Text: "nothing to judge"}, Check{State: CheckPassed, Text: "nothing to apply"}
	}
	if len(p.Envs) > 1 {
		switch {
		case denied > 0:
			policy.Text = "denied in " + count(denied, "environment")
		case policy.State == CheckPassed:
			policy.Text = "nothing is denied"
		}
		if p.Merged != "" {
			applied.Text = p.ending()
		}
	}
	return append(named([]Check{plan, policy, applied}, ""), each...)
}

// worse reports whether a state is to be told rather than another.
func (s CheckState) worse(than CheckState) bool {
	order := map[CheckState]int{CheckPassed: 0, CheckPending: 1, CheckFailed: 2}
	return order[s] > order[than]
}

// planned gives the statuses of the plan and of the rules' decisions.
func (e *PreviewEnv) planned() (plan, policy Check) {
	if e.Plan == nil {
		if e.Why == "" {
			return Check{State: CheckPending, Text: "it is being planned"}, Check{State: CheckPending, Text: "nothing is planned yet"}
		}
		return Check{State: CheckFailed, Text: "could not be planned: " + e.Why}, Check{State: CheckPending, Text: "nothing was planned"}
	}
	q := e.parted()
	plan = Check{State: CheckPassed, Text: e.outcome(&q)}
	if n := len(e.Plan.Plan.Held); n > 0 {
		plan.Text += ", " + strconv.Itoa(n) + " held"
	}
	policy = Check{State: CheckPassed, Text: e.Plan.verdict()}
	switch denied := e.Plan.Denied(); {
	case denied:
		policy.State = CheckFailed
		for _, f := range decided(e.Plan.Policy) {
			if f.Severity == diag.Error {
				policy.Text += ": " + join(": ", f.Subject, f.Message)
				break
			}
		}
	case policy.Text == "":
		policy.Text = "no rule has anything to say"
	}
	return plan, policy
}

// applied gives the status of the apply.
func (p *Preview) applied(e *PreviewEnv) Check {
	c := Check{State: CheckPending}
	in := p.pin(e.Env)
	if in != nil && in.Head == p.Head { // what was applied is what would be merged
		e = &PreviewEnv{Env: e.Env, Plan: e.Plan, Tally: e.Tally, Run: in.Run}
	}
	switch {
	case in != nil && in.Head == p.Head && in.Run == nil:
		c.Text = "its run is to come"
	case e.Run != nil:
		c.Text = join(" · ", e.Run.Outcome(), e.Run.verdict())
		switch e.ended() {
		case string(Applied):
			c.State = CheckPassed
		case string(Partial), string(Failed), string(Denied), string(Stopped), string(Cancelled), string(Rejected):
			c.State = CheckFailed
		}
	case e.Plan == nil:
		c.Text = "nothing was planned"
	case e.Plan.Denied():
		c.State, c.Text = CheckFailed, "denied by policy"
	case len(e.Plan.Plan.Steps) == 0 && len(e.Plan.Plan.Held) == 0 && !e.Plan.takesIn():
		c.State, c.Text = CheckPassed, "nothing to apply"
	case e.Plan.waits():
		c.Text = e.count()
	case e.Plan.Mode == "observe":
		c.Text = "nothing is applied in mode observe"
	default:
		c.Text = "applied once this is merged"
	}
	return c
}
