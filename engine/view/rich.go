package view

import (
	"encoding/json"
	"strings"
	"time"
)

// Span is a piece of a chat's text that is set alike. Its text is shown as it is:
// nothing in it is markup, and what a reader copies is what was written.
type Span struct {
	Text string    `json:"text"`
	Bold bool      `json:"bold,omitempty"`
	Code bool      `json:"code,omitempty"` // an address, a digest, a value, a command
	At   time.Time `json:"at,omitzero"`    // a moment, for the reader's own clock; Text is how it reads elsewhere
}

// Rich is a chat's text. A line break in it ends a line.
type Rich []Span

// Plain is the text without its setting.
func (r Rich) Plain() string {
	var b strings.Builder
	for _, s := range r {
		b.WriteString(s.Text)
	}
	return b.String()
}

// UnmarshalJSON takes spans, and the plain string that messages were before they
// had any.
func (r *Rich) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*r = Rich{{}}
		return json.Unmarshal(b, &(*r)[0].Text)
	}
	type spans Rich
	return json.Unmarshal(b, (*spans)(r))
}

// Say is plain text as a chat's, a line each.
func Say(lines ...string) Rich {
	var out []Rich
	for _, l := range lines {
		out = append(out, said(l))
	}
	return joined("\n", out...)
}

// said is plain text on one line.
func said(s string) Rich { return span(Span{Text: clean(s)}) }

// strong is text that stands out.
func strong(s string) Rich { return span(Span{Text: clean(s), Bold: true}) }

// coded is text to be copied.
func coded(s string) Rich { return span(Span{Text: clean(s), Code: true}) }

// moment is a time of day; the zero time is none.
func moment(t time.Time) Rich {
	if t.IsZero() {
		return nil
	}
	return Rich{{Text: timeOfDay(t), At: t.UTC().Truncate(time.Second)}}
}

func span(s Span) Rich {
	if s.Text == "" {
		return nil
	}
	return Rich{s}
}

// joined puts the texts that are not empty together, with a sign between.
func joined(sep string, parts ...Rich) Rich {
	var out Rich
	for _, p := range parts {
		if len(p) == 0 {
			continue
		}
		if len(out) > 0 {
			out = append(out, Span{Text: sep})
		}
		out = append(out, p...)
	}
	return out
}

// lines counts the lines of a text.
func (r Rich) lines() int { return strings.Count(r.Plain(), "\n") + 1 }
