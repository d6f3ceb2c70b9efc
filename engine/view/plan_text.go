package view

import (
	"fmt"
	"slices"
	"strings"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
)

// foldAt bounds values where no width is given, in characters.
const foldAt = 160

// foldDetail bounds values where somebody wants to see all of them, in characters.
const foldDetail = 2000

// Text renders the plan for a terminal: the outcome first, then what happens
// by risk with its causes, what is held, the findings, and the next step last.
func (p *Plan) Text(pg Page) string {
	in := ink(pg.Color)
	parts := []string{in.paint(bold, p.headline()) + "\n"}
	if body := p.body(pg, false); body != "" {
		parts = append(parts, body)
	}
	if fs := p.findings(pg); fs != "" {
		parts = append(parts, fs)
	}
	foot := p.footer()
	if pg.Width > 0 && wide(foot) > pg.Width {
		foot = strings.ReplaceAll(foot, " · ", "\n")
	}
	if late := LateText(p.Plan.Late, pg); late != "" {
		foot = in.paint(dim, strings.Join(wrap(late, pg.Width), "\n")) + "\n" + foot
	}
	parts = append(parts, foot+"\n")
	return strings.Join(parts, "\n")
}

// headline says the outcome and the counts.
func (p *Plan) headline() string {
	s := clean(p.Plan.Env)
	if p.Commit != "" {
		s += " @ " + clean(short(p.Commit))
	}
	s += "  " + p.outcome()
	if n := len(p.Plan.Held); n > 0 {
		s += fmt.Sprintf(", %d held", n)
	}
	if v := p.verdict(); v != "" {
		s += "      policy: " + v
	}
	return s
}

func (p *Plan) outcome() string {
	n := len(p.Plan.Changes)
	if p.drift {
		n = p.drifts()
	}
	switch {
	case p.drift && n == 0 && len(p.Plan.Held) > 0:
		return join(", ", "no drift seen", notKnown(p.Plan.Late)) // some of it may not have been read
	case p.drift && n == 0:
		return join(", ", "nothing drifted", notKnown(p.Plan.Late))
	case p.drift:
		return count(n, "resource") + " drifted"
	}
	if p.Import {
		if n == 0 {
			return "nothing to adopt"
		}
		return count(n, "object") + " to adopt: nothing of them but isobar's mark is written"
	}
	if n == 0 {
		if len(p.Plan.Held) > 0 {
			return "nothing can be done"
		}
		return join(", ", "no changes: "+count(p.Plan.Kept, "resource")+" as wanted", notKnown(p.Plan.Late))
	}
	if p.renames() {
		return count(n, "object") + " to rename: nothing out there but isobar's mark is written"
	}
	return count(n, "change") + ": " + tally(p.Plan.Changes)
}

// renames reports whether all that a plan does is to give objects other names.
func (p *Plan) renames() bool {
	return !slices.ContainsFunc(p.Plan.Changes, func(c plan.Change) bool {
		return c.Action != plan.Adopt || len(c.Fields) > 0 || !slices.ContainsFunc(c.Reasons, func(r plan.Reason) bool { return strings.HasPrefix(r.Text, plan.MovedFrom) })
	})
}

// verdict counts the policies' decisions, "" where there is none.
func (p *Plan) verdict() string {
	var denied, warned, waived int
	for _, f := range p.Policy {
		switch f.Severity {
		case diag.Error:
			denied++
		case diag.Warning:
			warned++
		case diag.Note:
			waived++
		}
	}
	var parts []string
	if denied > 0 {
		parts = append(parts, fmt.Sprintf("%d denied", denied))
	}
	if warned > 0 {
		parts = append(parts, count(warned, "warning"))
	}
	if waived > 0 {
		parts = append(parts, fmt.Sprintf("%d waived", waived))
	}
	return strings.Join(parts, ", ")
}

// body renders changes, held things and notes. With flush, symbols stand in
// the first column, as a diff block needs them.
func (p *Plan) body(pg Page, flush bool) string {
	es, hidden := p.listed(pg.Detail)
	text := together(set(es, pg, flush))
	if hidden > 0 {
		text += strings.Repeat(" ", 4) + "fields of what is created are not listed, " + count(hidden, "line") + ": add --full\n"
	}
	asides := p.asides(pg)
	if len(asides) > 0 && len(es) > 0 {
		text += "\n"
	}
	return text + together(asides)
}

// block is a part of a report that is told as one: a change, a decision.
type block struct {
	risk int    // as plan.Change.Risk has it: lower is riskier
	text string // lines, the first of which says the most
}

func together(bs []block) string {
	var b strings.Builder
	for i := range bs {
		b.WriteString(bs[i].text)
	}
	return b.String()
}

// set sets entries one beneath the other.
func set(es []entry, pg Page, flush bool) []block {
	addrs, heads := 0, 0
	for i := range es {
		addrs = max(addrs, wide(es[i].address))
		if es[i].tail != "" && wide(es[i].head) <= 48 {
			heads = max(heads, wide(es[i].head))
		}
	}
	out := make([]block, len(es))
	for i := range es {
		var b strings.Builder
		es[i].write(&b, layout{pg, flush, min(addrs, 48), heads})
		out[i] = block{es[i].risk, b.String()}
	}
	return out
}

// asides renders what is held and the notes.
func (p *Plan) asides(pg Page) []block {
	var out []block
	for _, h := range grouped(p.Plan.Held) {
		var b strings.Builder
		h.write(&b, pg)
		out = append(out, block{2, b.String()})
	}
	for _, n := range p.Plan.Notes {
		out = append(out, block{5, ink(pg.Color).paint(cyan, "note") + "  " + n.Address.Local() + "  " + clean(n.Text) + "\n"})
	}
	return out
}

// layout is how entries are set: widths in columns.
type layout struct {
	Page
	flush bool
	addr  int
	head  int
}

func (e *entry) write(b *strings.Builder, l layout) {
	in := ink(l.Color)
	sym := pad(e.symbol, 3)
	if !l.flush && len(e.symbol) == 1 {
		sym = " " + e.symbol + " "
	}
	line := in.paint(tint(e.symbol), sym) + " " + pad(e.address, l.addr) + "  "
	indent := 4 + max(l.addr, wide(e.address)) + 2
	head := e.head
	if e.tail != "" {
		head = pad(head, l.head)
	}
	switch {
	case e.tail != "" && (l.Width == 0 || indent+wide(head)+2+wide(e.tail) <= l.Width):
		b.WriteString(line + head + "  " + in.paint(dim, e.tail) + "\n")
	case e.tail != "":
		b.WriteString(line + strings.Join(wrap(e.head, max(l.Width-indent, 24)), "\n"+strings.Repeat(" ", indent)) + "\n" + strings.Repeat(" ", indent) + in.paint(dim, e.tail) + "\n")
	default:
		text := line + head
		if l.Width > 0 {
			text = line + strings.Join(wrap(head, max(l.Width-indent, 24)), "\n"+strings.Repeat(" ", indent))
		}
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	e.writeRows(b, l)
}

func (e *entry) writeRows(b *strings.Builder, l layout) {
	const indent = 6
	in := ink(l.Color)
	paths, whats := 0, 0
	for _, r := range e.rows {
		paths = max(paths, min(wide(r.path), 32))
	}
	limit := foldAt
	if l.Width > 0 {
		limit = max(l.Width-indent-paths-2, 20)
	}
	if l.Detail {
		limit = foldDetail
	}
	for i := range e.rows {
		e.rows[i].what, e.rows[i].to = e.rows[i].fit(limit), ""
		if w := wide(e.rows[i].what); w <= 56 && e.rows[i].why != "" {
			whats = max(whats, w)
		}
	}
	for _, r := range e.rows {
		start := strings.Repeat(" ", indent) + pad(r.path, paths) + "  "
		what, why := r.what, in.paint(dim, r.why)
		switch {
		case r.why == "":
			b.WriteString(start + what + "\n")
		case l.Width == 0 || wide(start)+max(wide(what), whats)+2+wide(r.why) <= l.Width:
			b.WriteString(start + pad(what, whats) + "  " + why + "\n")
		default:
			gap := strings.Repeat(" ", indent+paths+2)
			b.WriteString(start + what + "\n")
			for _, w := range wrap(r.why, room(l.Page, len(gap))) {
				b.WriteString(gap + in.paint(dim, w) + "\n")
			}
		}
	}
}

// room is the width that is left after an indent; 0 is no bound.
func room(pg Page, indent int) int {
	if pg.Width == 0 {
		return 0
	}
	return max(pg.Width-indent, 20)
}

// findings renders policy decisions, then the spec's findings.
func (p *Plan) findings(pg Page) string { return together(p.decisions(pg)) }

func (p *Plan) decisions(pg Page) []block {
	var out []block
	add := func(risk int, write func(b *strings.Builder)) {
		var b strings.Builder
		write(&b)
		out = append(out, block{risk, b.String()})
	}
	if p.Over != nil {
		add(1, func(b *strings.Builder) { writeFinding(b, budgetWord, p.over(), pg) })
	}
	for _, f := range decided(p.Policy) {
		risk := map[diag.Severity]int{diag.Error: 0, diag.Warning: 3, diag.Note: 5}[f.Severity]
		add(risk, func(b *strings.Builder) { writeDecision(b, f, pg) })
	}
	for _, f := range p.Spec.Sorted() {
		add(3, func(b *strings.Builder) { b.WriteString(Finding(f, pg)) })
	}
	return out
}

// decided orders decisions: denials, warnings, waived ones.
func decided(l diag.List) diag.List {
	var out diag.List
	sorted := l.Sorted()
	for _, s := range []diag.Severity{diag.Error, diag.Warning, diag.Note} {
		for _, f := range sorted {
			if f.Severity == s {
				out = append(out, f)
			}
		}
	}
	return out
}

// decisionWord is what a decision of that severity is called.
func decisionWord(s diag.Severity) (word, color string) {
	switch s {
	case diag.Error:
		return "deny", red
	case diag.Warning:
		return "warn", yellow
	case diag.Note:
	}
	return "waived", cyan
}

func writeDecision(b *strings.Builder, f diag.Finding, pg Page) {
	w, _ := decisionWord(f.Severity)
	writeFinding(b, w, f, pg)
}

// writeFinding writes a finding after a word that sorts it.
func writeFinding(b *strings.Builder, w string, f diag.Finding, pg Page) {
	in := ink(pg.Color)
	_, color := decisionWord(f.Severity)
	indent := wide(w) + 2
	at := f.Where.String()
	msg := join(": ", clean(f.Subject), clean(f.Message))
	lines := wrap(msg, room(pg, indent))
	if last := len(lines) - 1; at != "" {
		if pg.Width == 0 || indent+wide(lines[last])+3+wide(at) <= pg.Width {
			lines[last] += "   " + in.paint(dim, clean(at))
		} else {
			lines = append(lines, in.paint(dim, clean(at)))
		}
	}
	gap := "\n" + strings.Repeat(" ", indent)
	b.WriteString(in.paint(color, w) + "  " + strings.Join(lines, gap) + "\n")
	if f.Mend != "" {
		b.WriteString(gap[1:] + "mend: " + strings.Join(wrap(clean(f.Mend), room(pg, indent+6)), gap+"      ") + "\n")
	}
}

// footer is the last line: which plan, what it costs, and the next step.
func (p *Plan) footer() string {
	id := PlanID(p.Plan.Digest)
	parts := []string{}
	if id != "" {
		parts = append(parts, "plan "+id)
	}
	work := ""
	if n := calls(&p.Plan); n > 0 && !p.Import {
		work = count(n, "call") + " to make, "
	}
	parts = append(parts, work+count(p.Reads, "read")+" made in "+lasting(p.Took), p.next())
	return join(" · ", parts...)
}

// calls counts the steps that call the provider: a lookup's value is only written
// down.
func calls(p *plan.Plan) int {
	n := 0
	for i := range p.Steps {
		if op := p.Steps[i].Op; op != ledger.Pin && op != ledger.Forget {
			n++
		}
	}
	return n
}

// mends reports whether anything held says how to go on.
func (p *Plan) mends() bool {
	for i := range p.Plan.Held {
		if p.Plan.Held[i].Mend != "" {
			return true
		}
	}
	return false
}

// takesIn reports whether the ledger takes something in that no call is needed for.
func (p *Plan) takesIn() bool {
	return slices.ContainsFunc(p.Plan.Notes, func(n plan.Note) bool { return n.Ledger })
}

// taking says how the ledger comes to what it takes in.
func (p *Plan) taking() string {
	switch p.Mode {
	case "":
		return "no call is needed: isobar apply " + clean(p.Plan.Env) + " takes it into the ledger"
	case "observe":
		return "nothing to do in mode observe"
	}
	return "no call is needed: it is taken into the ledger unasked"
}

// next is what a person types or edits next.
func (p *Plan) next() string {
	env, id := clean(p.Plan.Env), PlanID(p.Plan.Digest)
	switch {
	case p.drift && p.Denied():
		return "denied by policy: isobar apply " + env + " would put nothing back until the spec is mended"
	case p.drift && len(p.Plan.Changes) > 0:
		return "to put it back: isobar apply " + env
	case p.Denied():
		return "denied by policy: nothing will be applied until the spec is mended"
	case len(p.Plan.Steps) == 0 && p.mends():
		return "see the mend lines above"
	case len(p.Plan.Steps) == 0 && len(p.Plan.Held) > 0:
		return "nothing is done while this is so"
	case len(p.Plan.Steps) == 0 && len(p.Plan.Changes) > 0 && p.Mode == "":
		return "no call is needed: isobar apply " + env + " takes them into the ledger"
	case len(p.Plan.Steps) == 0 && p.takesIn():
		return p.taking()
	case len(p.Plan.Steps) == 0:
		return "nothing to do"
	case p.Next != "":
		return clean(p.Next)
	case p.waits():
		s := "isobar approve " + id
		if p.Needs > 1 {
			s = fmt.Sprintf("%d approvals are missing: ", p.Needs) + s
		}
		return s
	case p.Mode == "auto":
		return "applied unasked in mode auto"
	case p.Once:
		return "isobar apply " + env
	}
	return "isobar apply " + env + " --plan " + id
}
