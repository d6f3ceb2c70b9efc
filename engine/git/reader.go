package git

import (
	"compress/zlib"
	"errors"
	"sync"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/objfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

const cacheBytes = 32 * cache.MiByte

// reader is the reading side of a mirror, apart from the one that fetches.
// go-git's storage is not safe for concurrent use, hence the lock.
type reader struct {
	dir     string
	shown   string
	mu      sync.Mutex
	sto     *filesystem.Storage // nil until used, and after forget
	damaged bool
}

func openStorage(dir string) *filesystem.Storage {
	return filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRU(cacheBytes))
}

// do runs f over the object store, and once more over a fresh view of it when
// something was not found: a fetch may have brought it, a repack moved it. What
// still fails and is no plain "not found" marks the mirror as damaged.
func (r *reader) do(f func(*filesystem.Storage) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	fresh := r.sto == nil
	if fresh {
		r.sto = openStorage(r.dir)
	}
	err := f(r.sto)
	if err != nil && !fresh && !isOwn(err) {
		r.sto = openStorage(r.dir)
		err = f(r.sto)
	}
	if err == nil || isOwn(err) || errors.Is(err, errNoRevision) || errors.Is(err, plumbing.ErrObjectNotFound) {
		return err
	}
	return r.damage(err)
}

func isOwn(err error) bool { return KindOf(err) != "" }

// damage notes that the mirror needs to be rebuilt. Call with mu held.
func (r *reader) damage(err error) error {
	r.damaged, r.sto = true, nil
	return corrupt(r.shown, err)
}

// forget drops the view, so that the next use sees what was fetched, and tells
// whether damage was found.
func (r *reader) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sto = nil
}

func (r *reader) isDamaged() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.damaged
}

// swap runs f, which replaces the directory, while nobody reads it.
func (r *reader) swap(f func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sto = nil
	err := f()
	if err == nil {
		r.damaged = false
	}
	return err
}

// object is do for an object that a commit names: its absence is damage.
func (r *reader) object(f func(*filesystem.Storage) error) error {
	err := r.do(f)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.damage(err)
	}
	return err
}

// isFormatError reports whether a file of the store can't be decoded.
func isFormatError(err error) bool {
	return errors.Is(err, idxfile.ErrMalformedIdxFile) || errors.Is(err, idxfile.ErrUnsupportedVersion) || errors.Is(err, objfile.ErrHeader) ||
		errors.Is(err, packfile.ErrInvalidObject) || errors.Is(err, zlib.ErrHeader) || errors.Is(err, zlib.ErrChecksum)
}
