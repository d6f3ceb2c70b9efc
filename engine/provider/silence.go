package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// Hosts remembers which hosts left a request without an answer, so that a peer
// that hangs costs the first who asks a long wait and all who come after a short
// one. The zero Hosts is ready for use, and safe for concurrent use.
type Hosts struct {
	Answer time.Duration // how long a request waits without a byte of an answer; 0 means 30 s
	Probe  time.Duration // the same at a host that is silent; 0 means 5 s
	Rest   time.Duration // how long after that nobody asks it; 0 means 10 s
	Clock  Clock

	mu     sync.Mutex
	silent map[string]*silence
}

// silence is what is known of a host that does not answer.
type silence struct {
	err     *SilentError
	until   time.Time     // nobody asks it before
	probing chan struct{} // closed when the one who asks it knows; nil where nobody does
}

// SilentError says that a host gave no answer, however it was waited for.
type SilentError struct {
	Host  string
	Took  bool          // it took the connection
	For   time.Duration // how long the first who met it so waited
	Since time.Time     // when that one began to
}

// Error says what was seen, since when, and how to mend it.
func (e *SilentError) Error() string {
	since := " (since " + e.Since.UTC().Format(time.DateTime) + " UTC, and it is asked again at each look): "
	if !e.Took {
		return fmt.Sprintf("%s took no connection within %v%ssee that it is up, and that no firewall on the way drops what is sent to it", e.Host, e.For, since)
	}
	return fmt.Sprintf("%s accepted the connection and did not answer for %v%ssee that what runs there is well, and that no firewall on the way drops what it says", e.Host, e.For, since)
}

// Timeout and Temporary make it what package net calls a timeout.
func (e *SilentError) Timeout() bool { return true }

// Temporary says that it may pass.
func (e *SilentError) Temporary() bool { return true }

// SlowError says that a call as a whole ran into its deadline.
type SlowError struct{ Within time.Duration }

// Error says how long it had.
func (e *SlowError) Error() string {
	return fmt.Sprintf("it did not come to its end within %v, so it was given up", e.Within)
}

// Is makes it a context.DeadlineExceeded.
func (e *SlowError) Is(target error) bool { return target == context.DeadlineExceeded }

// hung reports whether a call failed since nothing came in time: to wait as long
// once more would hold up everything beside it.
func hung(err error) bool {
	var silent *SilentError
	return errors.As(err, &silent) || errors.Is(err, context.DeadlineExceeded)
}

type patienceKey struct{}

// patience is that of one call of a session, which may send many requests.
type patience struct {
	hosts *Hosts
	spent atomic.Bool // a host was silent already: no other one gets as long
}

// WithPatience returns a ctx for one call under which no request through a
// PatientTransport waits for long without an answer.
func WithPatience(ctx context.Context, h *Hosts) context.Context {
	return context.WithValue(ctx, patienceKey{}, &patience{hosts: h})
}

// Patient gives patience to the calls that look. What changes the world is
// heard out until its deadline.
func Patient(s Session, h *Hosts) Session {
	return around{Session: s, do: func(ctx context.Context, c Call, next func(context.Context) error) error {
		if !c.Op.Mutates() || c.Op == OpFind {
			ctx = WithPatience(ctx, h)
		}
		return next(ctx)
	}}
}

// PatientTransport bounds how long each request of a ctx with patience waits
// without an answer, its body's parts included. How long an answer takes that
// keeps coming is not bounded.
func PatientTransport(base http.RoundTripper) http.RoundTripper { return patient{base} }

type patient struct{ base http.RoundTripper }

var (
	errSilent  = errors.New("no answer came in time")
	errUnasked = errors.New("the host was not heard out")
)

func (t patient) RoundTrip(r *http.Request) (*http.Response, error) {
	p, ok := r.Context().Value(patienceKey{}).(*patience)
	if !ok {
		return t.base.RoundTrip(r)
	}
	limit, done, err := p.hosts.admit(r.Context(), r.URL.Host, p.spent.Load())
	if err != nil {
		p.spent.Store(true)
		if r.Body != nil {
			_ = r.Body.Close() // RoundTrip must close it, also when it refuses
		}
		return nil, err
	}
	w := &wait{outer: r.Context(), patience: p, host: r.URL.Host, limit: limit, began: p.hosts.Clock.now()}
	var ctx context.Context
	ctx, w.cancel = context.WithCancelCause(r.Context())
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { w.took.Store(true) },
		ConnectDone: func(_, _ string, err error) {
			if err == nil {
				w.took.Store(true)
			}
		},
	})
	w.ctx = ctx
	timer := time.AfterFunc(limit, func() { w.cancel(errSilent) })
	res, err := t.base.RoundTrip(r.WithContext(ctx))
	if !timer.Stop() && err == nil && errors.Is(context.Cause(ctx), errSilent) { // it came just too late
		_ = res.Body.Close()
		err = errSilent
	}
	if err != nil {
		var fenced *FencedError
		if err = w.told(err); r.Context().Err() != nil || errors.As(err, &fenced) {
			done(errUnasked)
		} else {
			done(err)
		}
		w.cancel(nil)
		if c, ok := t.base.(interface{ CloseIdleConnections() }); ok && w.took.Load() {
			c.CloseIdleConnections() // one that is shared by requests would hang for the next one, too
		}
		return nil, err
	}
	done(nil)
	res.Body = &heard{ReadCloser: res.Body, wait: w}
	return res, nil
}

// CloseIdleConnections closes those of the base.
func (t patient) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// wait is one request's.
type wait struct {
	ctx, outer context.Context
	cancel     context.CancelCauseFunc
	patience   *patience
	host       string
	limit      time.Duration
	began      time.Time
	took       atomic.Bool
}

// told puts the reason in the place of the error that a wait's end gave.
func (w *wait) told(err error) error {
	var timeout net.Error
	switch {
	case w.outer.Err() != nil:
		return context.Cause(w.outer)
	case errors.Is(context.Cause(w.ctx), errSilent), errors.As(err, &timeout) && timeout.Timeout():
		w.patience.spent.Store(true)
		since := w.patience.hosts.Clock.now().Sub(w.began).Round(100 * time.Millisecond)
		return w.patience.hosts.hush(&SilentError{Host: w.host, Took: w.took.Load(), For: since, Since: w.began})
	}
	return err
}

// heard is an answer's body: each of its parts must come in time.
type heard struct {
	io.ReadCloser
	wait *wait
}

func (b *heard) Read(p []byte) (int, error) {
	timer := time.AfterFunc(b.wait.limit, func() { b.wait.cancel(errSilent) })
	n, err := b.ReadCloser.Read(p)
	timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.wait.told(err)
	}
	return n, err
}

func (b *heard) Close() error {
	err := b.ReadCloser.Close()
	b.wait.cancel(nil)
	return err
}

// admit says how long a request may wait for a host, or that it is not asked
// now. A host that is silent is asked by one at a time. done takes the outcome.
func (h *Hosts) admit(ctx context.Context, host string, spent bool) (limit time.Duration, done func(error), err error) {
	long, short := orElse(h.Answer, 30*time.Second), orElse(h.Probe, 5*time.Second)
	for {
		h.mu.Lock()
		s := h.silent[host]
		switch {
		case s == nil:
			h.mu.Unlock()
			if spent {
				long = short
			}
			return long, func(err error) {
				if err == nil {
					h.answered(host, nil)
				}
			}, nil
		case s.probing == nil && h.Clock.now().Before(s.until):
			h.mu.Unlock()
			return 0, nil, s.err
		case s.probing == nil:
			s.probing = make(chan struct{})
			h.mu.Unlock()
			return short, func(err error) { h.answered(host, err) }, nil
		}
		probing := s.probing
		h.mu.Unlock()
		select {
		case <-probing:
		case <-ctx.Done():
			return 0, nil, context.Cause(ctx)
		}
	}
}

// answered ends a probe. A host that gave any answer, or refuses the connection,
// is silent no more.
func (h *Hosts) answered(host string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.silent[host]
	if s == nil {
		return
	}
	if s.probing != nil {
		close(s.probing)
		s.probing = nil
	}
	var silent *SilentError
	if !errors.As(err, &silent) && !errors.Is(err, errUnasked) {
		delete(h.silent, host)
	}
}

// hush notes a host's silence and gives the error for it: as long as it lasts,
// what the first said who met it.
func (h *Hosts) hush(e *SilentError) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.silent == nil {
		h.silent = map[string]*silence{}
	}
	s := h.silent[e.Host]
	if s == nil || s.err.Took != e.Took {
		if s == nil {
			s = &silence{}
			h.silent[e.Host] = s
		} else {
			e.Since = s.err.Since
		}
		s.err = e
	}
	s.until = h.Clock.now().Add(orElse(h.Rest, 10*time.Second))
	return s.err
}

func orElse(d, other time.Duration) time.Duration {
	if d <= 0 {
		return other
	}
	return d
}
