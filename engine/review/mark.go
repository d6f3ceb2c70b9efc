package review

import (
	"fmt"
	"strconv"
	"strings"
)

// markStart begins the hidden line that every comment of isobar's starts with.
const markStart = "<!-- isobar:"

// Mark is the hidden line at a comment's start by which isobar finds its own
// comment again: an HTML comment, which forges keep and do not show.
type Mark struct {
	Kind   string // "preview": one a pull request; other kinds answer somebody
	Estate string // the estate's id: two may share a repository
	Pull   int
	Of     string // what it answers, such as a comment's id; "" for a preview
}

// Preview is the kind of the one comment that isobar keeps up to date.
const Preview = "preview"

// String writes the line, without a line break. Whatever its parts are, they
// do not end it.
func (m Mark) String() string {
	s := markStart + plain(m.Kind) + " estate=" + plain(m.Estate) + " pull=" + strconv.Itoa(m.Pull)
	if m.Of != "" {
		s += " of=" + plain(m.Of)
	}
	return s + " -->"
}

// plain leaves letters, digits, dots, dashes and underscores of a text, and no
// two dashes beside each other, which end a comment.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-", r):
			return r
		}
		return '_'
	}, s)
	for strings.Contains(s, "--") {
		s = strings.ReplaceAll(s, "--", "-")
	}
	return s
}

// Marked reads the mark of a comment; ok is false for a comment that isobar did
// not write. Anybody can write such a line: it finds a comment among those of
// isobar's own login, and proves nothing.
func Marked(body string) (m Mark, ok bool) {
	line, _, _ := strings.Cut(strings.TrimLeft(body, " \t\r\n\ufeff"), "\n")
	inner, ok := strings.CutPrefix(line, markStart)
	if !ok {
		return Mark{}, false
	}
	inner, _, _ = strings.Cut(inner, "-->")
	words := strings.Fields(inner)
	if len(words) == 0 {
		return Mark{}, true
	}
	m.Kind = words[0]
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "estate":
			m.Estate = value
		case "pull":
			_, _ = fmt.Sscan(value, &m.Pull) // what is no number is no pull request
		case "of":
			m.Of = value
		}
	}
	return m, true
}
