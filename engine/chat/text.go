package chat

import (
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"isobar.dev/engine/view"
)

// What one message may hold, in characters. For text Slack advises 4,000 and cuts
// at 40,000 (reference of chat.postMessage); for rich text it names no limit, and
// for its sibling, the markdown block, 12,000 a message.
const (
	maxText = 4000
	maxRich = 12000
)

const (
	ellipsis = "…"
	leftOut  = "\n(the rest is left out)"
)

// escape gives text with Slack's three control characters as entities, as its
// reference of formatting has it: nobody's text can mention a channel or forge a
// link. It is cut with an ellipsis to limit characters, never within an entity.
func escape(text string, limit int) string {
	total := 0
	for _, r := range text {
		total += utf8.RuneCountInString(sign(r))
	}
	var b strings.Builder
	n := 0
	for _, r := range text {
		s := sign(r)
		w := utf8.RuneCountInString(s)
		if total > limit && n+w > limit-utf8.RuneCountInString(ellipsis) {
			return b.String() + ellipsis
		}
		b.WriteString(s)
		n += w
	}
	return b.String()
}

// sign is a character as it is sent.
func sign(r rune) string {
	switch r {
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '&':
		return "&amp;"
	}
	return string(r)
}

// layout is a text as rich text, which holds no markup that could be read from its
// characters. What exceeds the limit is said to be left out.
func layout(text view.Rich) slack.Block {
	var out []slack.RichTextSectionElement
	left := maxRich
	for _, s := range text {
		if s.Text == "" {
			continue
		}
		n := utf8.RuneCountInString(s.Text)
		if n > left {
			if cut := string([]rune(s.Text)[:left]); cut != "" {
				out = append(out, slack.NewRichTextSectionTextElement(cut, style(s)))
			}
			out = append(out, slack.NewRichTextSectionTextElement(leftOut, nil))
			break
		}
		left -= n
		out = append(out, element(s))
	}
	return slack.NewRichTextBlock("", slack.NewRichTextSection(out...))
}

func element(s view.Span) slack.RichTextSectionElement {
	if s.At.IsZero() {
		return slack.NewRichTextSectionTextElement(s.Text, style(s))
	}
	return slack.NewRichTextSectionDateElement(s.At.Unix(), "{time_secs}", nil, &s.Text)
}

func style(s view.Span) *slack.RichTextSectionTextStyle {
	if !s.Bold && !s.Code {
		return nil
	}
	return &slack.RichTextSectionTextStyle{Bold: s.Bold, Code: s.Code}
}
