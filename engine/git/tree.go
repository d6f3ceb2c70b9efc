package git

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// tree is the file system of one commit: fs.FS, fs.ReadDirFS, fs.ReadFileFS and
// fs.StatFS.
type tree struct {
	objects
	root plumbing.Hash
	when time.Time
	max  int64
	mu   sync.Mutex
	dirs map[plumbing.Hash][]entry // directories read so far; the lists are never changed
}

// entry is a name in a directory: fs.DirEntry and fs.FileInfo.
type entry struct {
	fs   *tree
	name string
	hash plumbing.Hash
	mode fs.FileMode
	size int64 // bytes; known once stat has been asked
}

var errFileTooLarge = errors.New("the file exceeds the size limit")

func (e entry) Name() string       { return e.name }
func (e entry) IsDir() bool        { return e.mode.IsDir() }
func (e entry) Type() fs.FileMode  { return e.mode.Type() }
func (e entry) Mode() fs.FileMode  { return e.mode }
func (e entry) ModTime() time.Time { return e.fs.when }
func (e entry) Sys() any           { return nil }
func (e entry) Size() int64        { return e.size }

// Info gives the entry with its size.
func (e entry) Info() (fs.FileInfo, error) { return e.fs.sized(e) }

// TreeHash gives the hash of the root: trees of one hash hold the same.
func (t *tree) TreeHash() string { return t.root.String() }

// Open opens a file or a directory.
func (t *tree) Open(name string) (fs.File, error) {
	e, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	if e.IsDir() {
		list, err := t.list(e.hash)
		if err != nil {
			return nil, pathError("open", name, err)
		}
		return &openDir{entry: e, rest: list}, nil
	}
	data, err := t.content(e)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	e.size = int64(len(data))
	return &openFile{Reader: bytes.NewReader(data), entry: e}, nil
}

// ReadFile gives a file's bytes.
func (t *tree) ReadFile(name string) ([]byte, error) {
	e, err := t.find("read", name)
	if err != nil {
		return nil, err
	}
	if e.IsDir() {
		return nil, pathError("read", name, errors.New("is a directory"))
	}
	data, err := t.content(e)
	if err != nil {
		return nil, pathError("read", name, err)
	}
	return data, nil
}

// ReadDir lists a directory, sorted by name.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := t.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !e.IsDir() {
		return nil, pathError("readdir", name, errors.New("not a directory"))
	}
	list, err := t.list(e.hash)
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	return dirEntries(list), nil
}

// Stat describes a file or directory, and a link or submodule as what it is.
func (t *tree) Stat(name string) (fs.FileInfo, error) {
	e, err := t.find("stat", name)
	if err != nil {
		return nil, err
	}
	info, err := t.sized(e)
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	return info, nil
}

// find walks from the root to a name.
func (t *tree) find(op, name string) (entry, error) {
	if !fs.ValidPath(name) {
		return entry{}, pathError(op, name, fs.ErrInvalid)
	}
	at := entry{fs: t, name: ".", hash: t.root, mode: fs.ModeDir | 0o555}
	if name == "." {
		return at, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if !at.IsDir() {
			return entry{}, pathError(op, name, fs.ErrNotExist)
		}
		list, err := t.list(at.hash)
		if err != nil {
			return entry{}, pathError(op, name, err)
		}
		i, ok := slices.BinarySearchFunc(list, part, func(e entry, n string) int { return cmp.Compare(e.name, n) })
		if !ok {
			return entry{}, pathError(op, name, fs.ErrNotExist)
		}
		at = list[i]
	}
	return at, nil
}

// list gives the entries of a tree object, sorted by name. Names that can't be
// a path's element are left out: only a forged tree has them.
func (t *tree) list(h plumbing.Hash) ([]entry, error) {
	t.mu.Lock()
	list, ok := t.dirs[h]
	t.mu.Unlock()
	if ok {
		return list, nil
	}
	found, err := t.entries(h)
	if err != nil {
		return nil, err
	}
	list = make([]entry, 0, len(found))
	for _, e := range found {
		if e.Name != "." && fs.ValidPath(e.Name) && path.Base(e.Name) == e.Name {
			list = append(list, entry{fs: t, name: e.Name, hash: e.Hash, mode: modeOf(e.Mode)})
		}
	}
	slices.SortFunc(list, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	list = slices.CompactFunc(list, func(a, b entry) bool { return a.name == b.name })
	t.mu.Lock()
	t.dirs[h] = list
	t.mu.Unlock()
	return list, nil
}

func modeOf(m filemode.FileMode) fs.FileMode {
	switch m {
	case filemode.Dir:
		return fs.ModeDir | 0o555
	case filemode.Executable:
		return 0o555
	case filemode.Symlink:
		return fs.ModeSymlink | 0o444
	case filemode.Regular, filemode.Deprecated:
		return 0o444
	case filemode.Submodule, filemode.Empty:
	}
	return fs.ModeIrregular | 0o444
}

func (t *tree) sized(e entry) (_ entry, err error) {
	if e.mode.IsRegular() {
		e.size, err = t.size(e.hash)
	}
	return e, err
}

// content reads a blob of at most t.max bytes.
func (t *tree) content(e entry) ([]byte, error) {
	if !e.mode.IsRegular() {
		return nil, unfollowed(e)
	}
	size, err := t.size(e.hash)
	if err != nil {
		return nil, err
	}
	if size > t.max {
		return nil, &Error{
			Kind: TooLarge, What: fmt.Sprintf("has %d bytes, more than the %d that are read", size, t.max),
			Mend: "take it out of the paths that isobar reads", Err: errFileTooLarge,
		}
	}
	return t.data(e.hash)
}

func unfollowed(e entry) error {
	if e.mode&fs.ModeSymlink != 0 {
		return errors.New("is a symbolic link, which is not followed: put the file itself there")
	}
	return errors.New("is a submodule, which is not followed: put the files themselves there")
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func dirEntries(list []entry) []fs.DirEntry {
	out := make([]fs.DirEntry, len(list))
	for i, e := range list {
		out[i] = e
	}
	return out
}

// openFile is an open file, held in memory.
type openFile struct {
	*bytes.Reader
	entry entry
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *openFile) Close() error               { return nil }

// openDir is an open directory.
type openDir struct {
	entry entry
	rest  []entry
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.entry, nil }
func (d *openDir) Close() error               { return nil }
func (d *openDir) Read([]byte) (int, error) {
	return 0, pathError("read", d.entry.name, errors.New("is a directory"))
}

// ReadDir gives the next n entries, or all that remain for n <= 0.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.rest)
	} else if len(d.rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.rest))
	out := dirEntries(d.rest[:n])
	d.rest = d.rest[n:]
	return out, nil
}
