package slack

import (
	"encoding/json"
	"strings"
)

// block is what the lab knows of a block: rich text in one section, which is all
// that isobar sends.
type block struct {
	Type     string `json:"type"`
	Elements []struct {
		Type     string    `json:"type"`
		Elements []element `json:"elements"`
	} `json:"elements"`
}

// element is one piece of rich text.
type element struct {
	Type      string `json:"type"`
	Text      string `json:"text"`
	Format    string `json:"format"`
	Fallback  string `json:"fallback"`
	Timestamp int64  `json:"timestamp"`
	Style     struct {
		Bold bool `json:"bold"`
		Code bool `json:"code"`
	} `json:"style"`
}

// valid reports whether Slack would take the block: no text may be empty, and a
// date has a time and says how to write it.
func (b *block) valid() bool {
	if b.Type != "rich_text" || len(b.Elements) == 0 {
		return false
	}
	for _, s := range b.Elements {
		if s.Type != "rich_text_section" || len(s.Elements) == 0 {
			return false
		}
		for _, e := range s.Elements {
			switch {
			case e.Type == "text" && e.Text != "":
			case e.Type == "date" && e.Timestamp > 0 && strings.Contains(e.Format, "{"):
			default:
				return false
			}
		}
	}
	return true
}

// shown is a message as people see it: its blocks, where it has some, with *bold*
// and `code` written so.
func (m *Message) shown() string {
	var list []block
	if json.Unmarshal(m.Blocks, &list) != nil || len(list) == 0 {
		return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(m.Text)
	}
	var out strings.Builder
	for _, b := range list {
		for _, s := range b.Elements {
			for _, e := range s.Elements {
				sign := ""
				switch {
				case e.Style.Code:
					sign = "`"
				case e.Style.Bold:
					sign = "*"
				}
				out.WriteString(sign + e.Text + e.Fallback + sign)
			}
		}
	}
	return out.String()
}
