// Package slack is a Slack Web API on loopback, for tests and the demo: it
// checks the token, keeps messages, threads and edits, and can ask to wait, be
// out of reach, hang or lose its answers. Lab: imported by tests and cmd/demo
// alone.
package slack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Outage is a way of being down.
type Outage string

// The outages.
const (
	Up     Outage = ""       // none
	Refuse Outage = "refuse" // connections are refused
	Hang   Outage = "hang"   // requests are taken and get no answer while it lasts; nothing is done
	Drop   Outage = "drop"   // requests are done, their answers lost
	Fail   Outage = "fail"   // 503, nothing is done
	Revoke Outage = "revoke" // every token is one that was revoked
)

// Options of a server.
type Options struct {
	Token    string           // the one that is good; "" is DefaultToken
	Channels []string         // ids; none means C0LAB
	Now      func() time.Time // dates messages; nil counts seconds up from a fixed time
	Page     int              // the largest page of messages; 0 is 200
}

// DefaultToken is what the lab takes when told no other.
const DefaultToken = "xoxb-lab-token" //nolint:gosec // the lab's own

// Server is a running Slack. Safe for concurrent use.
type Server struct {
	opts Options
	addr string
	http *http.Server
	stop func() bool
	once sync.Once
	wait sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while refusing
	outage   Outage
	changed  chan struct{} // closed when outage changes
	limited  int           // calls still to be answered by 429
	after    time.Duration
	calls    map[string]int
	channels map[string][]*Message
	clock    int64
}

// Start starts a server on a free port of 127.0.0.1. It ends with ctx or Close.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Token == "" {
		o.Token = DefaultToken
	}
	if len(o.Channels) == 0 {
		o.Channels = []string{"C0LAB"}
	}
	if o.Page == 0 {
		o.Page = 200
	}
	s := &Server{opts: o, changed: make(chan struct{}), calls: map[string]int{}, channels: map[string][]*Message{}}
	for _, c := range o.Channels {
		s.channels[c] = nil
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the Slack lab: %w", err)
	}
	s.addr = ln.Addr().String()
	s.http = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	s.http.SetKeepAlivesEnabled(false) // so that an outage touches every request
	s.serve(ln)
	s.stop = context.AfterFunc(ctx, func() { _ = s.Close() })
	return s, nil
}

// URL gives the base address of the API, with its slash.
func (s *Server) URL() string { return "http://" + s.addr + "/api/" }

// Close ends the server and its connections.
func (s *Server) Close() error {
	var err error
	s.once.Do(func() {
		s.stop()
		s.mu.Lock()
		s.switchTo(Up) // lets hanging requests go
		s.mu.Unlock()
		err = s.http.Close()
		s.wait.Wait()
	})
	return err
}

// Outage begins an outage, or ends it with Up. After Refuse it listens on the
// same port again.
func (s *Server) Outage(ctx context.Context, o Outage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switchTo(o)
	if o == Refuse && s.listener != nil {
		err := s.listener.Close()
		s.listener = nil
		return err
	}
	if o != Refuse && s.listener == nil {
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.addr)
		if err != nil {
			return fmt.Errorf("end the outage: %w", err)
		}
		s.serve(ln)
	}
	return nil
}

// Limit answers the next n calls by 429 with this Retry-After, in whole seconds.
func (s *Server) Limit(n int, after time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limited, s.after = n, after
}

// Calls counts the calls of a method that were taken, answered or not.
func (s *Server) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

func (s *Server) serve(ln net.Listener) {
	s.listener = ln
	s.wait.Go(func() {
		if err := s.http.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			_ = ln.Close()
		}
	})
}

func (s *Server) switchTo(o Outage) {
	s.outage = o
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for method, f := range map[string]func(*http.Request) reply{
		"auth.test":             s.authTest,
		"chat.postMessage":      s.postMessage,
		"chat.update":           s.update,
		"conversations.history": s.history,
		"conversations.replies": s.replies,
	} {
		mux.HandleFunc("POST /api/"+method, func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, method, f) })
	}
	return mux
}

// answer plays the outage or the rate limit, checks the token, and calls f
// under the lock.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, method string, f func(*http.Request) reply) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.calls[method]++
	outage, changed := s.outage, s.changed
	limited := outage == Up && s.limited > 0
	var out reply
	switch {
	case limited:
		s.limited--
	case outage == Revoke:
		out = failed("token_revoked")
	case outage != Up && outage != Drop:
	case token(r) == "":
		out = failed("not_authed")
	case token(r) != s.opts.Token:
		out = failed("invalid_auth")
	default:
		out = f(r)
	}
	after := s.after
	s.mu.Unlock()
	switch {
	case limited:
		w.Header().Set("Retry-After", strconv.Itoa(int(after/time.Second)))
		w.WriteHeader(http.StatusTooManyRequests)
	case outage == Hang:
		select {
		case <-changed:
		case <-r.Context().Done():
		}
		hangUp(w)
	case outage == Drop, outage == Refuse:
		hangUp(w)
	case outage == Fail:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		out.write(w)
	}
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}
