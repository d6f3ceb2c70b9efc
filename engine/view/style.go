package view

import (
	"strings"
	"unicode/utf8"
)

// ink colours text, or leaves it as it is.
type ink bool

// The colours: codes of ECMA-48 SGR.
const (
	bold    = "1"
	dim     = "2"
	red     = "31"
	green   = "32"
	yellow  = "33"
	magenta = "35"
	cyan    = "36"
)

func (on ink) paint(code, s string) string {
	if !on || s == "" || code == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// tint is an action's colour, by its symbol.
func tint(symbol string) string {
	switch symbol {
	case "+":
		return green
	case "~":
		return yellow
	case "-/+":
		return magenta
	case "-":
		return red
	}
	return cyan
}

// wide counts columns, a character each.
func wide(s string) int { return utf8.RuneCountInString(s) }

// pad fills s to n columns.
func pad(s string, n int) string {
	if w := wide(s); w < n {
		return s + strings.Repeat(" ", n-w)
	}
	return s
}

// wrap breaks words into lines of at most width columns; a longer word stands
// alone. Width 0 never breaks.
func wrap(s string, width int) []string {
	if width <= 0 || wide(s) <= width {
		return []string{s}
	}
	var lines []string
	line := ""
	for _, w := range strings.Fields(s) {
		switch {
		case line == "":
			line = w
		case wide(line)+1+wide(w) <= width:
			line += " " + w
		default:
			lines = append(lines, line)
			line = w
		}
	}
	return append(lines, line)
}

// table aligns rows in columns two spaces apart, without trailing spaces.
func table(rows [][]string) string {
	var width []int
	for _, r := range rows {
		for i, c := range r {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], wide(c))
		}
	}
	var b strings.Builder
	for _, r := range rows {
		line := ""
		for i, c := range r {
			line += pad(c, width[i]+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// leastNote is the number of columns below which a last cell is not cut: the
// terminal folds it then.
const leastNote = 24

// fit cuts the last cell of each row to what a terminal of that many columns has
// left for it: in a folded row no column can be followed. Width 0 cuts nothing.
func fit(rows [][]string, width int) [][]string {
	left := width
	for i := range rows[0][:len(rows[0])-1] {
		most := 0
		for _, r := range rows {
			most = max(most, wide(r[i]))
		}
		left -= most + 2
	}
	if width <= 0 || left < leastNote {
		return rows
	}
	for _, r := range rows {
		if note := []rune(r[len(r)-1]); len(note) > left {
			r[len(r)-1] = strings.TrimRight(string(note[:left-1]), " ") + "…"
		}
	}
	return rows
}

// pipes writes rows as a table of GitHub-flavoured Markdown, the first as its head.
func pipes(rows [][]string) string {
	var b strings.Builder
	for i, r := range rows {
		for _, c := range r {
			if i == 0 {
				c = strings.ToLower(c)
			}
			b.WriteString("| " + Escape(c) + " ")
		}
		b.WriteString("|\n")
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(r)) + "|\n")
		}
	}
	return b.String()
}
