// Package chat tells people in Slack: a message a run, edited in place, with
// replies in its thread. It owns the wire, the layout and the recognition of
// its own messages; what to say and when, the outbox and retries are the
// caller's. The only importer of slack-go. Floor 4.
package chat

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"isobar.dev/engine/resource"
	"isobar.dev/engine/view"
)

// Options say which Slack and who speaks there.
type Options struct {
	Token   func() (string, error) // the bot token, asked before each call; it needs chat:write and the history scope of the channel's type
	APIURL  string                 // "" is Slack's own; ends with a slash
	Channel string                 // the channel id for posts that name none
	HTTP    *http.Client           // nil is one with a 15 s timeout
}

// Slack speaks to one workspace. Safe for concurrent use, but two calls with
// the same key at the same time may post twice: Slack has no idempotency key.
type Slack struct {
	opts Options
}

// The metadata by which isobar knows its own messages.
const (
	runEvent  = "isobar_run"
	stepEvent = "isobar_step"
	keyField  = "key"
)

// How far back a message is sought before it is posted.
const (
	pageSize = 200
	maxPages = 5
)

const callTimeout = 15 * time.Second

// New makes a speaker. It makes no call; see Check.
func New(o Options) *Slack {
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: callTimeout}
	}
	if o.APIURL != "" && !strings.HasSuffix(o.APIURL, "/") {
		o.APIURL += "/"
	}
	return &Slack{opts: o}
}

// Check asks Slack whether the token is good.
func (s *Slack) Check(ctx context.Context) error {
	api, err := s.api("auth.test")
	if err != nil {
		return err
	}
	_, err = api.AuthTestContext(ctx)
	return classify("auth.test", reading, err)
}

// Post posts text to a channel ("" is Options.Channel) once per key and gives a
// reference to store, for Edit and Reply. It first looks for a message with
// that key among the channel's latest 1,000 and gives that one's reference
// without changing it. So it may be called again after any error, which is a
// *resource.Failure.
func (s *Slack) Post(ctx context.Context, channel, key string, text view.Rich) (ref string, err error) {
	if channel == "" {
		channel = s.opts.Channel
	}
	const op = "chat.postMessage"
	api, err := s.api(op)
	if err != nil {
		return "", err
	}
	if channel == "" || key == "" {
		return "", invalid(op, "a post needs a channel and a key")
	}
	ts, err := findPost(ctx, api, channel, key)
	if err == nil && ts == "" {
		channel, ts, err = s.send(ctx, api, channel, content(runEvent, key, text))
	}
	if err != nil {
		return "", err
	}
	return reference{channel: channel, ts: ts, key: key}.String(), nil
}

// Edit replaces the text of a posted message. It may be called again after any
// error, which is a *resource.Failure; NotFound means that the message was
// deleted.
func (s *Slack) Edit(ctx context.Context, ref string, text view.Rich) error {
	const op = "chat.update"
	to, err := parseReference(op, ref)
	if err != nil {
		return err
	}
	api, err := s.api(op)
	if err != nil {
		return err
	}
	_, _, _, err = api.UpdateMessageContext(ctx, to.channel, to.ts, content(runEvent, to.key, text)...)
	return classify(op, writing, err)
}

// Reply posts text in the thread of a posted message once per key. It first
// looks for that key among the thread's first 1,000 replies. It may be called
// again after any error, which is a *resource.Failure.
func (s *Slack) Reply(ctx context.Context, ref, key string, text view.Rich) error {
	const op = "chat.postMessage"
	to, err := parseReference(op, ref)
	if err != nil {
		return err
	}
	if key == "" {
		return invalid(op, "a reply needs a key")
	}
	api, err := s.api(op)
	if err != nil {
		return err
	}
	there, err := findReply(ctx, api, to, key)
	if err != nil || there {
		return err
	}
	_, _, err = s.send(ctx, api, to.channel, append(content(stepEvent, key, text), slack.MsgOptionTS(to.ts)))
	return err
}

func (s *Slack) send(ctx context.Context, api *slack.Client, channel string, content []slack.MsgOption) (string, string, error) {
	channel, ts, err := api.PostMessageContext(ctx, channel, content...)
	return channel, ts, classify("chat.postMessage", writing, err)
}

// content gives the options that carry a text, its layout and its metadata. The
// plain text is what notifications read; parse "none" keeps Slack from looking for
// names and addresses in it.
func content(event, key string, text view.Rich) []slack.MsgOption {
	out := []slack.MsgOption{
		slack.MsgOptionText(escape(text.Plain(), maxText), false), slack.MsgOptionDisableMarkdown(), slack.MsgOptionParse(false),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
	if text.Plain() != "" {
		out = append(out, slack.MsgOptionBlocks(layout(text)))
	}
	if key != "" {
		out = append(out, slack.MsgOptionMetadata(slack.SlackMetadata{EventType: event, EventPayload: map[string]any{keyField: key}}))
	}
	return out
}

func (s *Slack) api(op string) (*slack.Client, error) {
	token, err := s.opts.Token()
	if err != nil {
		return nil, &resource.Failure{Class: resource.Denied, Op: op, Message: "the bot token can't be read; check where it comes from", Err: err}
	}
	with := []slack.Option{slack.OptionHTTPClient(s.opts.HTTP)}
	if s.opts.APIURL != "" {
		with = append(with, slack.OptionAPIURL(s.opts.APIURL))
	}
	return slack.New(token, with...), nil
}

// findPost looks for the message with a key among a channel's latest; "" is
// none.
func findPost(ctx context.Context, api *slack.Client, channel, key string) (ts string, err error) {
	p := slack.GetConversationHistoryParameters{ChannelID: channel, Limit: pageSize, IncludeAllMetadata: true}
	for range maxPages {
		page, err := api.GetConversationHistoryContext(ctx, &p)
		if err != nil {
			return "", classify("conversations.history", reading, err)
		}
		for i := range page.Messages {
			if carries(&page.Messages[i], runEvent, key) {
				return page.Messages[i].Timestamp, nil
			}
		}
		p.Cursor = page.ResponseMetaData.NextCursor
		if p.Cursor == "" {
			break
		}
	}
	return "", nil
}

func findReply(ctx context.Context, api *slack.Client, to reference, key string) (bool, error) {
	p := slack.GetConversationRepliesParameters{ChannelID: to.channel, Timestamp: to.ts, Limit: pageSize, IncludeAllMetadata: true}
	for range maxPages {
		msgs, _, cursor, err := api.GetConversationRepliesContext(ctx, &p)
		if err != nil {
			return false, classify("conversations.replies", reading, err)
		}
		for i := range msgs {
			if carries(&msgs[i], stepEvent, key) {
				return true, nil
			}
		}
		if p.Cursor = cursor; cursor == "" {
			break
		}
	}
	return false, nil
}

func carries(m *slack.Message, event, key string) bool {
	return m.Metadata.EventType == event && m.Metadata.EventPayload[keyField] == key
}
