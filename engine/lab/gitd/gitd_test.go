package gitd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPushAndCloneWithPassword(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := Start(ctx)
	must(t, err)
	s.Protect("mei", "pw")
	url := strings.Replace(s.URL("estate"), "http://", "http://mei:pw@", 1)
	c, err := NewClone(ctx, filepath.Join(t.TempDir(), "a"), url)
	must(t, err)
	must(t, c.Write("deep/big.txt", noise(3<<20))) // beyond git's default post buffer
	hash, err := c.Commit(ctx, "Big")
	must(t, err)
	must(t, c.Push(ctx, false))
	other, err := NewClone(ctx, filepath.Join(t.TempDir(), "b"), url)
	must(t, err)
	if got, err := other.Git(ctx, "rev-parse", "HEAD"); err != nil || got != hash {
		t.Errorf("cloned %q, %v; want %q", got, err, hash)
	}
	if _, err := NewClone(ctx, filepath.Join(t.TempDir(), "c"), s.Address("estate")); err == nil {
		t.Error("cloned without a password")
	}
	// A second writer must force.
	must(t, other.Remove("deep"))
	_, err = other.Commit(ctx, "Other")
	must(t, err)
	_, err = c.Commit(ctx, "Mine")
	must(t, err)
	must(t, c.Push(ctx, false))
	if other.Push(ctx, false) == nil {
		t.Error("a push that is no fast-forward went through")
	}
	must(t, other.Push(ctx, true))
	if s.Requests() == 0 {
		t.Error("no requests counted")
	}
	if s.URL("../x") != "" || s.Create(ctx, "a/b") == nil {
		t.Error("a bad name was taken")
	}
	root := s.root
	must(t, s.Close())
	must(t, s.Close())
	if _, err := os.Stat(root); !os.IsNotExist(err) {
		t.Errorf("the repositories are still there: %v", err)
	}
}

// noise gives n bytes that do not compress well.
func noise(n int) string {
	out := make([]byte, n)
	x := uint32(2463534242)
	for i := range out {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		out[i] = byte(x >> 24)
	}
	return string(out)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
