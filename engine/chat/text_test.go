package chat

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/slack-go/slack"
	"pgregory.net/rapid"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a < b & c > d": "a &lt; b &amp; c &gt; d",
		"<!channel>":    "&lt;!channel&gt;",
		"&lt; R&amp;D":  "&lt; R&amp;D", // reports are escaped already
		"&lt;!here>":    "&lt;!here&gt;",
		"&copy;":        "&amp;copy;",
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
	if got := escape("abcd&lt;", 7); got != "abcd…" {
		t.Errorf("an entity was cut: %q", got)
	}
}

func TestTextLaws(t *testing.T) {
	t.Parallel()
	unescape := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab<>&\n é…")), 0, 400, -1).Draw(t, "text")
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
		for _, s := range sections(strings.Repeat(text, 30)) {
			if n := utf8.RuneCountInString(s); n > maxSection || n == 0 {
				t.Fatalf("a section of %d characters", n)
			}
		}
	})
}

func TestBlocksKeepSlacksLimits(t *testing.T) {
	t.Parallel()
	srv, s := lab(t, 0)
	long := strings.Repeat("<&>", 60) + "\n" + strings.Repeat(strings.Repeat("<", 2999)+"\nshort\n", 80)
	_, err := s.Post(t.Context(), "", "long", long) // the lab refuses what exceeds a limit
	must(t, err)
	if n := len(blocks(long)); n != maxBlocks {
		t.Errorf("%d blocks", n)
	}
	if m := srv.Messages(channel)[0]; !strings.HasSuffix(m.Text, ellipsis) || !strings.Contains(string(m.Blocks), "left out") {
		t.Error("the cut is not said")
	}
	got := blocks("*head* <1>\nline &amp; one\nline two\n")
	if len(got) != 1 {
		t.Fatalf("%d blocks", len(got))
	}
	section, ok := got[0].(*slack.SectionBlock)
	if !ok || section.Text.Text != "*head* &lt;1&gt;\nline &amp; one\nline two" {
		t.Errorf("section %+v", got[1])
	}
}

// TestFailureIsWholeInItsBlocks: Slack shows a message's blocks and not its text,
// so what an API said, with its request id, must be whole in them.
func TestFailureIsWholeInItsBlocks(t *testing.T) {
	t.Parallel()
	srv, s := lab(t, 0)
	line := "18:28 `aws.security_group/web` create failed: ec2:CreateSecurityGroup: InvalidGroup.Duplicate: The security group 'taken' " +
		"already exists for VPC 'vpc-0123456789abcdef0' of R&amp;D (request 0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0)"
	_, err := s.Post(t.Context(), "", "failure", line)
	must(t, err)
	var sent []struct {
		Type string
		Text struct{ Type, Text string }
	}
	if err := json.Unmarshal(srv.Messages(channel)[0].Blocks, &sent); err != nil {
		t.Fatal(err)
	}
	if len(sent) != 1 || sent[0].Type != "section" || sent[0].Text.Type != "mrkdwn" || sent[0].Text.Text != line {
		t.Errorf("the blocks are %+v", sent)
	}
}
