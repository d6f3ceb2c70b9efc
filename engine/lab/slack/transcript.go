package slack

import (
	"fmt"
	"slices"
	"strings"
)

// Messages gives a copy of a channel's messages, threads among them, in order
// of posting.
func (s *Server) Messages(channel string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Message, 0, len(s.channels[channel]))
	for _, m := range s.channels[channel] {
		c := *m
		c.Edits = slices.Clone(m.Edits)
		out = append(out, c)
	}
	return out
}

// Transcript gives all channels as a person would read them: heads in order,
// each with how often it was edited and its thread below it.
func (s *Server) Transcript() string {
	var b strings.Builder
	for _, channel := range slices.Sorted(slices.Values(s.opts.Channels)) {
		msgs := s.Messages(channel)
		fmt.Fprintf(&b, "#%s\n", channel)
		for _, m := range msgs {
			if m.Thread != "" && m.Thread != m.TS {
				continue
			}
			b.WriteString(indented("  ", "    ", m.shown()))
			switch len(m.Edits) {
			case 0:
			case 1:
				b.WriteString(" (edited)")
			default:
				fmt.Fprintf(&b, " (edited %d times)", len(m.Edits))
			}
			b.WriteByte('\n')
			for _, r := range msgs {
				if r.Thread == m.TS && r.TS != m.TS {
					b.WriteString(indented("    └ ", "      ", r.shown()) + "\n")
				}
			}
		}
	}
	return b.String()
}

func indented(first, next, text string) string {
	return first + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+next)
}
