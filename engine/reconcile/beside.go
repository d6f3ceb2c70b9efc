package reconcile

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// beside is a tree with one more file in it, which is not written yet. Read
// only, safe for concurrent use where the tree is.
type beside struct {
	fs.FS
	name string
	data []byte
}

// Open implements fs.FS.
func (b beside) Open(name string) (fs.File, error) {
	if name == b.name {
		return &unwritten{Reader: *bytes.NewReader(b.data), info: b.info()}, nil
	}
	return b.FS.Open(name)
}

// ReadDir implements fs.ReadDirFS.
func (b beside) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(b.FS, name)
	if err != nil || name != path.Dir(b.name) {
		return entries, err
	}
	entries = append(slices.Clone(entries), fs.FileInfoToDirEntry(b.info()))
	slices.SortFunc(entries, func(x, y fs.DirEntry) int { return strings.Compare(x.Name(), y.Name()) })
	return entries, nil
}

// Lstat implements fs.ReadLinkFS: links stay what they are.
func (b beside) Lstat(name string) (fs.FileInfo, error) {
	if name == b.name {
		return b.info(), nil
	}
	return fs.Lstat(b.FS, name)
}

// ReadLink implements fs.ReadLinkFS.
func (b beside) ReadLink(name string) (string, error) { return fs.ReadLink(b.FS, name) }

func (b beside) info() fs.FileInfo { return unwrittenInfo{path.Base(b.name), int64(len(b.data))} }

// unwritten is the file, open.
type unwritten struct {
	bytes.Reader
	info fs.FileInfo
}

func (u *unwritten) Stat() (fs.FileInfo, error) { return u.info, nil }
func (u *unwritten) Close() error               { return nil }

type unwrittenInfo struct {
	name string
	size int64
}

func (i unwrittenInfo) Name() string     { return i.name }
func (i unwrittenInfo) Size() int64      { return i.size }
func (unwrittenInfo) Mode() fs.FileMode  { return 0o444 }
func (unwrittenInfo) ModTime() time.Time { return time.Time{} }
func (unwrittenInfo) IsDir() bool        { return false }
func (unwrittenInfo) Sys() any           { return nil }
