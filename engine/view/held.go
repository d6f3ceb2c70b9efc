package view

import (
	"strconv"
	"strings"

	"isobar.dev/engine/plan"
)

// heldNames is how many addresses a line of held things names where no detail
// is asked for.
const heldNames = 3

// heldGroup is what is held for one and the same reason.
type heldGroup []plan.Held

// grouped gathers what is held by its reason, in the order given: one cause, such
// as a session that nobody lets in, is told once.
func grouped(held []plan.Held) []heldGroup {
	type reason struct {
		why        plan.HeldWhy
		text, mend string
	}
	at := map[reason]int{}
	var out []heldGroup
	for _, h := range held {
		r := reason{h.Why, h.Text, h.Mend}
		i, ok := at[r]
		if !ok {
			i = len(out)
			at[r] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], h)
	}
	return out
}

// action is what would be done to all of the group, "" where they differ.
func (g heldGroup) action() string {
	for _, h := range g {
		if h.Action != g[0].Action {
			return ""
		}
	}
	return string(g[0].Action)
}

// names lists the first of the group's addresses and counts the others.
func (g heldGroup) names(most int) string {
	var names []string
	for _, h := range g[:min(len(g), most)] {
		names = append(names, clean(h.Address.Local()))
	}
	s := strings.Join(names, ", ")
	if more := len(g) - most; more > 0 {
		s += " and " + strconv.Itoa(more) + " more"
	}
	return s
}

// mend is what may be done about the group, with its addresses in place.
func (g heldGroup) mend() string {
	if !strings.Contains(g[0].Mend, plan.Named) {
		return g[0].Mend
	}
	var names []string
	for _, h := range g[:min(len(g), heldNames)] {
		names = append(names, h.Address.Local())
	}
	if len(g) > heldNames {
		names = append(names, "…")
	}
	return strings.ReplaceAll(g[0].Mend, plan.Named, strings.Join(names, " "))
}

// number is "7 resources:" where there are several.
func (g heldGroup) number() string {
	if len(g) == 1 {
		return ""
	}
	return count(len(g), "resource") + ":"
}

func (g heldGroup) write(b *strings.Builder, pg Page) {
	h, most := g[0], heldNames
	if pg.Detail {
		most = len(g)
	}
	line := join(" ", g.number(), g.names(most)) + "  " + join(": ", g.action(), string(h.Why), clean(h.Text))
	b.WriteString(ink(pg.Color).paint(yellow, "held") + "  " + strings.Join(wrap(line, room(pg, 6)), "\n      ") + "\n")
	if h.Mend != "" {
		b.WriteString("      mend: " + strings.Join(wrap(clean(g.mend()), room(pg, 12)), "\n            ") + "\n")
	}
}

// chat is the group's line of a thread.
func (g heldGroup) chat() ChatLine {
	h := g[0]
	why, mend := join(": ", string(h.Why), h.Text), Rich(nil)
	if h.Mend != "" {
		mend = said("mend: " + g.mend())
	}
	names := make([]Rich, 0, heldNames)
	for _, h := range g[:min(len(g), heldNames)] {
		names = append(names, coded(h.Address.Local()))
	}
	more := ""
	if n := len(g) - heldNames; n > 0 {
		more = "and " + strconv.Itoa(n) + " more"
	}
	return ChatLine{
		Key: "held " + h.Address.String(), Once: "held " + h.Address.String() + " " + why,
		Text: joined("\n", joined(" ", said("held"), said(g.number()), joined(", ", names...), said(more), said(why)), mend),
	}
}
