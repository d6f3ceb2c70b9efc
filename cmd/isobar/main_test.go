package main

import (
	"context"
	"flag"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"isobar.dev/engine/lab/vcsim"
	"isobar.dev/engine/spec"
)

var update = flag.Bool("update", false, "write what scripts print into them")

// TestMain is isobar itself when a script calls it, and a child of its
// evaluations.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == spec.ChildWord {
		os.Exit(spec.Child(os.Stdin, os.Stdout))
	}
	if len(os.Args) > 1 && os.Args[1] == vcsim.ChildWord {
		os.Exit(vcsim.Child(os.Stdin, os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){"isobar": isobar})
}

// isobar is the command with its output made the same from run to run.
func isobar() {
	if len(os.Args) > 1 && os.Args[1] == spec.ChildWord {
		os.Exit(spec.Child(os.Stdin, os.Stdout))
	}
	if os.Getenv("SCRIPT_RAW") != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	out, errw := &steady{to: os.Stdout}, &steady{to: os.Stderr}
	if name := os.Getenv("SCRIPT_TEE"); name != "" {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			panic(err)
		}
		errw.tee = f
	}
	code := run(context.Background(), os.Args[1:], os.Stdin, out, errw)
	out.flush()
	errw.flush()
	os.Exit(code)
}
