package spec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"isobar.dev/engine/diag"
)

// run evaluates a job over files in a child process: killed by its limits,
// without environment variables but those of the loader's options, fed through
// a pipe. What the child's limits stop comes back as findings; one that did other
// jobs before may have been near them for those, so a fresh one tries again.
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
	c := l.rested()
	for {
		fresh := c == nil
		if fresh {
			if c, err = l.start(); err != nil {
				return outcome{}, fmt.Errorf("the evaluation cannot be started: %w", err)
			}
		}
		out, err := l.ask(ctx, c, head, body)
		switch {
		case ctx.Err() != nil:
			return outcome{}, ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			return outcome{Findings: diag.List{l.stopped(j, codeTime, "evaluation took longer than "+l.limits.Wall.String())}}, nil
		case err != nil && fresh:
			return l.exited(j, err)
		case err != nil:
			c = nil
			continue
		}
		var o outcome
		if err := json.Unmarshal(out, &o); err != nil {
			return outcome{}, fmt.Errorf("the evaluation's answer cannot be read: %w", err)
		}
		return o, nil
	}
}

// exited explains a child that gave no answer.
func (l *Loader) exited(j job, err error) (outcome, error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return outcome{}, fmt.Errorf("the evaluation's answer cannot be read: %w", err)
	}
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

// Usage is what the evaluations of one child cost.
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
