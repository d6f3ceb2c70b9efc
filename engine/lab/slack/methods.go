package slack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Message is what a channel holds.
type Message struct {
	TS       string          `json:"ts"`
	Thread   string          `json:"thread_ts,omitempty"` // the head's TS; a head with replies has its own
	Text     string          `json:"text"`
	Blocks   json.RawMessage `json:"blocks,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Markdown bool            `json:"-"` // Slack reads markup in Text
	Edits    []string        `json:"-"` // earlier texts, oldest first
}

// reply is the body of an answer.
type reply map[string]any

const maxText = 40000 // characters, chat.postMessage's msg_too_long

func failed(code string) reply { return reply{"ok": false, "error": code} }

func (r reply) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(r) // the peer may have gone: nobody to tell
}

func token(r *http.Request) string {
	if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return t
	}
	return r.PostForm.Get("token")
}

func (s *Server) authTest(*http.Request) reply {
	return reply{"ok": true, "url": "https://lab.example/", "team": "Lab", "user": "isobar", "team_id": "T0LAB", "user_id": "U0LAB", "bot_id": "B0LAB"}
}

// checked gives the code of what is wrong with a text, its blocks or metadata.
func checked(r *http.Request) string {
	text, blocks, meta := r.PostForm.Get("text"), r.PostForm.Get("blocks"), r.PostForm.Get("metadata")
	var list []block
	switch {
	case text == "" && blocks == "":
		return "no_text"
	case len([]rune(text)) > maxText:
		return "msg_too_long"
	case meta != "" && !json.Valid([]byte(meta)):
		return "invalid_metadata_format"
	case blocks != "" && (json.Unmarshal([]byte(blocks), &list) != nil || len(list) > 50):
		return "invalid_blocks"
	}
	for _, b := range list {
		if !b.valid() {
			return "invalid_blocks"
		}
	}
	return ""
}

func (s *Server) postMessage(r *http.Request) reply {
	channel, thread := r.PostForm.Get("channel"), r.PostForm.Get("thread_ts")
	if _, ok := s.channels[channel]; !ok {
		return failed("channel_not_found")
	}
	if code := checked(r); code != "" {
		return failed(code)
	}
	if thread != "" {
		head := s.find(channel, thread)
		if head == nil {
			return failed("thread_not_found")
		}
		head.Thread = head.TS
	}
	m := &Message{TS: s.stamp(), Thread: thread}
	m.set(r)
	s.channels[channel] = append(s.channels[channel], m)
	return reply{"ok": true, "channel": channel, "ts": m.TS, "message": m}
}

func (s *Server) update(r *http.Request) reply {
	channel := r.PostForm.Get("channel")
	if _, ok := s.channels[channel]; !ok {
		return failed("channel_not_found")
	}
	m := s.find(channel, r.PostForm.Get("ts"))
	if m == nil {
		return failed("message_not_found")
	}
	if code := checked(r); code != "" {
		return failed(code)
	}
	m.Edits = append(m.Edits, m.Text)
	m.set(r)
	return reply{"ok": true, "channel": channel, "ts": m.TS, "text": m.Text, "message": m}
}

// set takes text, blocks and metadata; an update without metadata drops it,
// the harder reading of Slack's reference.
func (m *Message) set(r *http.Request) {
	m.Text, m.Blocks, m.Metadata, m.Markdown = r.PostForm.Get("text"), nil, nil, r.PostForm.Get("mrkdwn") != "false"
	if b := r.PostForm.Get("blocks"); b != "" {
		m.Blocks = json.RawMessage(b)
	}
	if d := r.PostForm.Get("metadata"); d != "" {
		m.Metadata = json.RawMessage(d)
	}
}

func (s *Server) find(channel, ts string) *Message {
	for _, m := range s.channels[channel] {
		if m.TS == ts {
			return m
		}
	}
	return nil
}

// history gives the heads, newest first.
func (s *Server) history(r *http.Request) reply {
	channel := r.PostForm.Get("channel")
	all, ok := s.channels[channel]
	if !ok {
		return failed("channel_not_found")
	}
	var heads []*Message
	for _, m := range slices.Backward(all) {
		if m.Thread == "" || m.Thread == m.TS {
			heads = append(heads, m)
		}
	}
	return s.page(r, heads)
}

// replies gives a head and its thread, oldest first.
func (s *Server) replies(r *http.Request) reply {
	channel, ts := r.PostForm.Get("channel"), r.PostForm.Get("ts")
	all, ok := s.channels[channel]
	if !ok {
		return failed("channel_not_found")
	}
	if s.find(channel, ts) == nil {
		return failed("thread_not_found")
	}
	var thread []*Message
	for _, m := range all {
		if m.TS == ts || m.Thread == ts {
			thread = append(thread, m)
		}
	}
	return s.page(r, thread)
}

func (s *Server) page(r *http.Request, all []*Message) reply {
	limit, err := strconv.Atoi(r.PostForm.Get("limit"))
	if err != nil || limit <= 0 || limit > s.opts.Page {
		limit = s.opts.Page
	}
	from := 0
	if c := r.PostForm.Get("cursor"); c != "" {
		from, err = strconv.Atoi(c)
		if err != nil || from < 0 || from > len(all) {
			return failed("invalid_cursor")
		}
	}
	to := min(from+limit, len(all))
	msgs := make([]Message, 0, to-from)
	for _, m := range all[from:to] {
		c := *m
		if r.PostForm.Get("include_all_metadata") != "1" {
			c.Metadata = nil
		}
		msgs = append(msgs, c)
	}
	out := reply{"ok": true, "messages": msgs, "has_more": to < len(all)}
	if to < len(all) {
		out["response_metadata"] = map[string]string{"next_cursor": strconv.Itoa(to)}
	}
	return out
}

// stamp gives the next message's name: seconds and a count, always growing.
func (s *Server) stamp() string {
	s.clock++
	sec := 1700000000 + s.clock
	if s.opts.Now != nil {
		sec = s.opts.Now().Unix()
	}
	return fmt.Sprintf("%d.%06d", sec, s.clock)
}
