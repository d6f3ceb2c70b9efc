package store_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/store"
)

// envRole makes the test binary play a second process: "hold" opens the store
// and waits, "write" appends for ever and says what was acknowledged.
const envRole, envPath = "ISOBAR_STORE_TEST_ROLE", "ISOBAR_STORE_TEST_PATH"

func TestMain(m *testing.M) {
	if role := os.Getenv(envRole); role != "" {
		if err := play(role, os.Getenv(envPath)); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// database/sql keeps its opener until Close, so a leak is a store left open.
	goleak.VerifyTestMain(after{m})
}

// after ends the PostgreSQL server that tests started.
type after struct{ m *testing.M }

func (a after) Run() int {
	code := a.m.Run()
	if server != nil {
		server.Close()
	}
	return code
}

func play(role, path string) error {
	s, err := store.Open(contextOf(), path, time.UnixMilli(1_800_000_000_000))
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	fmt.Println("open")
	if role == "hold" {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		return nil
	}
	state, err := s.State(contextOf(), "prod")
	if err != nil {
		return err
	}
	for seq := state.Seq; ; seq += 2 {
		token := fmt.Sprintf("t%d", seq)
		if _, err := s.Append(contextOf(), "prod", seq, 0, made("main", token)); err != nil {
			return err
		}
		fmt.Println("acknowledged", seq+2)
	}
}

// second starts the test binary in a role and gives its output, line by line.
func second(t *testing.T, role, path string) (*exec.Cmd, *bufio.Scanner, func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envRole+"="+role, envPath+"="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "open" {
		t.Fatalf("the second process says %q", lines.Text())
	}
	return cmd, lines, func() { _ = in.Close() }
}

func TestSecondProcessIsToldWhoHoldsTheStore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	cmd, _, letGo := second(t, "hold", path)
	_, err := store.Open(t.Context(), path, time.UnixMilli(0))
	if !errors.Is(err, store.ErrLocked) {
		t.Fatalf("got %v", err)
	}
	host, herr := os.Hostname()
	if herr != nil {
		t.Fatal(herr)
	}
	for _, want := range []string{fmt.Sprintf("process %d on %s", cmd.Process.Pid, host), "since 2027-01-15T08:00:00Z"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	f, ok := store.Finding(err)
	if !ok || f.Code != "STORE-601" || f.Mend == "" {
		t.Errorf("finding %+v", f)
	}
	letGo()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	openFile(t, path)
}

func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	for round := range 3 {
		cmd, lines, _ := second(t, "write", path)
		var acknowledged int64
		for i := 0; lines.Scan(); i++ {
			if _, err := fmt.Sscanf(lines.Text(), "acknowledged %d", &acknowledged); err != nil {
				t.Fatalf("the writer says %q", lines.Text())
			}
			if i == 10+7*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
		s := openFile(t, path)
		checkWhole(t, s, "prod", acknowledged)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// checkWhole fails unless the store holds at least the events up to seq, and
// all that it holds fits together.
func checkWhole(t *testing.T, s store.Store, env string, seq int64) {
	t.Helper()
	evs, err := s.Events(t.Context(), env, 0)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(evs)) < seq {
		t.Fatalf("%d events, %d were acknowledged", len(evs), seq)
	}
	want, err := ledger.Fold(evs)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.State(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	sameState(t, got, want)
	if _, err := s.VerifyAudit(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
}
