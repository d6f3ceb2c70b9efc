package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	labslack "isobar.dev/engine/lab/slack"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/view"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const channel = "C0LAB"

func lab(t *testing.T, page int) (*labslack.Server, *Slack) {
	t.Helper()
	srv, err := labslack.Start(t.Context(), labslack.Options{Page: page})
	must(t, err)
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv, speaker(srv, labslack.DefaultToken)
}

func speaker(srv *labslack.Server, token string) *Slack {
	return New(Options{
		Token: func() (string, error) { return token, nil }, APIURL: srv.URL(), Channel: channel,
		HTTP: &http.Client{Timeout: 20 * time.Second},
	})
}

func TestOneThreadARun(t *testing.T) {
	t.Parallel()
	srv, s := lab(t, 0)
	must(t, s.Check(t.Context()))
	ref, err := s.Post(t.Context(), "", "run/1", view.Say("● prod · applying 0/2", "by <mei> & co"))
	must(t, err)
	other, err := s.Post(t.Context(), channel, "run/2", view.Say("● staging"))
	must(t, err)
	for range 2 {
		must(t, s.Reply(t.Context(), ref, "run/1/a", view.Say("subnet created")))
		must(t, s.Reply(t.Context(), other, "run/1/a", view.Say("the same key elsewhere")))
	}
	must(t, s.Edit(t.Context(), ref, view.Say("● prod · applying 1/2")))
	must(t, s.Edit(t.Context(), ref, view.Say("✓ prod · applied")))
	again, err := s.Post(t.Context(), channel, "run/1", view.Say("posted again"))
	if err != nil || again != ref {
		t.Errorf("posting again gave %q, %v; want %q", again, err, ref)
	}
	want := "#C0LAB\n  ✓ prod · applied (edited 2 times)\n    └ subnet created\n  ● staging\n    └ the same key elsewhere\n"
	if got := srv.Transcript(); got != want {
		t.Errorf("transcript:\n%s\nwant:\n%s", got, want)
	}
	first := srv.Messages(channel)[0]
	if first.Edits[0] != "● prod · applying 0/2\nby &lt;mei&gt; &amp; co" {
		t.Errorf("first text %q", first.Edits[0])
	}
	var meta struct {
		EventType    string            `json:"event_type"`
		EventPayload map[string]string `json:"event_payload"`
	}
	must(t, json.Unmarshal(first.Metadata, &meta))
	if meta.EventType != "isobar_run" || meta.EventPayload["key"] != "run/1" {
		t.Errorf("metadata %s", first.Metadata)
	}
}

func TestFindsItsMessagesOnLaterPages(t *testing.T) {
	t.Parallel()
	srv, s := lab(t, 2)
	ref, err := s.Post(t.Context(), "", "run", view.Say("head"))
	must(t, err)
	for i := range 5 {
		_, err := s.Post(t.Context(), "", fmt.Sprint("other", i), view.Say("other"))
		must(t, err)
		must(t, s.Reply(t.Context(), ref, fmt.Sprint("step", i), view.Say("step")))
	}
	again, err := s.Post(t.Context(), "", "run", view.Say("head"))
	if err != nil || again != ref {
		t.Errorf("gave %q, %v; want %q", again, err, ref)
	}
	must(t, s.Reply(t.Context(), ref, "step4", view.Say("step")))
	if n := len(srv.Messages(channel)); n != 11 {
		t.Errorf("%d messages, want 11", n)
	}
}

// Whatever the outage, a call repeated after it leaves one message.
func TestOutagesNeitherLoseNorDouble(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		outage labslack.Outage
		write  resource.Class // of a call whose lookup is spared: Edit
	}{
		{labslack.Refuse, resource.Transient},
		{labslack.Hang, resource.UnknownOutcome},
		{labslack.Drop, resource.UnknownOutcome},
		{labslack.Fail, resource.UnknownOutcome},
	} {
		t.Run(string(tc.outage), func(t *testing.T) {
			t.Parallel()
			srv, s := lab(t, 0)
			ref, err := s.Post(t.Context(), "", "run", view.Say("head"))
			must(t, err)
			down := func(call func(context.Context) error, want resource.Class) {
				t.Helper()
				must(t, srv.Outage(t.Context(), tc.outage))
				ctx, cancel := context.WithCancel(t.Context())
				if tc.outage == labslack.Hang {
					go cancelOnceTaken(srv, cancel)
				}
				wantClass(t, call(ctx), want)
				cancel()
				must(t, srv.Outage(t.Context(), labslack.Up))
				must(t, call(t.Context()))
			}
			down(func(ctx context.Context) error { return s.Edit(ctx, ref, view.Say("edited")) }, tc.write)
			down(func(ctx context.Context) error { return s.Reply(ctx, ref, "step", view.Say("step")) }, resource.Transient)
			down(func(ctx context.Context) error {
				_, err := s.Post(ctx, "", "second", view.Say("second"))
				return err
			}, resource.Transient)
			msgs := srv.Messages(channel)
			if len(msgs) != 3 || msgs[0].Text != "edited" {
				t.Errorf("transcript:\n%s", srv.Transcript())
			}
		})
	}
}

// cancelOnceTaken cancels when the server has taken a further call.
func cancelOnceTaken(srv *labslack.Server, cancel context.CancelFunc) {
	total := func() (n int) {
		for _, m := range []string{"chat.update", "conversations.history", "conversations.replies"} {
			n += srv.Calls(m)
		}
		return n
	}
	start := total()
	for range 1000 {
		if total() > start {
			break
		}
		<-time.After(5 * time.Millisecond)
	}
	cancel()
}

// dropWrites loses the answers of the first n postings on this side, after the
// server has done them; lookups pass.
type dropWrites struct{ n int }

func (d *dropWrites) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || d.n == 0 || !strings.HasSuffix(r.URL.Path, "chat.postMessage") {
		return res, err
	}
	d.n--
	return nil, errors.Join(errors.New("connection reset by peer"), res.Body.Close())
}

func TestLostAnswerIsNotPostedTwice(t *testing.T) {
	t.Parallel()
	srv, s := lab(t, 0)
	s.opts.HTTP = &http.Client{Transport: &dropWrites{n: 1}}
	_, err := s.Post(t.Context(), "", "run", view.Say("head"))
	wantClass(t, err, resource.UnknownOutcome)
	ref, err := s.Post(t.Context(), "", "run", view.Say("head"))
	must(t, err)
	s.opts.HTTP = &http.Client{Transport: &dropWrites{n: 1}}
	wantClass(t, s.Reply(t.Context(), ref, "step", view.Say("step")), resource.UnknownOutcome)
	must(t, s.Reply(t.Context(), ref, "step", view.Say("step")))
	if got, want := srv.Transcript(), "#C0LAB\n  head\n    └ step\n"; got != want {
		t.Errorf("transcript:\n%s", got)
	}
	if n := srv.Calls("chat.postMessage"); n != 2 {
		t.Errorf("%d postings", n)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	srv, s := lab(t, 0)
	srv.Limit(1, 7*time.Second)
	_, err := s.Post(t.Context(), "", "run", view.Say("head"))
	wantClass(t, err, resource.Throttled)
	var f *resource.Failure
	if !errors.As(err, &f) || f.After != 7*time.Second {
		t.Errorf("failure %+v", f)
	}
	_, err = s.Post(t.Context(), "", "run", view.Say("head"))
	must(t, err)
}

// A revoked token is a refusal like a wrong one, which another token ends.
func TestRevokedToken(t *testing.T) {
	t.Parallel()
	srv, s := lab(t, 0)
	must(t, srv.Outage(t.Context(), labslack.Revoke))
	_, err := s.Post(t.Context(), "", "run", view.Say("head"))
	if resource.ClassOf(err) != resource.Denied || !strings.Contains(err.Error(), "token_revoked") {
		t.Errorf("%v is %q, want %q with Slack's own word", err, resource.ClassOf(err), resource.Denied)
	}
	must(t, srv.Outage(t.Context(), labslack.Up))
	if _, err := s.Post(t.Context(), "", "run", view.Say("head")); err != nil {
		t.Error(err)
	}
	if n := len(srv.Messages(channel)); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	srv, s := lab(t, 0)
	ref, err := s.Post(t.Context(), "", "run", view.Say("head"))
	must(t, err)
	bad := speaker(srv, "xoxb-stolen-0001")
	none := New(Options{Token: func() (string, error) { return "", errors.New("no such file") }, APIURL: srv.URL()})
	post := func(s *Slack, channel, key, text string) error {
		_, err := s.Post(t.Context(), channel, key, view.Say(text))
		return err
	}
	for name, tc := range map[string]struct {
		err  error
		want resource.Class
	}{
		"wrong token, check":   {bad.Check(t.Context()), resource.Denied},
		"wrong token, post":    {post(bad, "", "k", "x"), resource.Denied},
		"wrong token, edit":    {bad.Edit(t.Context(), ref, view.Say("x")), resource.Denied},
		"no token":             {none.Check(t.Context()), resource.Denied},
		"no channel":           {post(none, "", "k", "x"), resource.Denied},
		"unknown channel":      {post(s, "C0NOPE", "k", "x"), resource.Denied},
		"deleted head":         {s.Edit(t.Context(), channel+"/1.000001/run", view.Say("x")), resource.NotFound},
		"deleted head, reply":  {s.Reply(t.Context(), channel+"/1.000001/run", "k", view.Say("x")), resource.NotFound},
		"bad reference":        {s.Edit(t.Context(), "nonsense", view.Say("x")), resource.Invalid},
		"bad reference, reply": {s.Reply(t.Context(), "", "k", view.Say("x")), resource.Invalid},
		"no key":               {post(s, "", "", "x"), resource.Invalid},
		"no key, reply":        {s.Reply(t.Context(), ref, "", view.Say("x")), resource.Invalid},
		"no text":              {s.Edit(t.Context(), ref, nil), resource.Invalid},
	} {
		if got := resource.ClassOf(tc.err); got != tc.want {
			t.Errorf("%s: %v is %q, want %q", name, tc.err, got, tc.want)
		}
		if tc.err != nil && strings.Contains(tc.err.Error(), "stolen") {
			t.Errorf("%s: the error tells the token: %v", name, tc.err)
		}
	}
}

func wantClass(t *testing.T, err error, want resource.Class) {
	t.Helper()
	if got := resource.ClassOf(err); got != want {
		t.Fatalf("error %v is %q, want %q", err, got, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
