package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The benchmarks of this package run the program as it is shipped, without the
// race detector and in a process of its own, and count what a run costs: the
// requests that reach the peer, CPU seconds of the program and its children,
// and the peak of the memory that they hold at once. Wall time on a shared
// machine says little and is not kept.

// shipped builds isobar as make binary does.
func shipped(b testing.TB) string {
	b.Helper()
	bin := filepath.Join(b.TempDir(), "isobar")
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// cost is what one run took.
type cost struct {
	cpu  time.Duration
	peak int64 // bytes resident at once, over all its processes
	code int
	out  []byte
}

// measured runs a command and takes its cost. Peak memory is the largest sum of
// its processes' proportional sets that was seen, looked at every few
// milliseconds: a page that several share counts once (proc_pid_smaps(5)).
// Where the kernel has none, it is the largest process's resident set.
func measured(b *testing.B, env []string, dir, name string, args ...string) cost {
	b.Helper()
	c := exec.CommandContext(b.Context(), name, args...)
	var out bytes.Buffer
	c.Dir, c.Env, c.Stdout, c.Stderr = dir, append(os.Environ(), env...), &out, &out
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	var peak atomic.Int64
	done := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				peak.Store(max(peak.Load(), proportional(c.Process.Pid)))
			}
		}
	}()
	_ = c.Wait() // the exit code says it
	close(done)
	<-watched
	p := c.ProcessState
	most := peak.Load()
	if u, ok := p.SysUsage().(*syscall.Rusage); ok && most == 0 {
		most = u.Maxrss * 1024
	}
	return cost{cpu: p.UserTime() + p.SystemTime(), peak: most, code: p.ExitCode(), out: out.Bytes()}
}

// startStack is the place of a process's first address of its stack in its stat,
// counted from its state: proc_pid_stat(5).
const startStack = 25

// proportional sums the proportional sets of a session's processes, in bytes; 0
// where the kernel tells none. Between fork and exec a child is on its parent's
// own memory, down to the stack, and counts with it.
func proportional(session int) int64 {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0
	}
	var sum int64
	stacks := map[string]bool{} // where they begin: at random, so that no two memories share it
	for _, name := range stats {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		// The name of the program stands in brackets and may hold anything: proc(5).
		_, rest, ok := bytes.Cut(data, []byte(") "))
		f := strings.Fields(string(rest))
		if !ok || len(f) <= startStack || f[3] != strconv.Itoa(session) || stacks[f[startStack]] {
			continue
		}
		stacks[f[startStack]] = true
		maps, err := os.ReadFile(filepath.Join(filepath.Dir(name), "smaps_rollup"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(maps)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
				kb, _ := strconv.ParseInt(f[1], 10, 64)
				sum += kb * 1024
			}
		}
	}
	return sum
}

// median runs once for each iteration and reports the medians of what it cost.
// requests tells how many reached the peer since the last question.
func median(b *testing.B, run func() cost, requests func() int) {
	b.Helper()
	var cpu, peak, asked []float64
	for b.Loop() {
		requests()
		c := run()
		if c.code != exitOK {
			b.Fatalf("exit code %d, want %d: no change\n%s", c.code, exitOK, c.out)
		}
		cpu, peak, asked = append(cpu, c.cpu.Seconds()), append(peak, float64(c.peak)/1e6), append(asked, float64(requests()))
	}
	mid := func(v []float64) float64 { slices.Sort(v); return v[len(v)/2] }
	b.ReportMetric(mid(asked), "requests")
	b.ReportMetric(mid(cpu), "cpu-s")
	b.ReportMetric(mid(peak), "peak-MB")
	b.ReportMetric(0, "ns/op") // wall time on a shared machine says little
}

// must runs a command that has to succeed.
func must(b *testing.B, env []string, dir, name string, args ...string) []byte {
	b.Helper()
	c := measured(b, env, dir, name, args...)
	if c.code != 0 {
		b.Fatalf("%s %s: exit code %d\n%s", filepath.Base(name), strings.Join(args, " "), c.code, c.out)
	}
	return c.out
}

// newBenchRepo makes a repository with one environment, bench.
func newBenchRepo(b *testing.B, bin string, env []string, text string) string {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "repo")
	must(b, env, "", bin, "init", dir)
	for _, err := range []error{
		os.RemoveAll(filepath.Join(dir, "environments", "dev")),
		os.RemoveAll(filepath.Join(dir, "policies")),
		os.MkdirAll(filepath.Join(dir, "environments", "bench"), 0o700),
		os.WriteFile(filepath.Join(dir, "environments", "bench", "bench.cue"), []byte(text), 0o600),
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// lines writes one formatted line for each number below n.
func lines(w *strings.Builder, n int, format string, args func(i int) []any) {
	for i := range n {
		fmt.Fprintf(w, format+"\n", args(i)...)
	}
}
