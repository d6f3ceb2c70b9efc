package spec

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// ChildWord is the argument with which a binary is re-executed as a child:
// its main (or TestMain) returns Child(os.Stdin, os.Stdout) when it is os.Args[1].
const ChildWord = "spec-child"

// Child evaluates one job, read from stdin, within its limits, and writes the
// answer to stdout. It returns the process's exit code, and ends the process
// itself when a limit is reached or stdin ends early.
func Child(stdin io.Reader, stdout io.Writer) int {
	head, err := readFrame(stdin)
	if err != nil {
		return exitJob
	}
	var j job
	if json.Unmarshal(head, &j) != nil {
		return exitJob
	}
	if fence(j.Limits) != nil {
		return exitJob
	}
	body, err := readFrame(stdin)
	if err != nil {
		return exitJob
	}
	files, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return exitJob
	}
	go exitWithParent(stdin)
	go watch(j.Limits)
	return answer(j, files, stdout)
}

func answer(j job, files *zip.Reader, stdout io.Writer) (code int) {
	defer func() {
		if recover() != nil { // the evaluator's own fault: the parent says so
			code = exitCrash
		}
	}()
	out, err := json.Marshal(evaluate(j, files))
	if err != nil {
		return exitCrash
	}
	if int64(len(out)) > j.Limits.OutputBytes {
		return exitOutput
	}
	if _, err := stdout.Write(out); err != nil {
		return exitOrphan
	}
	return exitOK
}

// exitWithParent ends the process once stdin ends: the parent holds it open
// until it has the answer.
func exitWithParent(stdin io.Reader) {
	_, _ = io.Copy(io.Discard, stdin)
	os.Exit(exitOrphan)
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
