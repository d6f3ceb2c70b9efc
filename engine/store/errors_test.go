package store

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPassingNames tells a name that leads nowhere from a resolver that is away.
func TestPassingNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  net.DNSError
		want bool
	}{{net.DNSError{IsNotFound: true}, false}, {net.DNSError{IsTemporary: true}, true}, {net.DNSError{IsTimeout: true}, true}} {
		if err := wrap(ErrAway, &c.err); Passing(err) != c.want {
			t.Errorf("%v: passing is %v", err, !c.want)
		}
	}
}

// TestNoStoreCanBeThere refuses a path with what is wrong with it, and leaves
// nothing behind.
func TestNoStoreCanBeThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"no directory":     {filepath.Join(dir, "no", "x.db"), "there is no directory " + filepath.Join(dir, "no")},
		"below a file":     {filepath.Join(file, "x.db"), file + " is no directory"},
		"a directory":      {dir, dir + " is a directory, not a file"},
		"another, by name": {filepath.Join(dir, "."), dir + " is a directory, not a file"},
	} {
		_, err := Open(t.Context(), c.path, time.UnixMilli(0))
		f, ok := Finding(err)
		if !errors.Is(err, ErrPlace) || !ok || f.Code != "STORE-608" || f.Message != "the store can't be there: "+c.want {
			t.Errorf("%s: %v, finding %+v", name, err, f)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
	if _, err := os.Stat(dir + ".lock"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a lock was left beside the directory: %v", err)
	}
}

// TestForeignStore says whose it is, or of a directory in its way.
func TestForeignStore(t *testing.T) {
	t.Parallel()
	theirs := "/" // root's, for everybody else
	_, name := owner(theirs)
	whose := "/ is " + name + "'s, and you are "
	if os.Getuid() == 0 {
		theirs = t.TempDir()
		if err := os.Chown(theirs, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		whose = theirs + " is user 12345's, and you are "
	}
	below := filepath.Join(theirs, "no such directory", "x.db")
	mine := filepath.Join(t.TempDir(), "x.db")
	for path, want := range map[string]string{
		theirs: "the store may not be used: " + whose,
		below:  "the store may not be used: " + below + " is out of reach, for " + whose,
		mine:   "the store may not be used: " + mine + ": permission denied",
	} {
		err := unopened(path, &fs.PathError{Op: "open", Path: path, Err: syscall.EACCES})
		f, ok := Finding(err)
		if !errors.Is(err, ErrForeign) || !errors.Is(err, fs.ErrPermission) || !ok || f.Code != "STORE-609" || !strings.HasPrefix(f.Message, want) {
			t.Errorf("%s: %v, finding %+v", path, err, f)
		}
	}
}
