// Package forge is a forge on loopback, for tests and the demo: one state of
// repositories, pulls, comments, notes on lines, reactions, statuses and teams,
// with the face of GitHub, GitLab or Gitea, written from their references. It can
// sit beside bare repositories on disk, whose branches then say what pulls hold, and
// it can be slow to answer, ill, or ask to wait. Lab: imported by tests and cmd/demo
// alone.
//
// GitHub's face is an Enterprise Server's, /api/v3, from
// https://docs.github.com/en/rest: pulls (list, get, commits, files, comments,
// reviews), issue comments, reactions, commit statuses, repositories, a person's
// permission, team members, users, apps; App tokens are given for a JWT whose
// RS256 signature, issuer and times are right. Lists have Link headers and weak
// entity tags; limits are 403 or 429 as documented.
//
// GitLab's face is /api/v4, from https://docs.gitlab.com/api/rest/: merge requests
// (list, get, diffs, notes, discussions, emoji), commit statuses with their refusal
// of pending upon pending, members of groups and projects, user; and of GraphQL who
// made a merge request's commits. Lists have Link and
// X-Next-Page headers and weak entity tags.
//
// Gitea's face is /api/v1, from https://docs.gitea.com/api/: pulls (list, get, diff,
// commits, reviews), issue comments, reactions, commit statuses, repositories, a
// person's permission, teams, user. No entity tags.
//
// Missing, beside all that isobar does not call: permissions (the one token may do
// everything), GitHub's GraphQL and checks, GitLab's pipelines and approvals, notes
// that follow their lines when the head moves (they go outdated, at GitHub and Gitea,
// when the head moves at all), renamed repositories, deliveries that are tried again.
package forge

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Face is the forge that a server looks like.
type Face string

// The faces.
const (
	GitHub Face = "github"
	GitLab Face = "gitlab"
	Gitea  Face = "gitea"
)

// Options of a server.
type Options struct {
	Face  Face
	Token string           // the one that is good; "" is DefaultToken
	App   *App             // GitHub's face alone
	Page  int              // the largest page; 0 is the face's own
	Now   func() time.Time // dates what is made; nil counts seconds up from a fixed time
}

// App is a GitHub App that is installed on every repository.
type App struct {
	ID           string // the issuer of its JWTs
	Key          *rsa.PublicKey
	Installation int64
	Slug         string // its login is SLUG[bot]
}

// DefaultToken is what the lab takes when told no other.
const DefaultToken = "lab-forge-token"

// Self is the login of whoever holds the token.
const Self = "isobar-bot"

// Server is a running forge. Safe for concurrent use.
type Server struct {
	opts Options
	addr string
	http *http.Server
	stop func() bool
	once sync.Once
	wait sync.WaitGroup

	mu       sync.Mutex
	token    string
	issued   map[string]time.Time // an installation's tokens and their ends
	repos    map[string]*repo
	teams    map[string][]string
	writers  map[string][]string // by repository
	clock    int64
	ids      int64
	faults   []Fault
	requests []Request
	hook     hook
	queue    []Delivery
}

// Request is one that was taken.
type Request struct {
	Method string
	Path   string
	Query  string
	Status int // 0 for none
}

// Start starts a server on a free port of 127.0.0.1. It ends with ctx or Close.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Token == "" {
		o.Token = DefaultToken
	}
	if o.App != nil && o.App.Slug == "" {
		o.App.Slug = "isobar"
	}
	s := &Server{opts: o, token: o.Token, issued: map[string]time.Time{}, repos: map[string]*repo{}, teams: map[string][]string{}, writers: map[string][]string{}, ids: 100}
	var mux http.Handler
	switch o.Face {
	case GitHub:
		mux = s.gitHub()
	case GitLab:
		mux = s.gitLab()
	case Gitea:
		mux = s.gitea()
	default:
		return nil, fmt.Errorf("the lab has no forge %q", o.Face)
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the forge lab: %w", err)
	}
	s.addr = ln.Addr().String()
	s.http = &http.Server{Handler: s.front(mux), ReadHeaderTimeout: 10 * time.Second}
	s.http.SetKeepAlivesEnabled(false) // so that a fault touches every request
	s.wait.Go(func() { _ = s.http.Serve(ln) })
	s.stop = context.AfterFunc(ctx, func() { _ = s.Close() })
	return s, nil
}

// URL gives the forge's address, without a slash at its end.
func (s *Server) URL() string { return "http://" + s.addr }

// Close ends the server and its connections.
func (s *Server) Close() error {
	var err error
	s.once.Do(func() {
		s.stop()
		if err = s.http.Close(); errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		s.wait.Wait()
	})
	return err
}

// Rotate makes another token the good one.
func (s *Server) Rotate(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// Revoke makes every App's token that was given a wrong one.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.issued)
}

// Requests gives what was asked so far, and forgets it.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.requests
	s.requests = nil
	return out
}

// front plays the faults, checks the credential and counts.
func (s *Server) front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		f := s.fault(r)
		good, now := s.good(r), s.now()
		s.mu.Unlock()
		seen := &watched{ResponseWriter: w}
		switch {
		case f != nil && f.Kind == Lost:
			next.ServeHTTP(&watched{ResponseWriter: blind{}}, r)
			s.count(r, 0)
			hangUp(w)
			return
		case f != nil:
			f.answer(s.opts.Face, seen, now)
		case !good:
			s.say(seen, http.StatusUnauthorized, "Bad credentials")
		default:
			s.limits(seen, now)
			next.ServeHTTP(seen, r)
		}
		s.count(r, seen.status)
	})
}

func (s *Server) count(r *http.Request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Status: status})
}

// good reports whether the request has a credential that fits its path.
func (s *Server) good(r *http.Request) bool {
	switch s.opts.Face {
	case GitLab:
		return r.Header.Get("Private-Token") == s.token
	case Gitea:
		return r.Header.Get("Authorization") == "token "+s.token
	case GitHub:
	}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	path := strings.TrimPrefix(r.URL.Path, "/api/v3")
	switch {
	case !ok:
		return false
	case s.opts.App == nil:
		return given == s.token
	case path == "/app", strings.HasPrefix(path, "/app/"), strings.HasSuffix(path, "/installation"):
		return s.opts.App.verify(given, s.now()) == nil
	}
	ends, ok := s.issued[given]
	return ok && s.now().Before(ends)
}

// watched remembers the status.
type watched struct {
	http.ResponseWriter

	status int
}

func (w *watched) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// blind takes an answer that is lost.
type blind struct{}

func (blind) Header() http.Header         { return http.Header{} }
func (blind) Write(b []byte) (int, error) { return len(b), nil }
func (blind) WriteHeader(int)             {}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}
