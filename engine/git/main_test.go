package git

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"isobar.dev/engine/lab/gitd"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if tr, ok := http.DefaultTransport.(*http.Transport); ok {
		tr.CloseIdleConnections() // go-git keeps them
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// peer is a remote under test: one served over HTTP or one on disk.
type peer struct {
	srv   *gitd.Server
	url   string // what the mirror fetches
	clone *gitd.Clone
}

func start(t *testing.T) *gitd.Server {
	t.Helper()
	srv, err := gitd.Start(t.Context())
	must(t, err)
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv
}

func newPeer(t *testing.T, overHTTP bool) *peer {
	t.Helper()
	srv := start(t)
	url := srv.URL("estate")
	c, err := gitd.NewClone(t.Context(), filepath.Join(t.TempDir(), "clone"), url)
	must(t, err)
	if !overHTTP {
		url = srv.Dir("estate")
	}
	return &peer{srv: srv, url: url, clone: c}
}

// push commits files given as path, content pairs, and pushes.
func (p *peer) push(t *testing.T, msg string, force bool, files ...string) string {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		must(t, p.clone.Write(files[i], files[i+1])) //nolint:gosec // pairs
	}
	h, err := p.clone.Commit(t.Context(), msg)
	must(t, err)
	must(t, p.clone.Push(t.Context(), force))
	return h
}

func open(t *testing.T, o Options) *Mirror {
	t.Helper()
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "mirror")
	}
	o.Timeout = time.Minute
	m, err := Open(t.Context(), o)
	must(t, err)
	return m
}

func fetch(t *testing.T, m *Mirror) bool {
	t.Helper()
	changed, err := m.Fetch(t.Context())
	must(t, err)
	return changed
}

func head(t *testing.T, m *Mirror) Commit {
	t.Helper()
	c, err := m.Head(context.WithoutCancel(t.Context()))
	must(t, err)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
