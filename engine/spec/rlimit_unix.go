//go:build unix

package spec

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// fence sets the kernel's limits on this process: the address space, and the
// processor time, soft = hard because the Go runtime ignores SIGXCPU.
func fence(l Limits) error {
	seconds := uint64((l.CPU + 2*time.Second - 1) / time.Second) // beyond the watchdog's, which explains itself
	if err := syscall.Setrlimit(syscall.RLIMIT_CPU, &syscall.Rlimit{Cur: seconds, Max: seconds}); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return err
	}
	return syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: l.SpaceBytes, Max: l.SpaceBytes})
}

// cpuUsed is the processor time of this process so far.
func cpuUsed() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// isolate puts the child into a process group of its own, which kill ends.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// kill ends a child that nobody has waited for yet, with its group.
func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // it may be gone

// rssOf is the largest resident set that an ended process had, in bytes:
// ru_maxrss counts KiB on Linux and the BSDs (getrusage(2)), bytes on macOS.
func rssOf(s *os.ProcessState) uint64 {
	u, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return uint64(u.Maxrss)
	}
	return uint64(u.Maxrss) << 10
}
