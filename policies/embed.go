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

// Rules gives the files of rules that decide, in package main, by name.
func Rules() ([]File, error) {
	return read(func(f File) bool { return !test(f) && decides(f) })
}

// Shared gives the files that any rule may import from, in packages below
// isobar, by name.
func Shared() ([]File, error) {
	return read(func(f File) bool { return !test(f) && !decides(f) })
}

// Tests gives the files of tests, by name.
func Tests() ([]File, error) { return read(test) }

func test(f File) bool { return strings.HasSuffix(f.Path, "_test.rego") }

func decides(f File) bool { return strings.HasPrefix(f.Source, "package main\n") }

func read(wanted func(File) bool) ([]File, error) {
	names, err := fs.Glob(files, "*.rego")
	if err != nil {
		return nil, err
	}
	var out []File
	for _, n := range names {
		b, err := files.ReadFile(n)
		if err != nil {
			return nil, err
		}
		if f := (File{Path: prefix + n, Source: string(b)}); wanted(f) {
			out = append(out, f)
		}
	}
	return out, nil
}
