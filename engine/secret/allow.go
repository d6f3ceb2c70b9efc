package secret

import (
	"path/filepath"
	"slices"
	"strings"
)

// Allowance says what environments may read: whoever can write to a repository
// names the sources, and the process that reads them holds secrets of its own.
// The zero Allowance allows nothing.
type Allowance struct {
	// EnvPrefixes are the beginnings of the environment variables that may be
	// read: "ISOBAR_SECRET_".
	EnvPrefixes []string
	// Dirs are the directories beneath which files may be read, as absolute
	// paths. A source that names a relative path is looked for in them, in their
	// order. A link may not lead out of them.
	Dirs []string
	// Any allows every variable, and every file by its absolute path: for a
	// person who runs isobar with their own rights on their own machine.
	Any bool
}

// Default is what a daemon allows unless told: variables that were set for
// environments by their name, and one directory that holds nothing else.
func Default() Allowance {
	return Allowance{EnvPrefixes: []string{"ISOBAR_SECRET_"}, Dirs: []string{"/run/secrets/isobar"}}
}

func (a Allowance) env(name string) bool {
	return a.Any || slices.ContainsFunc(a.EnvPrefixes, func(p string) bool { return p != "" && strings.HasPrefix(name, p) })
}

// place is where a file may be: its name beneath a directory.
type place struct{ dir, name string }

// places gives the places to look for a file at; none where it may not be read.
func (a Allowance) places(file string) []place {
	var out []place
	abs := filepath.IsAbs(file)
	for _, dir := range a.Dirs {
		name := file
		if abs {
			rel, err := filepath.Rel(dir, filepath.Clean(file))
			if err != nil {
				continue
			}
			name = rel
		}
		if filepath.IsAbs(dir) && filepath.IsLocal(name) && name != "." {
			out = append(out, place{dir, name})
		}
	}
	return out
}
