package view

import (
	"isobar.dev/engine/plan"
)

// How much of a plan is told in chat.
const (
	headLines  = 8    // of changes, that its head holds: people decide by what they see at once
	packLength = 2500 // characters of changes in one line of its thread, or a little more
	packs      = 20   // lines of changes in a thread
	chatRows   = 12   // fields of one change
	chatValue  = 160  // characters of one value and the one before it
)

// Chat renders the plan as a thread: the head says what it would do and, where it
// waits for a person, what to type; the lines hold every change with its values,
// what is held and what the policies say. A plan of few changes has them in the
// head, too.
func (p *Plan) Chat() Chat {
	changes := p.chatChanges()
	out := Chat{Head: p.chatHead()}
	if p.waits() {
		all := 0
		for _, c := range changes {
			all += c.lines()
		}
		switch {
		case all <= headLines:
			out.Head = joined("\n", append([]Rich{out.Head}, changes...)...)
		default:
			out.Head = joined("\n", out.Head, said("what changes is in the thread"))
		}
		if p.Over != nil {
			out.Head = joined("\n", out.Head, said(p.Over.Text()))
		}
		out.Head = joined("\n", out.Head, p.decide())
	}
	out.Thread = packed(changes)
	for _, h := range grouped(p.Plan.Held) {
		out.Thread = append(out.Thread, h.chat())
	}
	if p.Over != nil {
		out.Thread = append(out.Thread, findingLine(budgetWord, p.over()))
	}
	for _, f := range decided(p.Policy) {
		out.Thread = append(out.Thread, decisionLine(f))
	}
	return out
}

// chatHead is the first line of the head.
func (p *Plan) chatHead() Rich {
	sign, next := "●", said(p.next())
	switch {
	case p.Denied():
		sign = "✗"
	case p.waits():
		sign, next = "◐", nil
	case len(p.Plan.Steps) == 0 && len(p.Plan.Held) > 0:
		sign = "⚠"
		if p.mends() {
			next = said("how to mend it is in the thread")
		}
	}
	parts := []Rich{strong(p.Plan.Env)}
	if p.waits() {
		parts = append(parts, joined(" ", said("plan"), coded(PlanID(p.Plan.Digest)), said("waits for an approval")))
	}
	parts = append(parts, said(p.outcome()))
	if n := p.outside(); n > 0 && !p.drift {
		parts = append(parts, said(count(n, "resource")+" drifted"))
	}
	if n := len(p.Plan.Held); n > 0 && len(p.Plan.Changes) > 0 {
		parts = append(parts, said(thousands(n)+" held"))
	}
	of := Run{Commit: p.Commit, Subject: p.Subject, By: p.By}
	parts = append(parts, of.commit())
	if v := p.verdict(); v != "" {
		parts = append(parts, said("policy: "+v))
	}
	return joined(" ", said(sign), joined(" · ", append(parts, next)...))
}

// outside counts the changes to what had drifted.
func (p *Plan) outside() int {
	n := 0
	for i := range p.Plan.Changes {
		if p.Plan.Changes[i].Drifted() {
			n++
		}
	}
	return n
}

// decide is what a person types to let the plan go on, or to turn it away.
func (p *Plan) decide() Rich {
	at := p.Plan.Env + " " + PlanID(p.Plan.Digest)
	return joined(" ", said("to approve it:"), coded("isobar approve "+at), said("· to turn it away:"), coded("isobar reject "+at))
}

// chatChanges are the plan's changes with their values, riskiest first.
func (p *Plan) chatChanges() []Rich {
	var out []Rich
	cs := p.ordered()
	for i, e := range p.entries(true) {
		lines := []Rich{joined(" ", coded(e.symbol+" "+e.address), said(join(", ", e.head, e.tail)))}
		rows := e.rows
		if cs[i].Action == plan.Create {
			rows = chosen(rows)
		}
		for _, r := range rows[:min(len(rows), chatRows)] {
			lines = append(lines, joined("  ", said("    "+r.path), r.chat(), said(r.why)))
		}
		if n := len(rows) - chatRows; n > 0 {
			lines = append(lines, said("    and "+count(n, "more field")))
		}
		out = append(out, joined("\n", lines...))
	}
	return out
}

// chat is the row's values, each to be copied by itself.
func (r *row) chat() Rich {
	if r.to == "" {
		return coded(brief(r.what, chatValue))
	}
	return joined(" → ", coded(brief(r.what, chatValue/2)), coded(brief(r.to, chatValue/2)))
}

// chosen are the fields that somebody set: what the schema fills in is no news.
func chosen(rows []row) []row {
	var out []row
	for _, r := range rows {
		if r.why != schemaDefault {
			out = append(out, r)
		}
	}
	return out
}

// packed puts changes together into as few lines of a thread as they fit.
func packed(changes []Rich) []ChatLine {
	var out []ChatLine
	var pack []Rich
	length := 0
	flush := func() {
		if len(pack) > 0 {
			out = append(out, ChatLine{Key: "changes " + thousands(len(out)+1), Text: joined("\n", pack...)})
		}
		pack, length = nil, 0
	}
	for i, c := range changes {
		if len(out) == packs {
			out = append(out, ChatLine{Key: "more", Text: said(count(len(changes)-i, "more change"))})
			return out
		}
		pack = append(pack, c)
		if length += wide(c.Plain()); length >= packLength {
			flush()
		}
	}
	flush()
	return out
}
