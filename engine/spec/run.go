package spec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"isobar.dev/engine/diag"
)

// run evaluates a job over files in a child process: killed by its limits,
// without environment variables but those of the loader's options, fed through
// a pipe. What the child's limits stop comes back as findings.
func (l *Loader) run(ctx context.Context, j job, files map[string][]byte) (outcome, error) {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	}
	j.Limits = l.limits
	head, err := json.Marshal(j)
	if err != nil {
		return outcome{}, err
	}
	body, err := pack(files)
	if err != nil {
		return outcome{}, err
	}
	timed, cancel := context.WithTimeout(ctx, l.limits.Wall)
	defer cancel()
	//nolint:gosec // the command is this very program
	cmd := exec.CommandContext(timed, l.command[0], l.command[1:]...)
	cmd.Env = l.env
	cmd.Dir = os.TempDir()
	isolate(cmd)
	out, err := talk(cmd, head, body, l.limits.OutputBytes)
	switch {
	case ctx.Err() != nil:
		return outcome{}, ctx.Err()
	case timed.Err() != nil:
		return outcome{Findings: diag.List{l.stopped(j, codeTime, "evaluation took longer than "+l.limits.Wall.String())}}, nil
	case err != nil:
		return l.exited(j, cmd, err)
	}
	l.observe(cmd)
	var o outcome
	if err := json.Unmarshal(out, &o); err != nil {
		return outcome{}, fmt.Errorf("the evaluation's answer cannot be read: %w", err)
	}
	return o, nil
}

// talk starts the child, feeds it and takes its answer. stdin stays open until
// then: the child ends itself when it closes.
func talk(cmd *exec.Cmd, head, body []byte, limit int64) ([]byte, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		if writeFrame(stdin, head) == nil {
			_ = writeFrame(stdin, body) // a child that is gone says why by its exit code
		}
	}()
	out, readErr := io.ReadAll(io.LimitReader(stdout, limit+1))
	if int64(len(out)) > limit {
		_ = cmd.Cancel()
	}
	<-fed
	_ = stdin.Close()
	if err := cmd.Wait(); err != nil {
		return nil, err
	}
	return out, readErr
}

// exited explains a child that gave no answer.
func (l *Loader) exited(j job, cmd *exec.Cmd, err error) (outcome, error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return outcome{}, fmt.Errorf("the evaluation cannot be started: %w", err)
	}
	l.observe(cmd)
	used := exit.UserTime() + exit.SystemTime()
	status, _ := exit.Sys().(syscall.WaitStatus)
	tooBig := "evaluation needed more than " + sizeText(int64(l.limits.HeapBytes)) + " of memory"
	tooSlow := "evaluation used more than " + l.limits.CPU.String() + " of processor time"
	var f diag.Finding
	switch code := exit.ExitCode(); {
	case code == exitHeap:
		f = l.stopped(j, codeMemory, tooBig)
	case code == exitCPU, status.Signaled() && used >= l.limits.CPU:
		f = l.stopped(j, codeTime, tooSlow)
	case code == exitOutput:
		f = l.stopped(j, codeSize, "evaluation gave more than "+sizeText(l.limits.OutputBytes))
	case code == exitOrphan, code == exitJob:
		return outcome{}, fmt.Errorf("the evaluation's process could not do its work (exit code %d)", code)
	case maxRSS(exit) > l.limits.HeapBytes*3/4:
		f = l.stopped(j, codeMemory, tooBig) // by the kernel, or the runtime at its address space's end
	default:
		f = l.stopped(j, codeCrash, "evaluation broke down")
	}
	return outcome{Findings: diag.List{f}}, nil
}

func (l *Loader) stopped(j job, code diag.Code, message string) diag.Finding {
	mend := map[diag.Code]string{
		codeMemory: "look for a list, text or comprehension that grows without need",
		codeTime:   "look for comprehensions within comprehensions, or definitions that refer to themselves",
		codeSize:   "look for a list or text that is larger than meant, or split the environment",
		codeCrash:  "look for very deep nesting; take out half of the files to find the part that does it",
	}
	file := j.Dir
	switch {
	case j.Server:
		file = serverFile
	case j.Env == "":
		file = estateFile
	}
	return diag.Finding{Code: code, Severity: diag.Error, Where: diag.Place{File: file}, Message: message, Mend: mend[code]}
}

// Usage is what one evaluation cost.
type Usage struct {
	CPU      time.Duration // user and system time of the child
	MaxBytes uint64        // its largest resident set
}

func (l *Loader) observe(cmd *exec.Cmd) {
	if l.used != nil && cmd.ProcessState != nil {
		l.used(Usage{CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), MaxBytes: rssOf(cmd.ProcessState)})
	}
}

func maxRSS(e *exec.ExitError) uint64 { return rssOf(e.ProcessState) }

func sizeText(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
