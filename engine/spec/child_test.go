package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// start runs a child on its own, with stdin in the test's hands.
func start(t *testing.T) (*exec.Cmd, func(...[]byte), func() int) {
	t.Helper()
	l := newLoader(t, Limits{})
	cmd := exec.CommandContext(t.Context(), l.command[0], l.command[1:]...)
	cmd.Env = l.env
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	send := func(frames ...[]byte) {
		for _, f := range frames {
			if err := writeFrame(stdin, f); err != nil {
				t.Fatal(err)
			}
		}
	}
	end := func() int {
		if err := stdin.Close(); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode()
	}
	return cmd, send, end
}

func TestChildRefusesNonsense(t *testing.T) {
	t.Parallel()
	good, err := json.Marshal(job{Limits: DefaultLimits()})
	if err != nil {
		t.Fatal(err)
	}
	for name, frames := range map[string][][]byte{
		"nothing": nil, "no JSON": {[]byte("{")}, "no files": {good}, "no zip": {good, []byte("PK")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, send, end := start(t)
			send(frames...)
			if got := end(); got != exitJob {
				t.Errorf("exit code %d, want %d", got, exitJob)
			}
		})
	}
}

// TestChildEndsWithItsParent closes stdin while the child still evaluates.
func TestChildEndsWithItsParent(t *testing.T) {
	t.Parallel()
	src := "package prod\nimport \"list\"\nname: \"prod\"\n_l: [for x in list.Range(0, 50000000, 1) {x}]\nmode: \"\\(len(_l))\"\n"
	body, err := pack(map[string][]byte{
		"environments/prod/prod.cue": []byte(src),
		moduleFile:                   []byte("module: \"a.example/b@v0\"\nlanguage: version: \"v0.17.0\"\ndeps: \"isobar.dev/schemas@v0\": v: \"v0.1.0\"\n"),
		localFile:                    []byte(localModule),
	})
	if err != nil {
		t.Fatal(err)
	}
	files, err := schemaFiles()
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	limits := DefaultLimits()
	limits.HeapBytes = 2 << 30
	limits.SpaceBytes = 16 << 30
	head, err := json.Marshal(job{Env: "prod", Dir: "environments/prod", Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	_, send, end := start(t)
	send(head, body)
	if got := end(); got != exitOrphan {
		t.Errorf("exit code %d, want %d", got, exitOrphan)
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := writeFrame(&b, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	got, err := readFrame(&b, maxFrame)
	if err != nil || string(got) != "abc" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"", "1234567", "\x00\x00\x00\x00\x00\x00\x00\x05abc", "\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if _, err := readFrame(strings.NewReader(bad), maxFrame); err == nil {
			t.Errorf("%q is read as a frame", bad)
		}
	}
}

// TestChildrenAreKept: a child does one job after another, so many at most, and one
// that is gone meanwhile is made up for.
func TestChildrenAreKept(t *testing.T) {
	t.Parallel()
	l := newLoader(t, Limits{})
	l.jobs, l.linger = 4, time.Hour
	ended := 0
	l.used = func(Usage) { ended++ }
	tree := repo(map[string]string{"prod": good})
	evaluate := func(times int) {
		t.Helper()
		for range times {
			if env, err := l.Environment(t.Context(), tree, "prod"); err != nil || len(env.Desired) == 0 {
				t.Fatalf("%d resources, %v", len(env.Desired), err)
			}
		}
	}
	evaluate(2) // and isobar.cue
	l.mu.Lock()
	if ended != 0 || len(l.idle) != 1 || l.idle[0].jobs != 3 {
		t.Fatalf("%d children ended, idle are %d", ended, len(l.idle))
	}
	l.mu.Unlock()
	evaluate(1)
	if ended != 1 || len(l.idle) != 0 {
		t.Fatalf("%d children ended, idle are %d", ended, len(l.idle))
	}
	evaluate(1)
	kill(l.idle[0].cmd)
	evaluate(1)
	if ended != 2 {
		t.Errorf("%d children ended", ended)
	}
	if c := l.rested(); c == nil || l.dismiss(c) != nil || ended != 3 {
		t.Errorf("a child that has nothing to do does not end well")
	}
}
