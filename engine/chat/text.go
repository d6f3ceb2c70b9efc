package chat

import (
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"
)

// Slack's limits, in characters, from its reference of chat.postMessage and of
// blocks. They count the text as sent, so after escaping.
const (
	maxText    = 40000
	maxSection = 3000
	maxBlocks  = 50
)

const ellipsis = "…"

// escape gives text with what is left of Slack's three control characters written
// as entities, so that no user's text can mention a channel or forge a link. What
// is an entity already stays one: reports come as Slack's mrkdwn. It is cut with an
// ellipsis to limit characters, never within an entity.
func escape(text string, limit int) string {
	total := 0
	for rest := text; rest != ""; {
		sign, size := next(rest)
		total, rest = total+utf8.RuneCountInString(sign), rest[size:]
	}
	var b strings.Builder
	n := 0
	for rest := text; rest != ""; {
		sign, size := next(rest)
		w := utf8.RuneCountInString(sign)
		if total > limit && n+w > limit-1 {
			return b.String() + ellipsis
		}
		b.WriteString(sign)
		n, rest = n+w, rest[size:]
	}
	return b.String()
}

// next gives the first sign of text as it is sent, and how many bytes of text it
// takes.
func next(text string) (sign string, size int) {
	r, size := utf8.DecodeRuneInString(text)
	switch r {
	case '<':
		return "&lt;", size
	case '>':
		return "&gt;", size
	case '&':
		for _, e := range []string{"&amp;", "&lt;", "&gt;"} {
			if strings.HasPrefix(text, e) {
				return e, len(e)
			}
		}
		return "&amp;", size
	}
	return string(r), size
}

// blocks lays text out as sections of whole lines: in Slack a section is where
// mrkdwn has its effect, and it holds 20 times what a header does. What exceeds
// Slack's count of blocks is said to be left out.
func blocks(text string) []slack.Block {
	out := []slack.Block{}
	for _, s := range sections(text) {
		if len(out) == maxBlocks-1 {
			s = "(the rest is left out)"
		}
		out = append(out, slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, s, false, true), nil, nil))
		if len(out) == maxBlocks {
			break
		}
	}
	return out
}

// sections escapes text and packs its lines into as few pieces as the limit
// allows; a line beyond the limit is cut.
func sections(text string) []string {
	var out []string
	var b strings.Builder
	n := 0
	flush := func() {
		if s := strings.Trim(b.String(), "\n"); strings.TrimSpace(s) != "" {
			out = append(out, s)
		}
		b.Reset()
		n = 0
	}
	for line := range strings.Lines(text) {
		line = escape(strings.TrimSuffix(line, "\n"), maxSection-1) + "\n"
		w := utf8.RuneCountInString(line)
		if n+w > maxSection {
			flush()
		}
		b.WriteString(line)
		n += w
	}
	flush()
	return out
}
