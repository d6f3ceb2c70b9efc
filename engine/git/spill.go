package git

import (
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/storage/filesystem"
)

// spilling is a store whose packs take all that is written to them, and say at
// their end what went wrong. go-git stops reading at the first error of its own
// store, on a full disk say, and then waits for ever for a peer that still has
// something to send.
type spilling struct {
	*filesystem.Storage
	dir string // where the store is
}

// PackfileWriter implements storer.PackfileWriter.
func (s spilling) PackfileWriter() (io.WriteCloser, error) {
	w, err := s.Storage.PackfileWriter()
	return &spill{to: w, err: err, dir: s.dir}, nil
}

// spill is one pack.
type spill struct {
	to  io.WriteCloser // nil where it could not be begun
	err error          // the first
	dir string
}

// Write implements io.Writer.
func (s *spill) Write(p []byte) (int, error) {
	if s.err == nil {
		_, s.err = s.to.Write(p)
	}
	return len(p), nil
}

// Close implements io.Closer. What a pack that failed has left would fill the
// disk with each fetch.
func (s *spill) Close() error {
	if s.to != nil {
		if err := s.to.Close(); s.err == nil {
			s.err = err
		}
	}
	if s.err == nil {
		return nil
	}
	left, _ := filepath.Glob(filepath.Join(s.dir, "objects", "pack", "tmp_pack_*")) // the pattern is a good one
	for _, name := range left {
		_ = os.Remove(name) // the error that led here says more
	}
	return s.err
}
