package git

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoPlaceForAMirror opens a mirror where none can be made: it says which file
// and what to do, and works once there is a place.
func TestNoPlaceForAMirror(t *testing.T) {
	t.Parallel()
	p := newPeer(t, false)
	p.push(t, "First", false, "a.txt", "one")
	under := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(under, nil, 0o600); err != nil { // a file where the directory is to be
		t.Fatal(err)
	}
	o := Options{URL: p.url, Dir: filepath.Join(under, "mirror")}
	_, err := Open(t.Context(), o)
	wantKind(t, err, Full)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	f := e.Finding()
	if !strings.Contains(f.Message, "the local mirror can't be made") || !strings.Contains(f.Message, under) || !strings.Contains(f.Mend, o.Dir) {
		t.Errorf("%s\n  %s", f.Message, f.Mend)
	}
	if err := os.Remove(under); err != nil {
		t.Fatal(err)
	}
	m := open(t, o)
	if !fetch(t, m) {
		t.Error("nothing was fetched")
	}
}
