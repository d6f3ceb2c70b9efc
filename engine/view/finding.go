package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"isobar.dev/engine/diag"
)

// Findings renders findings in order of place, and closes with their count and
// the verdict: "2 errors, nothing was planned". The verdict stands only where
// there is an error; without findings there is no text.
func Findings(l diag.List, verdict string, pg Page) string {
	if len(l) == 0 {
		return ""
	}
	var b strings.Builder
	for _, f := range l.Sorted() {
		b.WriteString(Finding(f, pg))
	}
	b.WriteString(ink(pg.Color).paint(bold, FindingsVerdict(l, verdict)) + "\n")
	return b.String()
}

// FindingsVerdict is the closing line of Findings.
func FindingsVerdict(l diag.List, verdict string) string {
	errs := l.Errors()
	warns := 0
	for _, f := range l {
		if f.Severity == diag.Warning {
			warns++
		}
	}
	var parts []string
	if errs > 0 {
		parts = append(parts, count(errs, "error"))
	}
	if warns > 0 {
		parts = append(parts, count(warns, "warning"))
	}
	if n := len(l) - errs - warns; n > 0 {
		parts = append(parts, count(n, "note"))
	}
	if errs > 0 && verdict != "" {
		parts = append(parts, clean(verdict))
	}
	return strings.Join(parts, ", ")
}

// Finding renders one finding: its place, subject and message, the excerpt
// with what is meant underlined, and how to mend it with its code.
func Finding(f diag.Finding, pg Page) string {
	in := ink(pg.Color)
	var b strings.Builder
	color := red
	switch f.Severity {
	case diag.Warning:
		color = yellow
	case diag.Note:
		color = cyan
	case diag.Error:
	}
	head := clean(f.Message)
	if f.Severity != diag.Error {
		head = string(f.Severity) + ": " + head
	}
	first := join(": ", clean(f.Where.String()), clean(f.Subject), in.paint(color, head))
	if !pg.Color {
		first = strings.Join(wrap(first, pg.Width), "\n    ")
	}
	b.WriteString(first + "\n")
	writeExcerpt(&b, f, pg)
	code := ""
	if f.Code != "" {
		code = "[" + string(f.Code) + "]   isobar explain " + string(f.Code)
	}
	mend := clean(f.Mend)
	switch {
	case mend == "" && code == "":
	case mend == "":
		b.WriteString("  " + in.paint(dim, code) + "\n")
	case pg.Width == 0 || 2+wide(mend)+3+wide(code) <= pg.Width:
		b.WriteString(strings.TrimRight("  "+mend+"   "+in.paint(dim, code), " ") + "\n")
	default:
		b.WriteString("  " + strings.Join(wrap(mend, room(pg, 2)), "\n  ") + "\n")
		if code != "" {
			b.WriteString("  " + in.paint(dim, code) + "\n")
		}
	}
	return b.String()
}

// excerptWidth bounds an excerpt where no width is given, in columns.
const excerptWidth = 120

// writeExcerpt writes the source line and carets under what is meant; a long
// line is cut to the part around it.
func writeExcerpt(b *strings.Builder, f diag.Finding, pg Page) {
	if f.Excerpt == "" || f.Where.Line == 0 {
		return
	}
	num := fmt.Sprint(f.Where.Line)
	gutter := strings.Repeat(" ", 4+len(num))
	limit := excerptWidth
	if pg.Width > 0 {
		limit = max(pg.Width-len(gutter)-3, 20)
	}
	from := min(max(f.Where.Col-1, 0), len(f.Excerpt))
	to := min(from+max(f.Width, 1), len(f.Excerpt))
	line := []rune(plainLine(f.Excerpt))
	col := utf8.RuneCountInString(plainLine(f.Excerpt[:from]))
	under := max(utf8.RuneCountInString(plainLine(f.Excerpt[from:to])), 1)
	if len(line) > limit {
		start := min(max(col-limit/4, 0), len(line)-limit)
		line = line[start : start+limit]
		col -= start
		under = min(under, limit-col)
	}
	in := ink(pg.Color)
	b.WriteString("    " + num + " | " + string(line) + "\n")
	if f.Where.Col > 0 {
		b.WriteString(gutter + " | " + strings.Repeat(" ", col) + in.paint(red, strings.Repeat("^", max(under, 1))) + "\n")
	}
}

// plainLine writes a source line with each character that does not print as
// one that does, one column each, so that carets stay under their text.
func plainLine(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t' || r == '\r' || r == '\n':
			b.WriteByte(' ')
		case r == utf8.RuneError || wide(clean(string(r))) != 1:
			b.WriteRune('·')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// findingsJSON is the JSON form of findings.
type findingsJSON struct {
	Schema   int       `json:"schema_version"`
	Verdict  string    `json:"verdict,omitempty"`
	Errors   int       `json:"errors"`
	Findings diag.List `json:"findings"`
}

// FindingsJSON renders findings as JSON: schema_version, verdict, errors (a
// count) and findings with the fields of diag.Finding.
func FindingsJSON(l diag.List, verdict string) []byte {
	fs := l.Sorted()
	if fs == nil {
		fs = diag.List{}
	}
	if l.Errors() == 0 {
		verdict = ""
	}
	return encode(findingsJSON{Schema: SchemaVersion, Verdict: verdict, Errors: l.Errors(), Findings: fs})
}

// FindingsMarkdown renders findings as a code block under their verdict.
func FindingsMarkdown(l diag.List, verdict string) string {
	if len(l) == 0 {
		return ""
	}
	var b strings.Builder
	for _, f := range l.Sorted() {
		b.WriteString(Finding(f, Page{}))
	}
	return "**" + Escape(FindingsVerdict(l, verdict)) + "**\n\n" + fence("", b.String())
}

// NoteMarkdown renders a finding as a comment on the line where it stands.
func NoteMarkdown(f diag.Finding) string {
	text := "**" + Escape(clean(string(f.Code)+" "+f.Message)) + "**"
	if f.Mend != "" {
		text += "\n\nTo mend it: " + Escape(clean(f.Mend))
	}
	return text
}

// encode writes indented JSON with a newline at its end.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		// Every type given here is made of strings, numbers, lists and
		// structs, or writes itself by resource.Encode.
		return fmt.Appendf(nil, "{\"schema_version\":%d,\"error\":%q}\n", SchemaVersion, err.Error())
	}
	return b.Bytes()
}
