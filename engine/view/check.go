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
	out := []Check{plan, policy, p.applied(e)}
	for i, name := range []string{"plan", "policy", "apply"} {
		out[i].Context = "isobar/" + name + ": " + clean(e.Env)
		if r := []rune(clean(out[i].Text)); len(r) > CheckText {
			out[i].Text = string(r[:CheckText-1]) + "…"
		} else {
			out[i].Text = string(r)
		}
	}
	return out
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
	switch {
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
