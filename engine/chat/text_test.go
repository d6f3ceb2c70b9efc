package chat

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"isobar.dev/engine/view"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a < b & c > d": "a &lt; b &amp; c &gt; d",
		"<!channel>":    "&lt;!channel&gt;",
		"R&amp;D":       "R&amp;amp;D", // what reads like an entity is text like any other
		"ünï\ncode":     "ünï\ncode",
	} {
		if got := escape(in, maxText); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
	}
	if got := escape("abc<", 7); got != "abc&lt;" {
		t.Errorf("at the limit: %q", got)
	}
	if got := escape("abcd<", 7); got != "abcd…" {
		t.Errorf("beyond the limit: %q", got)
	}
}

// sent is what a message's blocks hold.
type sent []struct {
	Type     string
	Elements []struct {
		Type     string
		Elements []struct {
			Type, Text, Format, Fallback string
			Timestamp                    int64
			Style                        struct{ Bold, Code bool }
		}
	}
}

func read(t *testing.T, blocks []byte) sent {
	t.Helper()
	var out sent
	must(t, json.Unmarshal(blocks, &out))
	if len(out) != 1 || out[0].Type != "rich_text" || len(out[0].Elements) != 1 || out[0].Elements[0].Type != "rich_text_section" {
		t.Fatalf("the blocks are %s", blocks)
	}
	return out
}

func (s sent) text() string {
	var b strings.Builder
	for _, e := range s[0].Elements[0].Elements {
		b.WriteString(e.Text + e.Fallback)
	}
	return b.String()
}

func TestTextLaws(t *testing.T) {
	t.Parallel()
	unescape := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab<>&*_~`@:\n é…")), 0, 400, -1).Draw(t, "text")
		limit := rapid.IntRange(1, 500).Draw(t, "limit")
		got := escape(text, limit)
		if utf8.RuneCountInString(got) > limit {
			t.Fatalf("%d characters, limit %d", utf8.RuneCountInString(got), limit)
		}
		if back := unescape.Replace(got); back != text && !strings.HasPrefix(text, strings.TrimSuffix(back, ellipsis)) {
			t.Fatalf("%q came back as %q", text, back)
		}
		if strings.ContainsAny(got, "<>") {
			t.Fatalf("%q holds a control character", got)
		}
	})
}

// TestNothingIsMarkup: Slack shows a message's blocks and not its text, and in
// rich text every character stands for itself. So what was written can be copied,
// and nobody's text pings, links or sets anything.
func TestNothingIsMarkup(t *testing.T) {
	t.Parallel()
	srv, s := lab(t, 0)
	at := time.Date(2026, 11, 24, 9, 12, 5, 0, time.UTC)
	hostile := "<!channel> <@U123> *bold* _i_ ~s~ `code` https://evil.example &lt; @here :boom:"
	line := view.Rich{
		{Text: "09:12:05 UTC", At: at},
		{Text: " "},
		{Text: "aws.security_group/web_a*b", Code: true},
		{Text: " "},
		{Text: hostile},
		{Text: "\n"},
		{Text: "prod", Bold: true},
	}
	_, err := s.Post(t.Context(), "", "hostile", line)
	must(t, err)
	m := srv.Messages(channel)[0]
	got := read(t, m.Blocks)
	if got.text() != line.Plain() {
		t.Errorf("shown is\n%q, want\n%q", got.text(), line.Plain())
	}
	es := got[0].Elements[0].Elements
	if es[0].Type != "date" || es[0].Timestamp != at.Unix() || es[0].Fallback != "09:12:05 UTC" || !es[2].Style.Code || !es[6].Style.Bold || es[4].Style.Code {
		t.Errorf("the elements are %+v", es)
	}
	if m.Text != strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(line.Plain()) || m.Markdown {
		t.Errorf("a notification would read %q, markup %t", m.Text, m.Markdown)
	}
}

func TestLongTextIsCut(t *testing.T) {
	t.Parallel()
	srv, s := lab(t, 0)
	long := view.Rich{{Text: strings.Repeat("é", maxRich-10), Code: true}, {Text: strings.Repeat("<", 40)}, {Text: "never seen"}}
	_, err := s.Post(t.Context(), "", "long", long) // the lab refuses what exceeds a limit
	must(t, err)
	m := srv.Messages(channel)[0]
	if got := read(t, m.Blocks).text(); !strings.HasSuffix(got, "é<<<<<<<<<<"+leftOut) || !strings.HasSuffix(m.Text, ellipsis) {
		t.Errorf("the cut is not said: …%s, %.20s", got[len(got)-60:], m.Text)
	}
}
