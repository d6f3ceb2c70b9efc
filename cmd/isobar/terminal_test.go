package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"isobar.dev/engine/lab/moto"
	"isobar.dev/engine/spec"
)

// pty opens a pseudo-terminal of 100 columns, see pts(4).
func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100}); err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// screen is what a command has written to its terminal.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// onTerminal runs isobar on a terminal, answers what it asks and gives what
// was on the screen, with the exit code.
func onTerminal(t *testing.T, env []string, question, answer string, args ...string) (string, int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	master, slave := pty(t)
	cmd := &exec.Cmd{
		Path: exe, Args: append([]string{"isobar"}, args...), Env: env, Stdin: slave, Stdout: slave, Stderr: slave,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true},
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := slave.Close(); err != nil {
		t.Fatal(err)
	}
	var seen screen
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&seen, master) // it ends with an error when the other side is closed
	}()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(seen.String(), question) {
		select {
		case <-tick.C:
		case <-deadline.C:
			_ = cmd.Process.Kill()
			t.Fatalf("it never asked %q:\n%s", question, seen.String())
		}
	}
	if _, err := master.WriteString(answer + "\n"); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its exit code says what there is to say
	<-read
	_ = master.Close()
	return seen.String(), cmd.ProcessState.ExitCode()
}

// testTerminal has a person confirm, decline and destroy.
func testTerminal(t *testing.T, cloud *moto.Server) {
	dir := t.TempDir()
	if _, err := spec.Init(dir, strings.NewReader("terminal terminal terminal")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "policies")); err != nil {
		t.Fatal(err)
	}
	made, err := cloud.EC2(t.Context(), "eu-west-1", "CreateVpc", map[string]string{"CidrBlock": "10.0.0.0/16"})
	if err != nil {
		t.Fatal(err)
	}
	vpc := made.Get("vpc", "vpcId")
	env := append(cloud.Env(), "HOME="+dir, "TERM=xterm", "SCRIPT_RAW=1", "GORACE="+os.Getenv("GORACE"))

	for _, c := range []struct {
		question, answer string
		args             []string
		code             int
		want             []string
		not              string
	}{
		{"apply 3 changes to dev? y/N ", "n", []string{"apply"}, exitError, []string{"declined: nothing was applied", "\x1b[1mdev"}, "applied 3 changes"},
		{"apply 3 changes to dev? y/N ", "", []string{"apply"}, exitError, []string{"declined"}, "applied 3 changes"},
		{"apply 3 changes to dev? y/N ", "Yes", []string{"apply"}, exitOK, []string{"applied 3 changes", "/7\r\n", "\x1b[J"}, "declined"},
		{"type the environment's name: ", "prod", []string{"destroy", "dev"}, exitError, []string{"nothing was deleted"}, "deleted ("},
		{"type the environment's name: ", "dev", []string{"destroy", "dev"}, exitOK, []string{"deletes 3 objects", "deleted ("}, "nothing was deleted"},
		{"adopt 1 object into dev? y/N ", "n", []string{"import", "dev", "aws.vpc/main", vpc}, exitError, []string{"declined: nothing was adopted"}, "adopted 1"},
		{"adopt 1 object into dev? y/N ", "y", []string{"import", "dev", "aws.vpc/main", vpc}, exitOK, []string{"adopted 1 object", "the next apply changes aws.vpc/main"}, "declined"},
	} {
		seen, code := onTerminal(t, env, c.question, c.answer, append([]string{"-C", dir}, c.args...)...)
		if code != c.code {
			t.Fatalf("%v answered %q ends with %d, want %d:\n%s", c.args, c.answer, code, c.code, seen)
		}
		for _, want := range c.want {
			if !strings.Contains(seen, want) {
				t.Errorf("%v answered %q does not show %q:\n%q", c.args, c.answer, want, seen)
			}
		}
		if strings.Contains(seen, c.not) {
			t.Errorf("%v answered %q shows %q:\n%s", c.args, c.answer, c.not, seen)
		}
	}

	// NO_COLOR is honoured
	seen, _ := onTerminal(t, append(env, "NO_COLOR=1"), "y/N ", "n", "-C", dir, "apply")
	if strings.Contains(seen, "\x1b[1m") || strings.Contains(seen, "\x1b[3") {
		t.Errorf("colours in spite of NO_COLOR:\n%q", seen)
	}
	// and so is a terminal that knows no control codes
	seen, code := onTerminal(t, append(env, "TERM=dumb"), "y/N ", "y", "-C", dir, "apply")
	if code != exitOK || strings.Contains(seen, "\x1b") {
		t.Errorf("ends with %d, and with control codes on a dumb terminal:\n%q", code, seen)
	}
}
