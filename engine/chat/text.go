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
	maxHeader  = 150
	maxBlocks  = 50
)

const ellipsis = "…"

// escape gives text with Slack's three control characters written as entities,
// so that no user's text can mention a channel or forge a link, cut with an
// ellipsis to limit characters, never within an entity.
func escape(text string, limit int) string {
	var b strings.Builder
	n, last, total := 0, 0, escapedLen(text)
	for _, r := range text {
		e := entity(r)
		w := utf8.RuneCountInString(e)
		if total > limit && n+w > limit-1 {
			return b.String()[:last] + ellipsis
		}
		b.WriteString(e)
		n, last = n+w, b.Len()
	}
	return b.String()
}

func entity(r rune) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	}
	return string(r)
}

func escapedLen(text string) int {
	n := 0
	for _, r := range text {
		n += utf8.RuneCountInString(entity(r))
	}
	return n
}

// blocks lays text out: its first line as a header, the other lines as sections
// of whole lines. What exceeds Slack's count of blocks is said to be left out.
func blocks(text string) []slack.Block {
	head, rest, _ := strings.Cut(text, "\n")
	out := []slack.Block{}
	if head = cut(head, maxHeader); strings.TrimSpace(head) != "" {
		out = append(out, slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, head, false, false)))
	}
	for _, s := range sections(rest) {
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

func cut(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		return string(r[:limit-1]) + ellipsis
	}
	return s
}
