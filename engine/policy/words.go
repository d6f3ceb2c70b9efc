package policy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/topdown"
)

// What one rule or test may say: a message that is a whole document, or a rule that
// decides for each pair of objects, must not bury what the others say in a plan,
// a comment or a chat.
const (
	maxMessage   = 600  // characters of a message or a mend
	maxID        = 64   // characters of a rule's code
	maxDecisions = 1000 // decisions of one rule on one plan
	maxPrinted   = 200  // lines that one test prints
)

// said is a rule's message as people get to see it; one that is cut says so and
// names the rule.
func (p *probe) said(msg string) string {
	out := bounded(msg, maxMessage)
	if n := utf8.RuneCountInString(strings.TrimSpace(msg)); n > maxMessage {
		out += fmt.Sprintf(" (%s says %d characters; the rest is cut)", p.name, n)
	}
	return out
}

// bounded is a text on one line, with at most so many of its characters and an
// ellipsis for the rest. What cannot be seen is escaped: control characters, those
// that turn the direction of writing, bytes that are no text.
func bounded(text string, limit int) string {
	var b strings.Builder
	n := 0
	for rest := strings.TrimSpace(text); rest != ""; n++ {
		if n == limit {
			return b.String() + "…"
		}
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, rest[0])
		case r == '\n' || r == '\r' || r == '\t':
			b.WriteByte(' ')
		case unicode.IsGraphic(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		rest = rest[size:]
	}
	return b.String()
}

// gist is what went wrong while a rule ran, on one line.
func gist(e *topdown.Error) string {
	return bounded(strings.TrimSuffix(firstLine(e.Message), ":"), maxMessage)
}
