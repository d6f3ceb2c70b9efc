package spec

import (
	"cmp"
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"
)

// lingering is how long a child waits for another job: starting one costs several
// times what evaluating a small environment does.
const lingering = time.Second

// child is a process that evaluates, one job at a time.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  io.Reader
	jobs int         // done so far
	home *time.Timer // ends it; nil while it is at work
}

// start starts a child.
func (l *Loader) start() (*child, error) {
	cmd := exec.Command(l.command[0], l.command[1:]...) //nolint:gosec,noctx // this very program, which outlives the call that starts it
	cmd.Env = l.env
	cmd.Dir = os.TempDir()
	isolate(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &child{cmd: cmd, in: in, out: out}, nil
}

// rested gives a child that has nothing to do, or nil.
func (l *Loader) rested() *child {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.idle) == 0 {
		return nil
	}
	c := l.idle[len(l.idle)-1]
	l.idle = l.idle[:len(l.idle)-1]
	c.home.Stop() // where that is too late, it is not found among the idle
	return c
}

// rest keeps a child for the next job, for a while.
func (l *Loader) rest(c *child) {
	c.jobs++
	if c.jobs >= l.jobs {
		_ = l.dismiss(c)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle = append(l.idle, c)
	c.home = time.AfterFunc(l.linger, func() {
		l.mu.Lock()
		at := slices.Index(l.idle, c)
		if at >= 0 {
			l.idle = slices.Delete(l.idle, at, at+1)
		}
		l.mu.Unlock()
		if at >= 0 {
			_ = l.dismiss(c)
		}
	})
}

// dismiss lets a child end, and gives what its end was like.
func (l *Loader) dismiss(c *child) error {
	_ = c.in.Close()
	err := c.cmd.Wait()
	l.observe(c.cmd)
	return err
}

// ask has a child do a job. It is kept for the next one where it gave an answer,
// else it has ended, and the error is that of its end.
func (l *Loader) ask(ctx context.Context, c *child, head, body []byte) ([]byte, error) {
	timed, cancel := context.WithTimeout(ctx, l.limits.Wall)
	defer cancel()
	killed := make(chan struct{})
	stop := context.AfterFunc(timed, func() {
		defer close(killed)
		kill(c.cmd)
	})
	out, err := c.answer(head, body, l.limits.OutputBytes)
	if !stop() {
		<-killed
		_ = l.dismiss(c)
		return nil, timed.Err()
	}
	if err != nil {
		kill(c.cmd)
		return nil, cmp.Or(l.dismiss(c), err)
	}
	l.rest(c)
	return out, nil
}

// answer feeds a child with a job and takes its answer.
func (c *child) answer(head, body []byte, most int64) ([]byte, error) {
	if writeFrame(c.in, head) == nil {
		_ = writeFrame(c.in, body) // a child that is gone says why by its exit code
	}
	return readFrame(c.out, most)
}
