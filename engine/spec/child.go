package spec

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// ChildWord is the argument with which a binary is re-executed as a child:
// its main (or TestMain) returns Child(os.Stdin, os.Stdout) when it is os.Args[1].
const ChildWord = "spec-child"

// Child evaluates jobs, one after another as they come on stdin, within the limits
// of the first, which hold for all of them together, and writes the answers to
// stdout. It returns the process's exit code once stdin ends, and ends the process
// itself when a limit is reached or stdin ends while it is at work.
func Child(stdin io.Reader, stdout io.Writer) int {
	var c feed
	tasks := make(chan task)
	go c.read(stdin, tasks)
	for t := range tasks {
		if code := c.answer(t, stdout); code != exitOK {
			return code
		}
	}
	return c.code
}

// task is a job with what it is to be done over.
type task struct {
	job   job
	files *zip.Reader
}

// feed brings a child its jobs.
type feed struct {
	busy atomic.Bool // a job is being done
	code int         // what the process ends with, once there is nothing more to do
}

// read gives the jobs as they come, and ends the process when the parent is gone
// meanwhile: it holds stdin open until it has the answer.
func (c *feed) read(stdin io.Reader, tasks chan<- task) {
	defer close(tasks)
	for first := true; ; first = false {
		t, err := next(stdin, first)
		switch {
		case err != nil && c.busy.Load():
			os.Exit(exitOrphan)
		case errors.Is(err, io.EOF) && !first:
			return
		case err != nil:
			c.code = exitJob
			return
		}
		c.busy.Store(true)
		tasks <- t
	}
}

// next reads a job. The first one's limits are set before its files are read.
func next(stdin io.Reader, first bool) (t task, err error) {
	head, err := readFrame(stdin, maxFrame)
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(head, &t.job); err != nil {
		return t, err
	}
	if first {
		if err := fence(t.job.Limits); err != nil {
			return t, err
		}
		go watch(t.job.Limits)
	}
	body, err := readFrame(stdin, maxFrame)
	if err != nil {
		return t, errors.Join(io.ErrUnexpectedEOF, err)
	}
	t.files, err = zip.NewReader(bytes.NewReader(body), int64(len(body)))
	return t, err
}

func (c *feed) answer(t task, stdout io.Writer) (code int) {
	defer func() {
		if recover() != nil { // the evaluator's own fault: the parent says so
			code = exitCrash
		}
	}()
	out, err := json.Marshal(evaluate(t.job, t.files))
	if err != nil {
		return exitCrash
	}
	if int64(len(out)) > t.job.Limits.OutputBytes {
		return exitOutput
	}
	c.busy.Store(false) // the parent may leave once it has this
	if err := writeFrame(stdout, out); err != nil {
		return exitOrphan
	}
	return exitOK
}

// watch ends the process when it holds more heap, or has used more processor
// time, than it may. CUE takes no context, so nothing gentler stops it.
func watch(l Limits) {
	debug.SetMemoryLimit(int64(l.HeapBytes)) // collect before giving up
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for range time.Tick(5 * time.Millisecond) {
		metrics.Read(sample)
		if sample[0].Value.Uint64() > l.HeapBytes {
			os.Exit(exitHeap)
		}
		if cpuUsed() > l.CPU {
			os.Exit(exitCPU)
		}
	}
}
