// Package policies holds the Rego rules that come with isobar, and their
// tests. A repository's own policies/*.rego stand beside them.
//
// It owns files alone; engine/policy compiles and runs them. It must not
// import anything of isobar. Floor 3.
package policies

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.rego
var files embed.FS

// File is one Rego file.
type File struct {
	Path   string // "isobar/policies/open_ports.rego"
	Source string
}

// prefix tells these files from a repository's own policies/.
const prefix = "isobar/policies/"

// Rules gives the files of rules without their tests, by name.
func Rules() ([]File, error) { return read(false) }

// All gives the files of rules and of their tests, by name.
func All() ([]File, error) { return read(true) }

func read(tests bool) ([]File, error) {
	names, err := fs.Glob(files, "*.rego")
	if err != nil {
		return nil, err
	}
	var out []File
	for _, n := range names {
		if !tests && strings.HasSuffix(n, "_test.rego") {
			continue
		}
		b, err := files.ReadFile(n)
		if err != nil {
			return nil, err
		}
		out = append(out, File{Path: prefix + n, Source: string(b)})
	}
	return out, nil
}
