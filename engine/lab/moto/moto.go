// Package moto starts moto_server, an emulator of the AWS API, on a loopback
// port, for tests and the demo.
//
// It owns the child process and nothing more: it must not be imported by the
// daemon, nor know isobar's kinds. Its world is shared by everyone who talks to
// one server: keep apart by region and by estate, and never reset it. Lab.
package moto

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Version is the release that the tests were written against.
const Version = "5.2.1"

// Account is the account id that every caller has on a moto server (its
// documentation's default).
const Account = "123456789012"

const (
	startTries   = 4                // another program may take the port between the choice and the bind
	startTimeout = 60 * time.Second // a cold Python on a loaded machine takes several seconds
	pollEvery    = 25 * time.Millisecond
)

// supervise runs its arguments as a child and ends it when stdin reaches its
// end, so that nothing is left behind by a parent that was killed.
const supervise = `exec 3<&0
"$@" </dev/null 3<&- &
p=$!
{ cat <&3 >/dev/null; kill -9 "$p"; } 2>/dev/null &
w=$!
wait "$p"; rc=$?
kill "$w" 2>/dev/null
exit "$rc"`

// Server is a running moto_server. Its methods are safe for concurrent use.
type Server struct {
	url     string
	dir     string
	account string // that EC2 and S3 ask in; "" is moto's own
	cancel  context.CancelFunc
	done    chan struct{} // closed once the process has ended
}

// Start runs a moto_server on a free loopback port and waits until it answers.
// Its log and, where it must be installed first, a Python environment go to
// dir. It ends with ctx or by Close, whichever comes first.
func Start(ctx context.Context, dir string) (*Server, error) {
	bin, err := find(ctx, dir)
	if err != nil {
		return nil, err
	}
	for range startTries {
		var s *Server
		if s, err = start(ctx, bin, dir); err == nil {
			return s, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, err
}

// URL is the server's address, "http://127.0.0.1:PORT".
func (s *Server) URL() string { return s.url }

// AccountHeader names the account that a request is for; moto has as many as are
// named, each with regions of its own.
const AccountHeader = "X-Moto-Account-Id"

// In is the same server as somebody in another account sees it, "100000000001".
func (s *Server) In(account string) *Server {
	in := *s
	in.account = account
	return &in
}

// Env gives the standard variables with which any AWS SDK or tool talks to the
// server and to nothing else: no profile of the user is read.
func (s *Server) Env() []string {
	none := filepath.Join(s.dir, "none")
	return []string{
		"AWS_ENDPOINT_URL=" + s.url,
		"AWS_ACCESS_KEY_ID=isobar-lab",
		"AWS_SECRET_ACCESS_KEY=isobar-lab",
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + none,
		"AWS_SHARED_CREDENTIALS_FILE=" + none,
	}
}

// Close ends the server and waits until it is gone.
func (s *Server) Close() {
	s.cancel()
	<-s.done
}

// find gives the moto_server on PATH, else installs one below dir.
func find(ctx context.Context, dir string) (string, error) {
	if bin, err := exec.LookPath("moto_server"); err == nil {
		return bin, nil
	}
	want := "moto[server]==" + Version
	hint := fmt.Sprintf("moto_server is not on PATH; type: pip install '%s'", want)
	python, err := exec.LookPath("python3")
	if err != nil {
		return "", errors.New(hint)
	}
	venv := filepath.Join(dir, "venv")
	bin := filepath.Join(venv, "bin", "moto_server")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	for _, args := range [][]string{
		{python, "-m", "venv", venv},
		{filepath.Join(venv, "bin", "pip"), "install", "--quiet", want},
	} {
		//nolint:gosec // fixed programs with a path of the caller's
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s (tried to install it: %s: %w)", hint, lastLine(out), err)
		}
	}
	return bin, nil
}

func start(ctx context.Context, bin, dir string) (*Server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	//nolint:gosec // the folder is the caller's choice
	log, err := os.OpenFile(filepath.Join(dir, "moto-"+port+".log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	run, cancel := context.WithCancel(ctx)
	//nolint:gosec // the script is ours, bin is found on PATH
	cmd := exec.CommandContext(run, "/bin/sh", "-c", supervise, "moto", bin, "-H", "127.0.0.1", "-p", port)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	//nolint:forbidigo // the child inherits what this process has
	cmd.Env = append(os.Environ(), "MOTO_ENABLE_AMI_VALIDATION=1", "MOTO_ENABLE_KEYPAIR_VALIDATION=1",
		"MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION=1",
		"MOTO_IAM_LOAD_MANAGED_POLICIES=true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	stdin, err := cmd.StdinPipe() // never written: its end is the sign to stop
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("start %s: %w", bin, err), log.Close())
	}
	s := &Server{url: "http://127.0.0.1:" + port, dir: dir, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		_ = cmd.Wait() // a killed server is no news; an early end shows in ready
		_ = stdin.Close()
		_ = log.Close()
	}()
	if err := s.ready(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("%w; its log is %s", err, log.Name())
	}
	return s, nil
}

// ready waits until the server answers.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if answers(ctx, client, s.url+"/moto-api/") {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("moto_server did not answer on %s: %w", s.url, ctx.Err())
		case <-s.done:
			return fmt.Errorf("moto_server ended before it answered on %s", s.url)
		case <-tick.C:
		}
	}
}

func answers(ctx context.Context, client *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func freePort(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
