package git

import (
	"io/fs"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// crowded is a file system that is full while full holds: no new file takes
// more than a page.
type crowded struct {
	billy.Filesystem
	full *atomic.Bool
}

func (c crowded) TempFile(dir, prefix string) (billy.File, error) {
	f, err := c.Filesystem.TempFile(dir, prefix)
	return &crowdedFile{File: f, full: c.full}, err
}

type crowdedFile struct {
	billy.File
	full *atomic.Bool
	n    int
}

func (f *crowdedFile) Write(p []byte) (int, error) {
	if f.n += len(p); f.full.Load() && f.n > 4096 {
		return 0, &fs.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	}
	return f.File.Write(p)
}

// TestFullDisk fetches onto a full disk: it ends, says so, leaves nothing
// behind, and goes on once there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, overHTTP := range []bool{true, false} {
		p := newPeer(t, overHTTP)
		m := open(t, Options{URL: p.url})
		first := p.push(t, "First", false, "a.txt", "one")
		fetch(t, m)
		full := &atomic.Bool{}
		m.write = filesystem.NewStorage(crowded{osfs.New(m.opts.Dir), full}, cache.NewObjectLRU(cacheBytes))
		full.Store(true)
		var noise strings.Builder // that does not compress: more than a pipe holds
		for i, x := 0, uint32(1); i < 1<<20; i++ {
			x = x*1664525 + 1013904223
			noise.WriteByte(byte(x >> 24))
		}
		second := p.push(t, "Second", false, "big.bin", noise.String())
		for range 2 {
			_, err := m.Fetch(t.Context())
			wantKind(t, err, Full)
			if e := err.Error(); !strings.Contains(e, "the local mirror can't be written to") || !strings.Contains(e, "no space left on device") {
				t.Errorf("http=%v: %s", overHTTP, e)
			}
			if head(t, m).Hash != first {
				t.Fatal("what was fetched before is lost")
			}
			if left, err := filepath.Glob(filepath.Join(m.opts.Dir, "objects", "pack", "tmp_pack_*")); err != nil || len(left) > 0 {
				t.Fatalf("left on the disk: %v, %v", left, err)
			}
		}
		full.Store(false)
		if !fetch(t, m) || head(t, m).Hash != second {
			t.Fatal("it does not go on when there is room")
		}
	}
}
