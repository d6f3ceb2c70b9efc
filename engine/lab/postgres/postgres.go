// Package postgres runs a PostgreSQL server of its own on a loopback port, for
// tests and the demo.
//
// It owns the cluster's folder and its processes and nothing more: it must not
// be imported by the daemon, nor know isobar's tables. Tests keep apart by a
// schema each. Lab.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	startTries   = 4 // another program may take the port between the choice and the bind
	startTimeout = 60 * time.Second
	pollEvery    = 20 * time.Millisecond
)

// supervise runs its arguments as a child and ends it at once when stdin
// reaches its end, so that nothing is left behind by a parent that was killed.
// SIGQUIT is PostgreSQL's immediate shutdown, which takes its children along.
const supervise = `exec 3<&0
"$@" </dev/null 3<&- &
p=$!
{ cat <&3 >/dev/null; kill -QUIT "$p"; } 2>/dev/null &
w=$!
wait "$p"; rc=$?
kill "$w" 2>/dev/null
exit "$rc"`

// Server is a PostgreSQL server. Its methods are safe for concurrent use.
type Server struct {
	bin, dir, port string
	as             *syscall.Credential // whom it runs as; nil: as we do

	mu      sync.Mutex
	process *process // nil while it is down
}

type process struct {
	cmd   *exec.Cmd
	stdin interface{ Close() error }
	done  chan struct{} // closed once it has ended
}

// Start makes a cluster in a folder of its own and starts it. Durability is
// switched off: what a test needs of a crash is isobar's own. Close ends it and
// removes the folder.
func Start(ctx context.Context) (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin}
	if s.dir, err = os.MkdirTemp("", "isobar-postgres-"); err != nil {
		return nil, err
	}
	if err = s.initialise(ctx); err == nil {
		for range startTries {
			if s.port, err = freePort(ctx); err != nil {
				break
			}
			if err = s.Up(ctx); err == nil {
				return s, nil
			}
		}
	}
	s.Close()
	return nil, err
}

// find gives the folder of PostgreSQL's programs.
func find() (string, error) {
	if bin, err := exec.LookPath("initdb"); err == nil {
		if target, err := filepath.EvalSymlinks(bin); err == nil {
			bin = target
		}
		return filepath.Dir(bin), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // where Debian keeps them
	if err == nil && len(found) > 0 {
		slices.Sort(found)
		return filepath.Dir(found[len(found)-1]), nil
	}
	return "", errors.New("PostgreSQL is not installed; type: sudo apt-get install postgresql")
}

// initialise makes the cluster. PostgreSQL refuses to run as root: it then runs
// as an account that may do nothing.
func (s *Server) initialise(ctx context.Context) error {
	if os.Geteuid() == 0 {
		uid, gid, err := unprivileged()
		if err != nil {
			return err
		}
		s.as = &syscall.Credential{Uid: uid, Gid: gid}
		if err := os.Chown(s.dir, int(uid), int(gid)); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", "isobar", //nolint:gosec // found on PATH
		"--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func unprivileged() (uid, gid uint32, err error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, lerr := user.Lookup(name)
		if lerr != nil {
			err = errors.Join(err, lerr)
			continue
		}
		a, aerr := strconv.ParseUint(u.Uid, 10, 32)
		b, berr := strconv.ParseUint(u.Gid, 10, 32)
		if err = errors.Join(aerr, berr); err == nil {
			return uint32(a), uint32(b), nil
		}
	}
	return 0, 0, fmt.Errorf("PostgreSQL does not run as root, and there is no account to run it as: %w", err)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// URL is where clients reach it; "" for schema is the public one.
func (s *Server) URL(schema string) string {
	u := url.URL{Scheme: "postgres", User: url.User("isobar"), Host: "127.0.0.1:" + s.port, Path: "/postgres"}
	q := url.Values{"sslmode": {"disable"}}
	if schema != "" {
		q.Set("search_path", pgx.Identifier{schema}.Sanitize())
	}
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20") // libpq takes a plus for one
	return u.String()
}

// Up starts it, where it is down, and waits until it answers.
func (s *Server) Up(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return nil
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the child has its own
	//nolint:gosec // the script is ours, the program was found on PATH
	cmd := exec.Command("/bin/sh", "-c", supervise, "postgres", filepath.Join(s.bin, "postgres"), "-D", s.data(),
		"-p", s.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+s.dir,
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200",
		"-c", "shared_buffers=32MB")
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.as}
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	p := &process{cmd: cmd, stdin: stdin, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // its end is asked for, or shows below
	}()
	s.process = p
	return s.answers(ctx, p)
}

// answers waits until clients are served. s.mu is held.
func (s *Server) answers(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		c, err := pgx.Connect(ctx, s.URL(""))
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-p.done:
			s.process = nil
			return fmt.Errorf("PostgreSQL ended at once:\n%s", s.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w\n%s", err, s.lastWords())
		}
	}
}

func (s *Server) lastWords() string {
	b, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// Down ends it without a word to its clients, as a crash does: connections
// break, and what was committed is there again after Up.
func (s *Server) Down() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return
	}
	_ = s.process.stdin.Close()
	<-s.process.done
	s.process = nil
}

// Stop ends it as an administrator restarts it, PostgreSQL's fast shutdown:
// clients are told, what they had not committed is taken back.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGINT)
	}
	if err != nil {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	<-s.process.done
	_ = s.process.stdin.Close() // nobody reads it any more
	s.process = nil
	return nil
}

// Close ends it and removes its folder.
func (s *Server) Close() {
	s.Down()
	_ = os.RemoveAll(s.dir) // a folder that stays does no harm
}

// Schema makes an empty schema and gives its URL.
func (s *Server) Schema(ctx context.Context, name string) (string, error) {
	return s.URL(name), s.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{name}.Sanitize())
}

// Exec runs statements as the cluster's owner.
func (s *Server) Exec(ctx context.Context, text string) error {
	c, err := pgx.Connect(ctx, s.URL(""))
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, text)
	return errors.Join(err, c.Close(ctx))
}

// Ask gives a query's rows as text, in the form that psql shows; NULL is "".
func (s *Server) Ask(ctx context.Context, query string) ([][]string, error) {
	c, err := pgx.Connect(ctx, s.URL(""))
	if err != nil {
		return nil, err
	}
	all, err := c.PgConn().Exec(ctx, query).ReadAll()
	var out [][]string
	for _, one := range all {
		for _, row := range one.Rows {
			texts := make([]string, len(row))
			for i, v := range row {
				texts[i] = string(v)
			}
			out = append(out, texts)
		}
	}
	return out, errors.Join(err, c.Close(ctx))
}

func freePort(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	return port, l.Close()
}
