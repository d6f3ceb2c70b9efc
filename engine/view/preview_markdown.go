package view

import (
	"html"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"isobar.dev/engine/review"
)

// LeastPreview is the smallest limit that a preview's comment is made for, in
// bytes.
const LeastPreview = 2000

// PreviewMarkdown renders a preview as one comment of at most limit bytes, which
// is at least LeastPreview: a forge that counts characters takes no fewer. What
// does not fit is cut and said to be: the fields of what is created first, then
// what is created, and what is deleted or replaced last.
func PreviewMarkdown(p *Preview, limit int) string {
	limit = max(limit, LeastPreview)
	head := p.Mark.String() + "\n" + p.title() + "\n"
	banner, table, overlaps, foot := p.banner(), "", p.overlaps(), "\n"+p.footer()+"\n"
	envs := p.ordered()
	if len(p.Conflicts) == 0 && len(envs) > 0 {
		table = p.table(envs, limit/4)
	}
	if len(head+banner+table+overlaps+foot) > limit*3/4 {
		banner, overlaps = shortened(banner, limit/4), shortened(overlaps, limit/8)
	}
	room := limit - len(head+banner+table+overlaps+foot)
	out := head + banner + table + p.sections(envs, room) + overlaps + foot
	if len(out) > limit { // a title is never that long
		return head + "\n" + p.elsewhere("the plan does not fit a comment", envs...) + "\n"
	}
	return out
}

// shortened cuts text of whole lines to so many bytes, and closes a code block
// that it cuts.
func shortened(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const note = "…\n"
	var b strings.Builder
	fence := ""
	for l := range strings.Lines(s) {
		if b.Len()+len(l)+2*len(fence)+len(note)+1 > limit {
			break
		}
		ticks := l[:len(l)-len(strings.TrimLeft(l, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3 && !strings.Contains(l[len(ticks):], "`"):
			if b.Len()+2*len(l)+len(ticks)+len(note)+1 > limit {
				return b.String() + note
			}
			fence = ticks
		case fence != "" && strings.TrimSuffix(l, "\n") == fence:
			fence = ""
		}
		b.WriteString(l)
	}
	b.WriteString(note)
	if fence != "" {
		b.WriteString(fence + "\n")
	}
	return b.String()
}

// sections renders the environments' parts within so many bytes.
func (p *Preview) sections(envs []*PreviewEnv, room int) string {
	if len(p.Conflicts) > 0 {
		return ""
	}
	parts, all := make([]part, 0, len(envs)), []piece{}
	left, least := room-200, math.MaxInt // what is said of those left out
	var skipped []*PreviewEnv
	for _, e := range envs {
		s := e.part(len(parts), p)
		switch {
		case s.empty():
			continue
		case len(skipped) > 0 || left-s.cost() < room/4:
			skipped = append(skipped, e)
			for _, l := range s.lines {
				least = min(least, l.order+1) // as risky as that is told of the others still
			}
			continue
		}
		left -= s.cost()
		parts, all = append(parts, s), append(all, s.lines...)
	}
	in := keep(all, left, least)
	var b strings.Builder
	for i := range parts {
		b.WriteString("\n" + parts[i].markdown(in[i]))
	}
	if n := len(skipped); n > 0 {
		what := "… " + count(n, "more environment")
		if n > footerPlans && address(p.Whole) == "" {
			what += ", the riskiest"
		}
		b.WriteString("\n" + p.elsewhere(what, skipped...) + "\n")
	}
	return b.String()
}

// part is one environment's section: a fold of lines, and what stands beneath it.
type part struct {
	summary string
	lines   []piece
	foot    string
	more    string // where the lines are that are cut
	ticks   string
}

func (s *part) empty() bool { return len(s.lines) == 0 && s.foot == "" }

// cost is what the section takes beside its lines, in bytes.
func (s *part) cost() int {
	return len(s.summary) + len(s.foot) + len(s.more) + 2*len(s.ticks) + len("<details><summary></summary>\n\ndiff\n\n\n</details>\n\n\n… 1,000,000 lines more: \n")
}

func (s *part) markdown(in map[int]bool) string {
	text, cut := pick(s.lines, in)
	var b strings.Builder
	if len(s.lines) > 0 {
		if cut > 0 {
			text += "… " + count(cut, "line") + " more" + "\n"
		}
		b.WriteString("<details><summary>" + s.summary + "</summary>\n\n" + s.ticks + "diff\n" + strings.TrimRight(text, "\n") + "\n" + s.ticks + "\n\n</details>\n\n")
	}
	b.WriteString(s.foot)
	if cut > 0 {
		b.WriteString(s.more)
	}
	return b.String()
}

// part makes the environment's section.
func (e *PreviewEnv) part(n int, p *Preview) part {
	switch {
	case e.Run != nil:
		return e.ran(n)
	case e.Plan == nil:
		text := "**" + Escape(e.Env) + "** could not be planned: " + Escape(brief(clean(e.Why), 600))
		if e.Mend != "" {
			text += "\nMend: " + Escape(brief(clean(e.Mend), 300))
		}
		return part{foot: text + "\n"}
	}
	q := e.parted()
	s := part{more: p.elsewhere("all of it", e) + "\n"}
	add := func(title string, bs []block) {
		if len(bs) == 0 {
			return
		}
		least := slices.MinFunc(bs, func(a, b block) int { return a.risk - b.risk }).risk
		if len(s.lines) > 0 {
			s.lines = append(s.lines, pieces(n, len(s.lines), []block{{least, ""}})...)
		}
		if title != "" {
			s.lines = append(s.lines, pieces(n, len(s.lines), []block{{least, title}})...)
		}
		s.lines = append(s.lines, pieces(n, len(s.lines), bs)...)
	}
	add("", set(q.own.entries(true), Page{}, true))
	add("", q.own.asides(Page{}))
	add("", q.own.decisions(Page{}))
	add("drifted, and put back with it:", set(q.drift.entries(true), Page{}, true))
	add("waits on the base branch already:", set(q.waits.entries(true), Page{}, true))
	add("waits on the base branch, and is not done any more:", ended(q.ends))
	s.summary = html.EscapeString(clean(e.Env)) + ": " + html.EscapeString(e.outcome(&q))
	for _, l := range s.lines {
		if t := strings.Repeat("`", max(longestRun(l.text)+1, 3)); len(t) > len(s.ticks) {
			s.ticks = t
		}
	}
	if e.Plan.Plan.Digest != "" || len(e.Plan.Plan.Held) > 0 || e.Plan.takesIn() {
		s.foot = e.foot(p) + "\n"
	}
	if late := LateText(e.Plan.Plan.Late, Page{}); late != "" {
		s.foot += "\n" + Escape(late) + "\n"
	}
	return s
}

// ended names the steps that nobody would do any more.
func ended(steps []string) []block {
	var out []block
	for _, s := range steps {
		out = append(out, block{3, "    " + clean(s) + "\n"})
	}
	return out
}

// ran is the section of an environment that a run has worked on.
func (e *PreviewEnv) ran(n int) part {
	s := part{summary: html.EscapeString(clean(e.Env)) + ": " + html.EscapeString(e.Run.Outcome()), more: "\n"}
	if len(e.Run.Steps)+len(e.Run.Lost)+len(e.Run.Policy)+len(e.Run.Spec) > 0 {
		s.lines = pieces(n, 0, []block{{0, e.Run.Text(Page{})}})
	}
	if e.Run.ID != "" {
		s.more = "all of it: " + Code("isobar runs show "+e.Run.ID) + "\n"
	}
	if next := e.Run.next(); next != "" && e.ended() != string(Applied) {
		s.foot = Escape(e.Env) + ": " + Code(next) + "\n"
	}
	s.foot += e.differs()
	for _, l := range s.lines {
		if t := strings.Repeat("`", max(longestRun(l.text)+1, 3)); len(t) > len(s.ticks) {
			s.ticks = t
		}
	}
	return s
}

// differences bounds how many objects are named that a plan differs in.
const differences = 10

// differs says how what waits differs from what was approved.
func (e *PreviewEnv) differs() string {
	if e.Approved == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n**Not what was approved** with plan " + Code(PlanID(e.Approved)) + ": nothing is applied before somebody approves this one.\n")
	for i, d := range e.Differs {
		if i == differences {
			b.WriteString("- and " + strconv.Itoa(len(e.Differs)-i) + " more\n")
			break
		}
		at, how, _ := strings.Cut(clean(d), ": ")
		b.WriteString("- " + Code(at) + ": " + Escape(brief(how, 300)) + "\n")
	}
	return b.String()
}

// elsewhere says where the rest is of what was planned for environments.
func (p *Preview) elsewhere(what string, of ...*PreviewEnv) string {
	if to := address(p.Whole); to != "" {
		return "[" + what + "](" + to + ")"
	}
	var ids []string
	for _, e := range of {
		if e.Plan != nil && e.Plan.Plan.Digest != "" && len(ids) < footerPlans {
			ids = append(ids, PlanID(e.Plan.Plan.Digest))
		}
	}
	if len(ids) == 0 { // of what only holds there is nothing to name
		return what + ": `isobar plan`"
	}
	return what + ": " + Code("isobar plan show "+strings.Join(ids, " "))
}

// address makes an address safe to be linked to; "" where it is none.
func address(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(s) > 500 {
		return ""
	}
	u.User = nil
	return strings.NewReplacer("(", "%28", ")", "%29", "<", "%3C", ">", "%3E", "`", "%60", "\\", "%5C", "[", "%5B", "]", "%5D", "|", "%7C", " ", "%20", `"`, "%22").Replace(u.String())
}

// stamp is a time as a comment has it, which is read long after it was written.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// overlapLines bounds what is told of other pull requests.
const overlapLines = 10

// overlaps says which open pull requests are in the way.
func (p *Preview) overlaps() string {
	if len(p.Overlaps) == 0 || p.Merged != "" {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nOverlaps with\n")
	for i, o := range p.Overlaps {
		if i == overlapLines {
			b.WriteString("- and " + strconv.Itoa(len(p.Overlaps)-i) + " more\n")
			break
		}
		to := p.sign() + strconv.Itoa(o.Pull)
		var parts []string
		say := func(at []string, text string) {
			if len(at) > 0 {
				parts = append(parts, "  - "+codes(o.Env, at)+": "+text+"\n")
			}
		}
		say(o.Both, "both change it, so whichever is merged second is planned anew")
		say(o.Theirs, to+" changes it and this one uses it, so the merge of "+to+" changes this plan")
		say(o.Ours, "this one changes it and "+to+" uses it, so this merge changes the plan of "+to)
		say(o.Alike, "both do the same, so whichever is merged second finds it done")
		b.WriteString("- " + to + "\n" + strings.Join(parts, ""))
	}
	return b.String()
}

// codes names addresses of one environment.
func codes(env string, at []string) string {
	var out []string
	for _, a := range at[:min(len(at), 3)] {
		out = append(out, Code(env+"/"+a))
	}
	if more := len(at) - 3; more > 0 {
		out = append(out, strconv.Itoa(more)+" more")
	}
	return strings.Join(out, ", ")
}

// HelpMarkdown lists the commands for a comment. why says what was not
// understood; "" is for who asked.
func HelpMarkdown(m review.Mark, why []review.Mistake) string {
	var b strings.Builder
	b.WriteString(m.String() + "\n")
	for _, w := range why {
		b.WriteString("Line " + strconv.Itoa(w.Line) + ", " + Code(w.Text) + ": " + Escape(w.Message) + ". To mend it: " + Escape(w.Mend) + "\n\n")
	}
	b.WriteString("| write a line | and isobar does |\n|---|---|\n")
	for _, u := range review.Usages() {
		b.WriteString("| " + tableCode(u.Form) + " | " + Escape(u.What) + " |\n")
	}
	return b.String()
}

// RefusedMarkdown answers a command that its author may not give: politely, once
// a command.
func RefusedMarkdown(m review.Mark, c review.Command, why []string) string {
	var b strings.Builder
	b.WriteString(m.String() + "\n" + Code(c.String()) + " was not done.\n")
	for _, w := range why {
		b.WriteString("\n" + Escape(w) + ".\n")
	}
	return b.String()
}
