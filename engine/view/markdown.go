package view

import (
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"

	"isobar.dev/engine/plan"
)

// escaped are the characters that Markdown (CommonMark and the forges'
// additions) reads as markup in running text or a table's cell.
const escaped = "\\`*_{}[]()<>#+-.!|~&:$"

// zeroWidth breaks what a forge would turn into a mention or a link.
const zeroWidth = "\u200b"

// Escape makes outside text safe within Markdown's running text and table
// cells: no markup, no line break, nobody pinged, no issue or commit linked,
// no bare link.
func Escape(s string) string {
	s = clean(s)
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '@':
			b.WriteString("@" + zeroWidth)
		case c == '<':
			b.WriteString("&lt;")
		case c == '>':
			b.WriteString("&gt;")
		case c == '&':
			b.WriteString("&amp;")
		case strings.IndexByte(escaped, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
			if c == '#' || c == ':' {
				b.WriteString(zeroWidth)
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Code makes outside text a code span: its delimiter is longer than any run of
// backticks within. Forges neither ping nor link from code. Within a table,
// pipes still need a backslash.
func Code(s string) string {
	s = strings.TrimSpace(clean(s))
	if s == "" {
		return ""
	}
	d := strings.Repeat("`", longestRun(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return d + s + d
}

// fence makes text a code block that nothing in it can close.
func fence(info, s string) string {
	d := strings.Repeat("`", max(longestRun(s)+1, 3))
	return d + info + "\n" + strings.TrimRight(s, "\n") + "\n" + d + "\n"
}

// longestRun is the length of the longest run of backticks.
func longestRun(s string) int {
	most, run := 0, 0
	for i := range len(s) {
		if s[i] != '`' {
			run = 0
			continue
		}
		run++
		most = max(most, run)
	}
	return most
}

// bodyLimit bounds a Markdown report, in bytes: GitHub takes comments of 65,536
// characters.
const bodyLimit = 60000

// Markdown renders plans as one comment: a summary table with a line an
// environment, then each plan folded away in the words of Text, and how to go
// on. What does not fit a forge's comment is cut, and said to be. With detail
// the fields of what is created are listed, however many they are.
func Markdown(plans []*Plan, detail bool) string {
	if len(plans) == 0 {
		return "### isobar plan · no environment is concerned\n"
	}
	verb := "plan"
	switch first := plans[0]; {
	case first.drift:
		verb = "drift"
	case first.Verb != "":
		verb = clean(first.Verb)
	}
	var b strings.Builder
	names := make([]string, len(plans))
	total, held := 0, 0
	for i, p := range plans {
		names[i] = Escape(p.Plan.Env)
		if total += len(p.Plan.Changes); verb == "drift" {
			total += p.drifts() - len(p.Plan.Changes)
		}
		held += len(p.Plan.Held)
	}
	title := "### isobar " + verb + " · " + strings.Join(names, ", ") + " · "
	switch {
	case total == 0 && verb == "drift" && held > 0:
		title += "no drift seen"
	case total == 0 && verb == "drift":
		title += "nothing drifted"
	case total == 0:
		title += "no changes"
	case verb == "drift":
		title += count(total, "resource") + " drifted"
	default:
		title += count(total, "change")
	}
	if held > 0 {
		title += fmt.Sprintf(", %d held", held)
	}
	if n := denials(plans); n > 0 {
		title += fmt.Sprintf(", %d denied", n)
	}
	b.WriteString(title + "\n\n| environment | + | ~ | -/+ | - | policy | note |\n|---|---|---|---|---|---|---|\n")
	for _, p := range plans {
		b.WriteString(p.summaryRow(p.note()))
	}
	for _, p := range plans {
		b.WriteString("\n" + p.section(bodyLimit/len(plans), detail))
	}
	return b.String()
}

func denials(plans []*Plan) int {
	n := 0
	for _, p := range plans {
		n += p.Policy.Errors()
	}
	return n
}

func (p *Plan) summaryRow(note string) string {
	n := map[plan.Action]int{}
	for i := range p.Plan.Changes {
		n[p.Plan.Changes[i].Action]++
	}
	risky := func(k int) string {
		if k == 0 {
			return "0"
		}
		return "**" + strconv.Itoa(k) + "**"
	}
	verdict := p.verdict()
	switch {
	case p.Denied():
		verdict = "✗ " + verdict
	case verdict != "":
		verdict = "⚠ " + verdict
	default:
		verdict = "✓"
	}
	return fmt.Sprintf("| %s | %d | %d | %s | %s | %s | %s |\n", Escape(p.Plan.Env), n[plan.Create], n[plan.Update],
		risky(n[plan.Replace]), risky(n[plan.Delete]), verdict, note)
}

// note names the riskiest change, and what else is worth a look.
func (p *Plan) note() string {
	var parts []string
	if cs := p.ordered(); len(cs) > 0 && cs[0].Risk() <= 2 {
		verb := map[plan.Action]string{plan.Delete: "deletes", plan.Replace: "replaces", plan.Update: "interrupts"}[cs[0].Action]
		s := verb + " " + strings.ReplaceAll(Code(cs[0].Address.Local()), "|", "\\|")
		alike := cs[:1]
		for len(alike) < len(cs) && cs[len(alike)].Risk() == cs[0].Risk() {
			alike = cs[:len(alike)+1]
		}
		if more := len(alike) - 1; more > 0 {
			s += " and " + strconv.Itoa(more) + " more"
		}
		parts = append(parts, join(": ", s, cost(alike)))
	}
	if n := len(p.Plan.Held); n > 0 {
		parts = append(parts, strconv.Itoa(n)+" held")
	}
	return strings.Join(parts, ", ")
}

// cost is what replacements of one plan cost while they are made.
func cost(cs []*plan.Change) string {
	if cs[0].Action != plan.Replace {
		return ""
	}
	gone := slices.ContainsFunc(cs, func(c *plan.Change) bool { return !c.First })
	switch {
	case !gone:
		return "the new one first"
	case len(cs) == 1:
		return "without it meanwhile"
	}
	return "without them meanwhile"
}

// section is one environment's part, of at most about limit bytes.
func (p *Plan) section(limit int, detail bool) string {
	body := p.body(Page{Detail: detail}, true)
	if fs := p.findings(Page{}); fs != "" {
		body = join("\n", body, fs)
	}
	if len(body) > limit {
		cut := strings.LastIndexByte(body[:limit], '\n') + 1
		body = body[:cut] + "… " + count(strings.Count(body[cut:], "\n"), "line") + " more: isobar plan " + clean(p.Plan.Env) + "\n"
	}
	var b strings.Builder
	if body != "" {
		b.WriteString("<details><summary>" + html.EscapeString(clean(p.Plan.Env)) + ": " + p.outcome() + "</summary>\n\n" + fence("diff", body) + "\n</details>\n\n")
	}
	if d := p.drifted(); len(d) > 0 && !p.drift {
		b.WriteString("Also drifted, and would be put back: " + strings.Join(d, ", ") + ".\n\n")
	}
	if late := LateText(p.Plan.Late, Page{}); late != "" {
		b.WriteString(Escape(late) + "\n\n")
	}
	b.WriteString(Code(p.footer()))
	if p.Commit != "" {
		b.WriteString(" at " + Code(short(p.Commit)))
	}
	b.WriteString("\n")
	return b.String()
}

// drifted names the fields that changed outside and would be put back.
func (p *Plan) drifted() []string {
	var out []string
	for _, c := range p.ordered() {
		for i := range c.Fields {
			if f := &c.Fields[i]; f.Cause == plan.CauseDrift {
				s := Code(c.Address.Local()+" "+f.Path.String()) + " (" + Escape(cause(c, f)) + ")"
				out = append(out, s)
			}
		}
	}
	if n := len(out); n > 5 {
		out = append(out[:5], strconv.Itoa(n-5)+" more")
	}
	return out
}

// Markdown renders a run as a section: its outcome, and its steps in a block.
func (r *Run) Markdown(pg Page) string {
	pg.Color, pg.Width = false, 0
	head := "### isobar " + Escape(string(r.State)) + " · " + Escape(r.Env) + "\n\n"
	return head + fence("diff", r.Text(pg))
}
