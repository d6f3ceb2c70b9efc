package view

import "fmt"

// Now says in short how far a run is that is under way, and what it does the
// longest: "3 of 12 done, aws.security_group/web create running, 40.0 s, and 2
// more".
func (r *Run) Now() string {
	n, same := r.tallySteps()
	text := fmt.Sprintf("%d of %d done", n[StepDone]+same, len(r.Steps))
	if r.Halt != nil {
		text = r.halted() + ", " + text
	}
	var longest *Step
	for i := range r.Steps {
		if s := &r.Steps[i]; s.State == StepRunning && (longest == nil || s.At.Before(longest.At)) {
			longest = s
		}
	}
	if longest == nil {
		return text
	}
	text += ", " + longest.Address.Local() + " " + longest.words()
	if n[StepRunning] > 1 {
		text += fmt.Sprintf(", and %d more", n[StepRunning]-1)
	}
	return text
}
