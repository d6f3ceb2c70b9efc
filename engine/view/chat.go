package view

import (
	"strings"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/plan"
)

// Chat is one thread of a chat: a head that is edited in place, and lines under it
// that are posted once each.
type Chat struct {
	Head   Rich
	Thread []ChatLine
}

// ChatLine is one line of a thread. Key tells whether its run has posted it:
// the same line has the same key for as long as the run lives. Once, where it is
// set, does so for all runs that go on in the thread: a try that fails as the one
// before it did says nothing new.
type ChatLine struct {
	Key  string
	Once string
	Text Rich
}

// Chat renders the run as a thread: its head says how far it is and what comes
// next, its lines what became of each step, what failed and why.
func (r *Run) Chat() Chat {
	sign, _ := r.sign()
	out := Chat{Head: joined(" ", said(sign), joined(" · ",
		strong(r.Env), r.outcome(), r.fault(), said(r.retry()), r.commit(), r.pull(), r.again()))}
	for i := range r.Steps {
		if l, ok := r.Steps[i].chat(); ok {
			out.Thread = append(out.Thread, l)
		}
	}
	for _, h := range grouped(r.Lost) {
		out.Thread = append(out.Thread, h.chat())
	}
	for _, f := range decided(r.Spec) {
		out.Thread = append(out.Thread, findingLine(string(f.Severity), f))
	}
	for _, f := range decided(r.Policy) {
		out.Thread = append(out.Thread, decisionLine(f))
	}
	if n := r.next(); n != "" && r.State != Applying && r.Again.IsZero() {
		out.Thread = append(out.Thread, ChatLine{Key: "next " + string(r.State), Once: n, Text: said(n)})
	}
	if r.Retry > 0 && (r.State == Applied || r.State == InSync) {
		out.Thread = append(out.Thread, ChatLine{Key: "well", Text: said("✓ " + r.Outcome() + ": it went well at " + r.retry())})
	}
	return out
}

// outcome is the run's outcome and what a person said of it, and when.
func (r *Run) outcome() Rich {
	when := joined(" ", said("at"), moment(r.Decided))
	if r.Decided.IsZero() {
		when = nil
	}
	switch r.State {
	case Superseded:
		return joined(" · ", joined(" ", said(r.said()), said(r.changes())), moment(r.Decided))
	case Approved, Rejected:
		return joined(" ", said(r.said()), when, said(r.changes()))
	case Planned, Waiting, Denied, Applying, Applied, Partial, Failed, Stopped, InSync, Cancelled:
	}
	verdict := said(r.verdict())
	switch {
	case r.State == Cancelled && r.Halt != nil:
		when = moment(r.Halt.At)
	case len(verdict) == 0:
		when = nil
	default:
		verdict, when = joined(" ", verdict, when), nil
	}
	return joined(" · ", said(r.Outcome()), when, verdict)
}

// fault is the first step that went wrong, in the API's words.
func (r *Run) fault() Rich {
	for i := range r.Steps {
		if s := &r.Steps[i]; s.State == StepFailed || s.State == StepDoubt {
			return joined(": ", coded(s.Address.Local()), said(brief(s.words(), 60)), said(brief(strings.Join(s.details()[:min(1, len(s.details()))], ""), 200)))
		}
	}
	return nil
}

// commit is the commit, its subject and who made it.
func (r *Run) commit() Rich {
	switch {
	case r.Commit == "":
		return nil
	case r.Trigger == "drift" && r.Drifted > 0: // nobody's commit began it
		return joined(" ", said("as"), coded(short(r.Commit)), said("has it"))
	}
	subject := ""
	if r.Subject != "" {
		subject = "\"" + brief(r.Subject, 80) + "\""
	}
	by := ""
	if r.By != "" {
		by = "by " + r.By
	}
	return joined(" ", coded(short(r.Commit)), said(subject), said(by))
}

func (r *Run) pull() Rich {
	if r.Pull == "" {
		return nil
	}
	return said("PR " + r.Pull)
}

// again says when the run is tried again.
func (r *Run) again() Rich {
	if r.Again.IsZero() {
		return nil
	}
	return joined(" ", said("isobar tries again at"), moment(r.Again))
}

// chat is the step's line once it ended; ok is false before that.
func (s *Step) chat() (ChatLine, bool) {
	if s.Same {
		return ChatLine{}, false
	}
	switch s.State {
	case StepDone, StepFailed, StepDoubt:
	case StepRunning, StepWaiting:
		return ChatLine{}, false
	}
	out := ChatLine{Key: s.ID + " " + string(s.State)}
	out.Text = joined(" ", moment(s.At), coded(s.Address.Local()), said(s.words()))
	if s.State == StepDone {
		return out, true
	}
	why := brief(strings.Join(s.details(), "; "), 1000)
	out.Text = joined(": ", out.Text, said(why))
	out.Once = out.Key + " " + s.words() + " " + why
	if s.RequestID != "" { // another at each try
		out.Once = strings.ReplaceAll(out.Once, s.RequestID, "")
	}
	return out, true
}

func decisionLine(f diag.Finding) ChatLine {
	w, _ := decisionWord(f.Severity)
	return findingLine(w, f)
}

// findingLine is a finding's line of a thread, after a word that sorts it.
func findingLine(w string, f diag.Finding) ChatLine {
	text := joined(" ", said(w), joined(": ", coded(f.Subject), said(f.Message)), coded(f.Where.String()))
	if f.Mend != "" {
		text = joined("\n", text, said("mend: "+f.Mend))
	}
	key := clean(w + " " + f.String())
	return ChatLine{Key: key, Once: key, Text: text}
}

// chatFields is how many drifted fields a chat line names.
const chatFields = 5

// DriftChat renders what drifted as a thread: the head counts, a line an
// object names the field, its values and who changed it. ok is false where
// nothing drifted.
func (p *Plan) DriftChat() (c Chat, ok bool) {
	for _, ch := range p.ordered() {
		var fields []Rich
		for i := range ch.Fields {
			f := &ch.Fields[i]
			if f.Cause != plan.CauseDrift && !f.Conflict {
				continue
			}
			for _, r := range rows(f, p.Kinds[ch.Address.Type()], false) {
				fields = append(fields, joined(" ", said(r.path), r.chat()))
			}
		}
		if len(fields) == 0 && drifter(ch) == "" {
			continue
		}
		if n := len(fields); n > chatFields {
			fields = append(fields[:chatFields], said(count(n-chatFields, "more change")))
		}
		text := joined(" ", coded(ch.Address.Local()), joined(", ", append(fields, said(drifter(ch)))...))
		key := "drift " + ch.Address.String()
		c.Thread = append(c.Thread, ChatLine{Key: key, Once: key + " " + text.Plain(), Text: joined(" ", said("drift"), text)})
	}
	if len(c.Thread) == 0 {
		return Chat{}, false
	}
	mode := ""
	if p.Mode != "" {
		mode = "mode " + p.Mode
	}
	c.Head = joined(" ", said("◐"), joined(" · ", strong(p.Plan.Env), said("drift: "+count(len(c.Thread), "resource")+" changed outside"), said(mode), said(p.next())))
	return c, true
}
