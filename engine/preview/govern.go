package preview

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// governing are the files of a repository that say how it is governed, and
// directories of such files: a stranger's change does not speak there.
func governing(name string) bool {
	for _, n := range []string{"isobar.cue", "policies", "cue.mod"} {
		if name == n || strings.HasPrefix(name, n+"/") {
			return true
		}
	}
	return false
}

// governedFS is a changed tree with the base's settings, rules and modules.
type governedFS struct{ changed, base fs.FS }

func governed(changed, base fs.FS) fs.FS { return governedFS{changed, base} }

func (g governedFS) of(name string) fs.FS {
	if governing(name) {
		return g.base
	}
	return g.changed
}

// Open implements fs.FS.
func (g governedFS) Open(name string) (fs.File, error) {
	return g.of(name).Open(name) //nolint:wrapcheck // it is a file system
}

// ReadFile implements fs.ReadFileFS.
func (g governedFS) ReadFile(name string) ([]byte, error) {
	return fs.ReadFile(g.of(name), name) //nolint:wrapcheck // it is a file system
}

// Stat implements fs.StatFS.
func (g governedFS) Stat(name string) (fs.FileInfo, error) {
	return fs.Stat(g.of(name), name) //nolint:wrapcheck // it is a file system
}

// ReadDir implements fs.ReadDirFS: the root lists what is the base's in place of
// the change's.
func (g governedFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if name != "." {
		return fs.ReadDir(g.of(name), name) //nolint:wrapcheck // it is a file system
	}
	theirs, err := fs.ReadDir(g.changed, name)
	ours, berr := fs.ReadDir(g.base, name)
	if err != nil || berr != nil {
		return nil, errors.Join(err, berr)
	}
	foreign := func(e fs.DirEntry) bool { return governing(e.Name()) }
	own := func(e fs.DirEntry) bool { return !governing(e.Name()) }
	out := slices.Concat(slices.DeleteFunc(slices.Clone(theirs), foreign), slices.DeleteFunc(slices.Clone(ours), own))
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}
