package view

import "strings"

// ShownText renders a plan that was kept as people read it.
func (p *PlanJSON) ShownText() string {
	return strings.TrimRight(p.Text, "\n") + "\n" + p.shown()
}

// ShownMarkdown renders a plan that was kept as Markdown: a heading, and its text in
// a block that nothing in it can close.
func (p *PlanJSON) ShownMarkdown() string {
	return "### isobar plan · " + Escape(p.Environment) + " · " + clean(p.Outcome) + "\n\n" + fence("", p.ShownText())
}

// shown is the line that says when people were shown it last, which may be long ago.
func (p *PlanJSON) shown() string {
	if p.Shown.IsZero() {
		return ""
	}
	return "shown last " + stamp(p.Shown) + "\n"
}
