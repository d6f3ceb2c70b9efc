// Package gitd is a real Git server on loopback, `git http-backend` behind
// net/http/cgi, and a client to make commits with, for tests and the demo. It
// makes bare repositories when they are first named, and can ask for a
// password, or be down. Lab: imported by tests and cmd/demo alone.
package gitd

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cgi" //nolint:gosec // the hole it names was closed in Go 1.6.3
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Hook sees each request before the server does. It returns true when it has
// answered itself.
type Hook func(w http.ResponseWriter, r *http.Request) bool

// Server is a running Git server. Safe for concurrent use.
type Server struct {
	root string // holds repos/ and home/
	addr string
	http *http.Server
	done chan struct{}
	stop func() bool
	once sync.Once

	mu         sync.Mutex
	user, pass string
	hook       Hook
	requests   int
}

var repoName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`)

// Start starts a server on a free port of 127.0.0.1, with its repositories in a
// fresh temporary directory. It ends with ctx or Close.
func Start(ctx context.Context) (*Server, error) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("the lab needs git: %w", err)
	}
	out, err := exec.CommandContext(ctx, git, "--exec-path").Output() //nolint:gosec // git from PATH
	if err != nil {
		return nil, fmt.Errorf("ask git for its programs: %w", err)
	}
	root, err := os.MkdirTemp("", "isobar-gitd-")
	if err != nil {
		return nil, err
	}
	s := &Server{root: root, done: make(chan struct{})}
	for _, d := range []string{"repos", "home"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o700); err != nil {
			return nil, errors.Join(err, os.RemoveAll(root))
		}
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(root))
	}
	s.addr = ln.Addr().String()
	s.http = &http.Server{Handler: s.handler(strings.TrimSpace(string(out))), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(ln) // always ErrServerClosed, after Close
	}()
	s.stop = context.AfterFunc(ctx, func() { _ = s.Close() })
	return s, nil
}

// Close ends the server, its connections and its git processes, and removes the
// repositories.
func (s *Server) Close() error {
	var err error
	s.once.Do(func() {
		s.stop()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if s.http.Shutdown(ctx) != nil {
			err = s.http.Close()
		}
		<-s.done
		err = errors.Join(err, os.RemoveAll(s.root))
	})
	return err
}

// URL gives the address of a repository, which is made (bare, branch main,
// pushes allowed) when it is new. An empty text means that the name can't be
// one or git failed; Create tells why.
func (s *Server) URL(repo string) string {
	if err := s.Create(context.Background(), repo); err != nil {
		return ""
	}
	return s.Address(repo)
}

// Address gives the address of a repository, there or not.
func (s *Server) Address(repo string) string { return "http://" + s.addr + "/" + repo + ".git" }

// Dir gives the directory of a bare repository, there or not.
func (s *Server) Dir(repo string) string { return filepath.Join(s.root, "repos", repo+".git") }

// Create makes a bare repository unless it is there.
func (s *Server) Create(ctx context.Context, repo string) error {
	if !repoName.MatchString(repo) {
		return fmt.Errorf("%q can't be a repository's name", repo)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := s.Dir(repo)
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	home := filepath.Join(s.root, "home")
	if _, err := run(ctx, home, s.root, "init", "-q", "--bare", "-b", "main", dir); err != nil {
		return err
	}
	_, err := run(ctx, home, dir, "config", "http.receivepack", "true")
	return err
}

// Remove deletes a repository, as when someone deletes it at a forge.
func (s *Server) Remove(repo string) error { return os.RemoveAll(s.Dir(repo)) }

// Protect asks for this user and password from now on; two empty texts ask for
// none.
func (s *Server) Protect(user, pass string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user, s.pass = user, pass
}

// Intercept sets the hook, nil for none.
func (s *Server) Intercept(h Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = h
}

// Requests counts the requests so far.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func (s *Server) handler(execPath string) http.Handler {
	backend := &cgi.Handler{
		Path: filepath.Join(execPath, "git-http-backend"),
		Env: append(isolated(filepath.Join(s.root, "home")),
			"GIT_PROJECT_ROOT="+filepath.Join(s.root, "repos"), "GIT_HTTP_EXPORT_ALL=1"),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests++
		user, pass, hook := s.user, s.pass, s.hook
		s.mu.Unlock()
		if hook != nil && hook(w, r) {
			return
		}
		if user != "" || pass != "" {
			u, p, _ := r.BasicAuth()
			if subtle.ConstantTimeCompare([]byte(u+"\x00"+p), []byte(user+"\x00"+pass)) != 1 {
				w.Header().Set("WWW-Authenticate", `Basic realm="lab"`)
				http.Error(w, "who are you?", http.StatusUnauthorized)
				return
			}
		}
		backend.ServeHTTP(w, r)
	})
}
