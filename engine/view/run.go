package view

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// tallySteps counts steps by state, those that were so already apart.
func (r *Run) tallySteps() (n map[StepState]int, same int) {
	n = map[StepState]int{}
	for i := range r.Steps {
		if r.Steps[i].Same {
			same++
			continue
		}
		n[r.Steps[i].State]++
	}
	return n, same
}

// same counts the objects of which all was so already.
func (r *Run) same() int {
	done := map[resource.Address]bool{}
	for i := range r.Steps {
		s := &r.Steps[i]
		all, seen := done[s.Address]
		done[s.Address] = s.Same && (all || !seen)
	}
	n := 0
	for _, all := range done {
		if all {
			n++
		}
	}
	return n
}

// Outcome is the run in one line of words: "applied 5 changes in 1 m 20 s,
// nothing drifted"; "partial: 3 done, 1 failed, 1 not started".
func (r *Run) Outcome() string {
	n, same := r.tallySteps()
	switch r.State {
	case Applying:
		s := fmt.Sprintf("applying %d/%d", n[StepDone]+same, len(r.Steps))
		if r.Halt != nil {
			s += ", " + r.halted() + ": what is under way ends"
		}
		return s
	case Applied:
		if r.Changes == 0 && len(r.Steps) == 0 && len(r.Lost) > 0 {
			return "nothing was applied" + r.held()
		}
		return r.what() + " in " + lasting(r.Took) + r.held() + r.afterwards()
	case InSync:
		return join(": ", "in sync", clean(r.Why))
	case Approved, Rejected, Superseded:
		return r.ended()
	case Partial, Failed, Stopped, Cancelled:
		var parts []string
		for _, s := range []StepState{StepDone, StepFailed, StepDoubt, StepRunning, StepWaiting} {
			if n[s] > 0 {
				parts = append(parts, strconv.Itoa(n[s])+" "+string(s))
			}
		}
		if same > 0 {
			parts = append(parts, strconv.Itoa(same)+" so already")
		}
		if len(parts) > 0 && len(r.Lost) > 0 {
			parts = append(parts, strconv.Itoa(len(r.Lost))+" held")
		}
		state := string(r.State)
		if r.State == Cancelled {
			if state = r.halted(); len(r.Steps) == 0 && r.Changes > 0 { // its plan waited
				state += " (" + count(r.Changes, "change") + ")"
			}
		}
		return join(": ", state, join("; ", strings.Join(parts, ", "), clean(r.Why)))
	case Planned:
		if r.Plan == "" && len(r.Lost) > 0 {
			return join(": ", "nothing can be done"+r.held(), clean(r.Why))
		}
	case Waiting, Denied:
	}
	s := string(r.State)
	if r.Changes > 0 {
		s += ", " + count(r.Changes, "change")
	}
	return join(": ", s+r.held(), clean(r.Why))
}

// ended is the outcome of a run that was a question: how it was answered.
func (r *Run) ended() string {
	return join(" ", r.said(), r.changes())
}

// said is how a question was answered.
func (r *Run) said() string { return cmp.Or(clean(r.Verdict), string(r.State)) }

// changes counts what was asked about, in brackets.
func (r *Run) changes() string {
	if r.Changes == 0 {
		return ""
	}
	return "(" + count(r.Changes, "change") + ")"
}

// retry is "retry 2", or "" for what is none.
func (r *Run) retry() string {
	if r.Retry == 0 {
		return ""
	}
	return "retry " + strconv.Itoa(r.Retry)
}

// verdict is what a person said of the run, "" where its outcome says so.
func (r *Run) verdict() string {
	switch r.State {
	case Approved, Rejected, Superseded:
		return ""
	case Planned, Waiting, Denied, Applying, Applied, Partial, Failed, Stopped, InSync, Cancelled:
	}
	return clean(r.Verdict)
}

// held is ", 2 held", or "" where nothing is.
func (r *Run) held() string {
	if len(r.Lost) == 0 {
		return ""
	}
	return ", " + strconv.Itoa(len(r.Lost)) + " held"
}

// what says what was applied. What the ledger only took in, and what was so
// already, is told apart from it, and what was put back from what the spec changed.
func (r *Run) what() string {
	same := r.same()
	n := r.Changes - r.Known - same
	back := min(r.Back, n)
	var parts []string
	if back > 0 {
		parts = append(parts, "put back "+count(back, "drifted resource"))
	}
	if n > back || r.Changes == 0 {
		parts = append(parts, r.changed(n-back, max(r.Drifted-r.Back, 0)))
	}
	if r.Known > 0 {
		parts = append(parts, "took "+count(r.Known, "object")+" into the ledger")
	}
	switch {
	case same == 1:
		parts = append(parts, "1 was so already")
	case same > 1:
		parts = append(parts, thousands(same)+" were so already")
	}
	return strings.Join(parts, ", ")
}

// changed says what was applied beside what was put back: n changes, of them some to
// resources that had drifted too.
func (r *Run) changed(n, drifted int) string {
	switch {
	case n == r.Changes && len(r.Steps) > 0 && !slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Op != ledger.Adopt }):
		return "adopted " + count(len(r.Steps), "object")
	case drifted > 0 && n == 1:
		return "applied 1 change, to a drifted resource"
	case drifted > 0 && drifted >= n:
		return "applied " + count(n, "change") + ", all to drifted resources"
	case drifted == 1:
		return "applied " + count(n, "change") + ", 1 of them to a drifted resource"
	case drifted > 0:
		return "applied " + count(n, "change") + ", " + strconv.Itoa(drifted) + " of them to drifted resources"
	}
	return "applied " + count(n, "change")
}

func (r *Run) afterwards() string {
	switch {
	case r.Drift < 0, r.Drift == 0 && len(r.Lost) > 0: // of what is held nobody knows
		return ""
	case r.Drift == 0 && len(r.Late) > 0:
		return ", " + notKnown(r.Late)
	case r.Drift == 0 && r.Drifted > 0:
		return ", nothing else drifted"
	case r.Drift == 0:
		return ", nothing drifted"
	}
	return ", " + count(r.Drift, "resource") + " drifted since"
}

// mark is a state's sign, the same on every face.
func (s State) mark() string {
	switch s {
	case Applied, InSync, Approved:
		return "✓"
	case Partial, Failed, Denied, Rejected:
		return "✗"
	case Waiting, Stopped, Cancelled:
		return "◐"
	case Superseded:
		return "○"
	case Applying, Planned:
	}
	return "●"
}

// sign is the run's mark and colour: what held a part back is no green run.
func (r *Run) sign() (sign, color string) {
	if len(r.Lost) > 0 && (r.State == Applied || r.State == Planned) {
		return "⚠", yellow
	}
	return r.State.mark(), r.State.color()
}

func (s State) color() string {
	switch s {
	case Applied, InSync, Approved:
		return green
	case Partial, Failed, Denied, Rejected:
		return red
	case Waiting, Stopped, Cancelled:
		return yellow
	case Superseded:
		return dim
	case Applying, Planned:
	}
	return cyan
}

// Text renders the run for a terminal: its outcome, a line a step, what was
// held, and the next step last.
func (r *Run) Text(pg Page) string {
	in := ink(pg.Color)
	var b strings.Builder
	head := clean(r.Env)
	if r.Commit != "" {
		head += " @ " + clean(short(r.Commit))
	}
	sign, color := r.sign()
	b.WriteString(in.paint(bold, head) + "  " + in.paint(color, sign+" "+join(" · ", r.Outcome(), r.verdict(), r.retry())) + "\n")
	if len(r.Steps) > 0 {
		b.WriteString("\n")
		r.writeSteps(&b, pg)
	}
	if len(r.Steps) == 0 && len(r.Lost) > 0 {
		b.WriteString("\n")
	}
	for _, h := range grouped(r.Lost) {
		h.write(&b, pg)
	}
	if len(r.Policy)+len(r.Spec) > 0 || r.Over != nil {
		b.WriteString("\n")
		if r.Over != nil {
			writeFinding(&b, budgetWord, overRun(r.Over), pg)
		}
		for _, f := range decided(r.Spec) {
			writeFinding(&b, string(f.Severity), f, pg)
		}
		for _, f := range decided(r.Policy) {
			writeDecision(&b, f, pg)
		}
	}
	if late := LateText(r.Late, pg); late != "" {
		b.WriteString("\n" + in.paint(dim, strings.Join(wrap(late, pg.Width), "\n")) + "\n")
	}
	if foot := r.footer(); foot != "" {
		b.WriteString("\n" + strings.Join(wrap(foot, pg.Width), "\n") + "\n")
	}
	return b.String()
}

// writeSteps writes finished steps, then the failed with their words, then the
// others.
func (r *Run) writeSteps(b *strings.Builder, pg Page) {
	in := ink(pg.Color)
	addrs := 0
	for i := range r.Steps {
		addrs = max(addrs, min(wide(r.Steps[i].Address.Local()), 48))
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		sign, color := s.sign()
		line := "  " + in.paint(color, sign) + " " + pad(s.Address.Local(), addrs) + "  " + s.words()
		b.WriteString(line + "\n")
		gap := strings.Repeat(" ", 4+addrs+2)
		for _, t := range s.details() {
			b.WriteString(gap + strings.Join(wrap(t, room(pg, len(gap))), "\n"+gap) + "\n")
		}
	}
}

func (s *Step) sign() (sign, color string) {
	switch s.State {
	case StepDone:
		return "✓", green
	case StepFailed:
		return "✗", red
	case StepDoubt:
		return "?", yellow
	case StepRunning:
		return "●", cyan
	case StepWaiting:
	}
	return "·", dim
}

// words says what became of the step: "updated ingress (4.0 s)".
func (s *Step) words() string {
	aspect := ""
	if s.Aspect != "" {
		aspect = " " + clean(s.Aspect)
	}
	switch s.State {
	case StepDone:
		if s.Same {
			return strings.TrimPrefix(aspect+" was so already", " ")
		}
		return s.done() + aspect + " (" + lasting(s.Took) + ")"
	case StepRunning:
		text := string(s.Op) + aspect + " running, " + lasting(s.Took)
		if s.Turn != nil {
			text += ", " + s.Turn.words()
		}
		return text
	case StepFailed, StepDoubt, StepWaiting:
	}
	return string(s.Op) + aspect + " " + string(s.State)
}

// done is what the step's operation is called once it is done. A mark that is
// written anew adopts nothing.
func (s *Step) done() string {
	if s.Op == ledger.Adopt && strings.HasPrefix(s.ID, "mark ") {
		return "marked again"
	}
	return past(s.Op)
}

// details are the lines under a step: the provider's words with the request's
// id, and how to mend it.
func (s *Step) details() []string {
	var out []string
	msg := clean(s.Text)
	if s.RequestID != "" && !strings.Contains(msg, s.RequestID) {
		msg = join(" ", msg, "(request "+clean(s.RequestID)+")")
	}
	if msg != "" {
		out = append(out, msg)
	}
	if s.Mend != "" {
		out = append(out, "mend: "+clean(s.Mend))
	}
	return out
}

// footer is the run's last line: its name and the next step.
func (r *Run) footer() string {
	parts := []string{}
	if r.ID != "" {
		parts = append(parts, "run "+clean(r.ID))
	}
	return join(" · ", append(parts, r.next())...)
}

// zone is the page's zone, or UTC.
func (pg Page) zone() *time.Location { return cmp.Or(pg.Zone, time.UTC) }
