package view

import (
	"cmp"
	"slices"
	"strings"
)

// maxLine bounds a line of a preview, in bytes: a rule's message has no end of
// its own.
const maxLine = 1000

// piece is a line of an environment's part of a preview.
type piece struct {
	env   int // the place of its environment
	at    int // its place within it
	order int // lower is kept first
	text  string
}

// pieces parts blocks into lines. What deletes, replaces, interrupts or changes
// something, and what is refused or held, is kept before anything of what is
// only created; of each of the two, first what happens and then the fields.
func pieces(env, at int, bs []block) []piece {
	var out []piece
	for _, b := range bs {
		for i, l := range strings.Split(strings.TrimSuffix(b.text, "\n"), "\n") {
			p := piece{env: env, at: at + len(out), order: b.risk, text: bounded(l)}
			if b.risk > 3 {
				p.order += 4 // after the fields of what is riskier
			}
			if i > 0 {
				p.order += 4
			}
			out = append(out, p)
		}
	}
	return out
}

// bounded cuts a line that is far too long, and keeps whole characters.
func bounded(s string) string {
	if len(s) <= maxLine {
		return s
	}
	return strings.ToValidUTF8(s[:maxLine], "") + "…"
}

// keep chooses the lines that fit into so many bytes: none is kept while a
// riskier one is cut. least is the lowest order that was cut before already.
func keep(all []piece, room, least int) map[int]map[int]bool {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.env, b.env), cmp.Compare(a.at, b.at))
	})
	out := map[int]map[int]bool{}
	for _, p := range sorted {
		if room -= len(p.text) + 1; room < 0 || p.order >= least {
			break
		}
		if out[p.env] == nil {
			out[p.env] = map[int]bool{}
		}
		out[p.env][p.at] = true
	}
	return out
}

// pick writes the lines that were kept in their own order; cut counts the others.
func pick(lines []piece, in map[int]bool) (text string, cut int) {
	var b strings.Builder
	for _, p := range lines {
		if !in[p.at] {
			cut++
			continue
		}
		b.WriteString(p.text + "\n")
	}
	return b.String(), cut
}
