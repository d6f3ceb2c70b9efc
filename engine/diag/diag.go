// Package diag holds findings: what is wrong with something a person wrote,
// where, and how to mend it. It owns their order and their codes; rendering is
// engine/view's. Pure. Floor 0.
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity ranks findings.
type Severity string

// The severities. Only Error stops anything.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Code is a stable identifier such as "SPEC-102"; Explain tells its meaning.
type Code string

// Place is where a finding stands: Line and Col count from 1, Col in bytes.
// Zero Line means the whole file, an empty File no place at all.
type Place struct {
	File string `json:"file,omitempty"` // relative to the repository's root, with slashes
	Line int    `json:"line,omitempty"`
	Col  int    `json:"col,omitempty"`
}

// String gives "file:line:col", as far as known.
func (p Place) String() string {
	switch {
	case p.File == "" || p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Finding is one thing to tell a person.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Where    Place    `json:"where,omitzero"`
	Subject  string   `json:"subject,omitempty"` // a local address or a name: "aws.vpc/main"
	Message  string   `json:"message"`           // what is wrong: lower case, no full stop
	Mend     string   `json:"mend,omitempty"`    // what to type or edit
	Excerpt  string   `json:"excerpt,omitempty"` // the source line that Where points at, without its newline
	Width    int      `json:"width,omitempty"`   // bytes to underline from Where.Col; 0 is one
}

// String gives the finding's first line: "file:1:2: subject: message".
func (f Finding) String() string {
	var b strings.Builder
	if p := f.Where.String(); p != "" {
		b.WriteString(p + ": ")
	}
	if f.Subject != "" {
		b.WriteString(f.Subject + ": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// List is findings as one error.
type List []Finding

// Error gives each finding's first line, a line each.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, f := range l {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Errors counts the findings of severity Error.
func (l List) Errors() int {
	n := 0
	for _, f := range l {
		if f.Severity == Error {
			n++
		}
	}
	return n
}

// Err gives the list as an error, or nil where none of it is an Error.
func (l List) Err() error {
	if l.Errors() == 0 {
		return nil
	}
	return l
}

// Sorted gives the findings in order of place, subject, code and message, each
// once.
func (l List) Sorted() List {
	out := slices.Clone(l)
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Where.File, b.Where.File), cmp.Compare(a.Where.Line, b.Where.Line),
			cmp.Compare(a.Where.Col, b.Where.Col), cmp.Compare(a.Subject, b.Subject),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(out, func(a, b Finding) bool { return a == b })
}
