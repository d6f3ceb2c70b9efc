package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"isobar.dev/engine/lab/fault"
	"isobar.dev/engine/lab/gitd"
	"isobar.dev/engine/lab/moto"
	"isobar.dev/engine/lab/slack"
	"isobar.dev/engine/lab/vcsim"
	"isobar.dev/engine/web"
	"isobar.dev/examples"
)

// stage is the lab and the daemon.
type stage struct {
	dir    string
	spec   string // the environment as the story begins
	bin    string
	cloud  *moto.Server
	center *vcsim.Server
	proxy  *fault.Proxy // between isobar and the cloud: it counts calls
	git    *gitd.Server
	slack  *slack.Server
	repo   *gitd.Clone
	daemon *exec.Cmd
	ended  chan error
	log    *os.File
	client *web.Client
	close  []func()
}

const (
	region  = "eu-west-1"
	env     = "shop"
	channel = "C0LAB"
)

// set builds isobar and starts everything.
func (s *stage) set(ctx context.Context) error {
	began := time.Now()
	say("Setting the stage (all on loopback, all real programs):")
	s.bin = filepath.Join(s.dir, "isobar")
	build := exec.CommandContext(ctx, "go", "build", "-o", s.bin, "isobar.dev/cmd/isobar")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("isobar does not build: %w\n%s", err, out)
	}
	say("  isobar         built in %.1f s", time.Since(began).Seconds())
	// The peers outlive ctx: they are ended in order by strike, the daemon first.
	lab := context.WithoutCancel(ctx)
	var err error
	if s.cloud, err = moto.Start(lab, s.dir); err != nil {
		return err
	}
	s.onStrike(s.cloud.Close)
	if s.proxy, err = fault.Start(lab, s.cloud.URL()); err != nil {
		return err
	}
	s.onStrike(s.proxy.Close)
	say("  AWS            moto_server at %s", s.cloud.URL())
	if s.center, err = vcsim.Start(lab, s.dir); err != nil {
		return err
	}
	s.onStrike(s.center.Close)
	say("  vCenter        vcsim at %s", s.center.URL())
	if s.git, err = gitd.Start(lab); err != nil {
		return err
	}
	s.onStrike(func() { _ = s.git.Close() })
	if err := s.git.Create(ctx, "infra"); err != nil {
		return err
	}
	say("  Git            %s", s.git.Address("infra"))
	if s.slack, err = slack.Start(lab, slack.Options{}); err != nil {
		return err
	}
	s.onStrike(func() { _ = s.slack.Close() })
	say("  Slack          %s", s.slack.URL())
	if err := s.fit(); err != nil {
		return err
	}
	return s.firstCommit(ctx)
}

// fit makes the example one of this lab: its vCenter, its datastore and its
// network.
func (s *stage) fit() error {
	text, err := examples.Environment(env)
	if err != nil {
		return err
	}
	s.spec = strings.NewReplacer(
		`vsphere: url: "https://vcenter.example.com"`, `vsphere: {url: "`+s.center.URL()+`", insecure: true}`,
		`datastore: "datastore1"`, `datastore: "`+vcsim.Datastore+`"`,
		`network: "shop"`, `network: "`+vcsim.Portgroup+`"`,
	).Replace(text)
	return nil
}

// firstCommit makes the repository with isobar's own init.
func (s *stage) firstCommit(ctx context.Context) error {
	var err error
	if s.repo, err = gitd.NewClone(ctx, filepath.Join(s.dir, "infra"), s.git.Address("infra")); err != nil {
		return err
	}
	s.repo.Author, s.repo.Email = "mei", "mei@example.com"
	if out, err := s.isobar(ctx, "init", s.repo.Dir); err != nil {
		return fmt.Errorf("isobar init: %w\n%s", err, out)
	}
	return nil
}

// isobar runs the binary once.
func (s *stage) isobar(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.bin, args...)
	cmd.Env = slices.Concat(os.Environ(), s.cloud.Env(), s.center.Env())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// serve starts the real daemon and waits until it is ready.
func (s *stage) serve(ctx context.Context) error {
	var err error
	if s.log, err = os.Create(filepath.Join(s.dir, "isobar.log")); err != nil {
		return err
	}
	s.daemon = exec.Command(s.bin, "serve", "--repo", s.git.Address("infra"), "--store", "sqlite:"+s.store(),
		"--listen", "127.0.0.1:0", "--slack-channel", channel, "--poll", "500ms", "--interval", "3s", "--backoff", "1s")
	s.daemon.Env = slices.Concat(os.Environ(), s.cloud.Env(), s.center.Env())
	s.daemon.Env = append(s.daemon.Env, "AWS_ENDPOINT_URL="+s.proxy.URL(),
		"ISOBAR_SLACK_TOKEN="+slack.DefaultToken, "ISOBAR_SLACK_API_URL="+s.slack.URL())
	s.daemon.Stderr, s.daemon.Stdout = s.log, s.log
	s.daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches it through strike, in order
	if err := s.daemon.Start(); err != nil {
		return err
	}
	s.ended = make(chan error, 1)
	go func() { s.ended <- s.daemon.Wait() }()
	s.onStrike(s.stopDaemon)
	s.client = web.NewClient(s.store() + ".sock")
	err = s.until(ctx, 20*time.Second, "the daemon is ready", func(ctx context.Context) error {
		_, err := s.client.Environments(ctx)
		return err
	})
	if err != nil {
		return err
	}
	say("  isobar serve   pid %d, %s", s.daemon.Process.Pid, "control socket beside its store")
	return nil
}

// store is the daemon's store.
func (s *stage) store() string { return filepath.Join(s.dir, "isobar.db") }

// stopDaemon drains the daemon; one that does not end in time is killed.
func (s *stage) stopDaemon() {
	if err := s.daemon.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		say("  the daemon could not be told to stop: %v", err)
	}
	var ended error
	select {
	case ended = <-s.ended:
	case <-time.After(15 * time.Second):
		if err := syscall.Kill(-s.daemon.Process.Pid, syscall.SIGKILL); err != nil {
			say("  the daemon could not be ended: %v", err)
			return
		}
		ended = <-s.ended
	}
	if ended != nil {
		say("  the daemon did not end well: %v\n%s", ended, s.logTail())
	}
	if err := s.log.Close(); err != nil {
		say("  the daemon's log: %v", err)
	}
}

func (s *stage) onStrike(f func()) { s.close = append(s.close, f) }

// strike ends everything, the last first.
func (s *stage) strike() {
	for i := len(s.close) - 1; i >= 0; i-- {
		s.close[i]()
	}
	s.close = nil
	http.DefaultClient.CloseIdleConnections()
}

// until asks again and again until check holds, or says why it never did.
func (s *stage) until(ctx context.Context, limit time.Duration, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		if last = check(ctx); last == nil {
			return nil
		}
		select {
		case <-tick.C:
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("the daemon ended: %w\n%s", err, s.logTail())
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return fmt.Errorf("waited %s for this: %s: %w\n%s", limit, what, last, s.logTail())
		}
	}
}

// logTail is the end of the daemon's log.
func (s *stage) logTail() string {
	if s.log == nil {
		return ""
	}
	f, err := os.Open(s.log.Name())
	if err != nil {
		return ""
	}
	defer f.Close() //nolint:errcheck // read only
	data, _ := io.ReadAll(f)
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	if len(lines) > 12 {
		lines = lines[len(lines)-12:]
	}
	return string(bytes.Join(lines, []byte("\n")))
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// printTranscript shows what Slack received.
func (s *stage) printTranscript() {
	say("\nWhat Slack received:\n")
	for line := range strings.Lines(s.slack.Transcript()) {
		fmt.Print("  " + line)
	}
}

// invite says what to try while everything stays up.
func (s *stage) invite() {
	say(`
Everything stays up until Ctrl-C. Try:
  cd %s
  $EDITOR environments/%s/%s.cue && git commit -am "change" && git push
  %s status --store sqlite:%s
  %s runs   --store sqlite:%s
  tail -f %s`, s.repo.Dir, env, env, s.bin, s.store(), s.bin, s.store(), s.log.Name())
}
