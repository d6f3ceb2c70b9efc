package main

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/view"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use: "init [DIR]", Short: "Write a new repository that validates", Args: cobra.MaximumNArgs(1),
		Long: "Writes a CUE module with isobar's schemas beside it, the estate's settings, a small environment and an\n" +
			"example policy with its test. It asks nothing and writes over nothing; a .gitignore that is there gets two lines.",
		RunE: func(_ *cobra.Command, args []string) error {
			dir := a.dir
			if len(args) == 1 {
				dir = args[0]
				if !filepath.IsAbs(dir) {
					dir = filepath.Join(a.dir, dir)
				}
			}
			return a.init(dir)
		},
	}
}

// init writes the repository and says what to do next.
func (a *app) init(dir string) error {
	wrote, err := spec.Init(dir, rand.Reader)
	if err != nil {
		return diag.List{{Severity: diag.Error, Code: diag.CommandInit, Message: err.Error()}}
	}
	switch a.output {
	case "json":
		return a.writeJSON(initialOf(dir, wrote))
	case "markdown":
		fmt.Fprint(a.out, "```\n")
		defer fmt.Fprint(a.out, "```\n")
	}
	schemas := 0
	for _, w := range wrote {
		switch {
		case strings.HasPrefix(w.Name, ".schemas/"):
			schemas++
		case w.Added:
			fmt.Fprintf(a.out, "added lines to %s\n", w.Name)
		default:
			fmt.Fprintf(a.out, "wrote %s\n", w.Name)
		}
	}
	fmt.Fprintf(a.out, "wrote .schemas/ (%d files, for cue vet and editors)\n", schemas)
	fmt.Fprintf(a.out, "next: isobar -C %s validate\n", dir)
	return nil
}

// initialJSON is what init wrote, for programs.
type initialJSON struct {
	Schema int        `json:"schema_version"`
	Dir    string     `json:"directory"`
	Files  []fileJSON `json:"files"`
}

type fileJSON struct {
	Name  string `json:"name"`            // from the directory, with /
	Added bool   `json:"added,omitempty"` // lines were added to a file that was there
}

func initialOf(dir string, wrote []spec.Written) initialJSON {
	out := initialJSON{Schema: view.SchemaVersion, Dir: dir, Files: []fileJSON{}}
	for _, w := range wrote {
		out.Files = append(out.Files, fileJSON{w.Name, w.Added})
	}
	return out
}
