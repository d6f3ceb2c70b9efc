package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// The exit codes (architecture §10).
const (
	exitOK      = 0
	exitError   = 1
	exitChanges = 2
)

// app is one invocation: its streams, and the flags that all verbs share.
type app struct {
	in       io.Reader
	out, err io.Writer
	dir      string // -C
	store    string // --store
	output   string // -o
	code     int
}

// errSaid is returned by a verb that has told the person what is wrong already.
var errSaid = errors.New("said already")

// run is the whole program but the process: it returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	a := &app{in: in, out: out, err: errw}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	if err := root.ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errSaid) {
			fmt.Fprintf(errw, "isobar: %v\n", err)
		}
		return max(a.code, exitError)
	}
	return a.code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "isobar", Short: "Keep clouds and hypervisors as a Git repository says", SilenceUsage: true, SilenceErrors: true,
	}
	root.PersistentFlags().StringVarP(&a.dir, "directory", "C", ".", "the repository's `DIR`")
	root.PersistentFlags().StringVar(&a.store, "store", "", "where the ledger is kept, `sqlite:PATH`")
	root.PersistentFlags().StringVarP(&a.output, "output", "o", "text", "`FORMAT`: text, json or markdown")
	root.AddCommand(a.initCommand(), a.serveCommand())
	return root
}
