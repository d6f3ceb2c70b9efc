// Command isobar is the reconciler daemon and its one-shot commands. It holds
// flags and wiring, and nothing that could be wrong elsewhere. Floor 8.
package main

import (
	"context"
	"os"

	"isobar.dev/engine/spec"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == spec.ChildWord {
		os.Exit(spec.Child(os.Stdin, os.Stdout))
	}
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
