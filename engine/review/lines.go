package review

import "strings"

// line is one line of a comment that people see as text of the commenter's own.
type line struct {
	number int // from 1
	text   string
}

// block is where a reader of Markdown is: within code, a hidden comment, a
// quote, or none of them. The rules are CommonMark 0.31's (§4.4 to §4.6, §5.1,
// §5.2); where they are finer than these, a line is left out, not taken in.
type block struct {
	fence  string // the run that opened a fenced block, "" outside
	indent int    // columns that a fenced block within a list item is set in
	until  string // what ends a hidden or raw block, "" outside
	quote  bool   // a quote's paragraph goes on
}

// spoken gives the lines of a comment that may be commands: not those of
// code, quotes and what is hidden.
func spoken(body string) []line {
	var out []line
	var b block
	body = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(body)
	n := 0
	for text := range strings.SplitSeq(body, "\n") {
		n++
		if b.skips(text) {
			continue
		}
		if shown := b.visible(text); shown != "" {
			out = append(out, line{n, shown})
		}
	}
	return out
}

// skips reports whether a line is no text of the commenter's, and goes on to
// the next one.
func (b *block) skips(text string) bool {
	indent, rest := leading(text)
	if b.fence != "" && rest != "" && indent < b.indent {
		b.fence = "" // the list item that it stood in is over
	}
	switch {
	case b.fence != "":
		if run := fenceOf(rest); indent <= b.indent+3 && run != "" && run[0] == b.fence[0] && len(run) >= len(b.fence) && strings.TrimSpace(rest[len(run):]) == "" {
			b.fence = ""
		}
		return true
	case b.until != "":
		if strings.Contains(strings.ToLower(text), b.until) {
			b.until = ""
		}
		return true
	case rest == "":
		b.quote = false
		return true
	case b.opens(indent, rest):
		return true
	case strings.HasPrefix(rest, ">"):
		b.quote = true
		return true
	}
	return b.quote || indent > 3 // more is code, or belongs to a list
}

// opens reports whether a line starts a fenced or raw block, within list items
// too.
func (b *block) opens(indent int, rest string) bool {
	if indent > 3 {
		return false
	}
	for within := 0; ; {
		low := strings.ToLower(rest)
		run := fenceOf(rest)
		switch {
		case run != "" && (run[0] == '~' || !strings.Contains(rest[len(run):], "`")):
			b.fence, b.indent, b.quote = run, within, false
			return true
		case strings.HasPrefix(low, "<pre"):
			if !strings.Contains(low, "</pre>") {
				b.until = "</pre>"
			}
			return true
		}
		n := listMarker(rest)
		if n == 0 {
			return false
		}
		more, after := leading(rest[n:])
		within = indent + n + more
		indent, rest = within, after
	}
}

// visible takes hidden comments out of a line. Where a line starts with one,
// what follows it is left out as well: it is no line of its own.
func (b *block) visible(text string) string {
	hidden := false
	for {
		at := strings.Index(text, "<!--")
		if at < 0 {
			break
		}
		hidden = hidden || strings.TrimSpace(text[:at]) == ""
		end := strings.Index(text[at+4:], "-->")
		if end < 0 {
			b.until, text = "-->", text[:at]
			break
		}
		text = text[:at] + " " + text[at+4+end+3:]
	}
	if hidden {
		return ""
	}
	return strings.TrimSpace(text)
}

// leading counts the columns of white space at a line's start, tabs to the next
// fourth column (CommonMark §2.2), and gives the rest.
func leading(s string) (columns int, rest string) {
	for i := range len(s) {
		switch s[i] {
		case ' ':
			columns++
		case '\t':
			columns += 4 - columns%4
		default:
			return columns, s[i:]
		}
	}
	return columns, ""
}

// fenceOf gives the run of three or more backticks or tildes that a text starts
// with, or "".
func fenceOf(s string) string {
	for _, c := range []string{"`", "~"} {
		if n := len(s) - len(strings.TrimLeft(s, c)); n >= 3 {
			return s[:n]
		}
	}
	return ""
}

// listMarker is the length of the bullet or number that a text starts with, 0
// for none.
func listMarker(s string) int {
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	switch {
	case digits == 0 && s != "" && strings.IndexByte("-*+", s[0]) >= 0:
		digits = 1
	case digits > 0 && digits <= 9 && len(s) > digits && (s[digits] == '.' || s[digits] == ')'):
		digits++
	default:
		return 0
	}
	if len(s) > digits && s[digits] != ' ' && s[digits] != '\t' {
		return 0
	}
	return digits
}
