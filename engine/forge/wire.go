package forge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"isobar.dev/engine/resource"
)

// maxAnswer is how many bytes an answer may have: 100 pulls or comments of
// 65,536 characters come to 25 MiB.
const maxAnswer = 32 << 20

const userAgent = "isobar"

// wire is the transport under each SDK. It asks for the token, keeps to the
// forge's own host, reads answers to their end within limits, answers a 304 from
// what it kept, and gives every refusal as a *resource.Failure. That the SDKs see
// no refusals keeps their own ideas of retries and rate limits out.
type wire struct {
	next    http.RoundTripper
	base    *url.URL
	auth    authorizer
	timeout time.Duration
	now     func() time.Time
	kept    *kept

	mu    sync.Mutex
	until time.Time // the forge asked for quiet until then
}

// authorizer signs requests.
type authorizer interface {
	// authorize puts the credential on a request, and gives it so that no message
	// repeats it.
	authorize(r *http.Request) (secret string, err error)
	// refused tells that the forge took the credential for a wrong one, and asks
	// whether another try has another.
	refused(ctx context.Context, secret string) bool
}

func newWire(o Options, base *url.URL, next http.RoundTripper, auth authorizer) *wire {
	return &wire{next: next, base: base, auth: auth, timeout: o.Timeout, now: o.Now, kept: newKept()}
}

// client gives the wire as an SDK takes it. Redirects stay with reading: a write
// that is moved elsewhere is refused.
func (w *wire) client() *http.Client {
	return &http.Client{Transport: w, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) >= 5 || effectOf(via[0].Method) == writing {
			return &resource.Failure{Class: resource.Invalid, Message: "the forge sends us elsewhere: give its address and the repository's name as they are now"}
		}
		return nil
	}}
}

// CloseIdleConnections lets http.Client close those of the transport below.
func (w *wire) CloseIdleConnections() {
	if c, ok := w.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip sends a request. Unlike other transports it gives answers of 400 and
// more as errors. A refused App token is renewed once.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }()
	}
	if r.URL.Scheme != w.base.Scheme || r.URL.Host != w.base.Host {
		return nil, &resource.Failure{Class: resource.Denied, Message: "the forge sends us to another host, which gets no token: give the address as it is now"}
	}
	if f := w.quiet(); f != nil {
		return nil, f
	}
	for again := false; ; again = true {
		out, secret, err := w.send(r, again)
		var f *resource.Failure
		if again || !errors.As(err, &f) || f.Code != "401" || !w.auth.refused(r.Context(), secret) || r.Body != nil && r.GetBody == nil {
			return out, err
		}
	}
}

// quiet is the refusal to call before the forge's time is up.
func (w *wire) quiet() *resource.Failure {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := w.until.Sub(w.now())
	if left <= 0 {
		return nil
	}
	return &resource.Failure{Class: resource.Throttled, Message: "the forge asked to wait, nothing was sent", After: left}
}

func (w *wire) hush(after time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.now().Add(after); after > 0 && t.After(w.until) {
		w.until = t
	}
}

func (w *wire) send(r *http.Request, again bool) (*http.Response, string, error) {
	ctx, cancel := context.WithTimeout(r.Context(), w.timeout)
	defer cancel()
	e := effectOf(r.Method)
	ours := r.Clone(ctx)
	if again && r.Body != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, "", unsent(reading, err)
		}
		ours.Body = body
	}
	secret, err := w.auth.authorize(ours)
	if err != nil {
		return nil, secret, err
	}
	ours.Header.Set("User-Agent", userAgent)
	before := w.kept.ask(ours)
	in, err := w.next.RoundTrip(ours)
	if err != nil {
		return nil, secret, unsent(e, err)
	}
	body, err := readAll(in, maxAnswer)
	if err != nil {
		return nil, secret, unsent(e, err)
	}
	in.Body = io.NopCloser(bytes.NewReader(body))
	in.Request = r
	w.hush(spent(in, w.now()))
	switch {
	case in.StatusCode == http.StatusNotModified && before != nil:
		return before.answer(r), secret, nil
	case in.StatusCode >= 400, in.StatusCode == http.StatusNotModified:
		f := refusal(in, body, secret, w.now())
		if f.Class == resource.Throttled {
			w.hush(f.After)
		}
		return nil, secret, f
	case e == reading && in.StatusCode < 300 && len(bytes.TrimSpace(body)) == 0: // an empty list to GitHub's SDK
		return nil, secret, &resource.Failure{Class: resource.Transient, Message: strangeAnswer}
	}
	w.kept.keep(ours, in, body)
	return in, secret, nil
}

func readAll(in *http.Response, limit int) ([]byte, error) {
	defer func() { _ = in.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(in.Body, int64(limit)+1))
	if err == nil && len(body) > limit {
		err = &resource.Failure{Class: resource.Invalid, Message: fmt.Sprintf("the forge's answer has more than %d bytes", limit)}
	}
	return body, err
}

// bearer is a token that is asked for anew each time.
type bearer struct {
	token  func() (string, error)
	header string
	prefix string
}

func (b bearer) authorize(r *http.Request) (string, error) {
	token, err := b.token()
	switch {
	case err != nil:
		return "", &resource.Failure{Class: resource.Denied, Message: "the forge's token can't be read; check where it comes from", Err: err}
	case token == "":
		return "", &resource.Failure{Class: resource.Denied, Message: "the forge's token is empty; check where it comes from"}
	}
	r.Header.Set(b.header, b.prefix+token)
	return token, nil
}

func (bearer) refused(context.Context, string) bool { return false }
