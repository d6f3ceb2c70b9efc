package git

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"isobar.dev/engine/lab/gitd"
)

func TestWatchHints(t *testing.T) {
	t.Parallel()
	p := newPeer(t, false)
	p.push(t, "First", false, "a.txt", "one")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	bare, err := Watch(ctx, Options{URL: p.srv.Dir("estate")})
	must(t, err)
	tree, err := Watch(ctx, Options{URL: p.clone.Dir})
	must(t, err)

	p.push(t, "Second", false, "a.txt", "two")
	hint(t, bare, "push")
	hint(t, tree, "commit")
	git := func(args ...string) {
		t.Helper()
		_, err := p.clone.Git(t.Context(), args...)
		must(t, err)
	}
	git("push", "-q", "origin", "HEAD:refs/heads/team/deep/branch") // new directories
	hint(t, bare, "a branch in a new directory")
	_, err = p.clone.Commit(t.Context(), "Third")
	must(t, err)
	hint(t, tree, "another commit")
	git("push", "-q", "origin", "HEAD:refs/heads/team/deep/branch")
	hint(t, bare, "a push within the new directory")
	git("--git-dir", p.srv.Dir("estate"), "gc", "-q")
	hint(t, bare, "gc")
	git("pack-refs", "--all")
	hint(t, tree, "pack-refs")
	git("checkout", "-q", "-b", "other")
	hint(t, tree, "checkout")

	cancel()
	for _, c := range []<-chan struct{}{bare, tree} {
		for range c { // until it closes
		}
	}
}

func TestWatchElsewhere(t *testing.T) {
	t.Parallel()
	if c, err := Watch(t.Context(), Options{URL: "https://h.example/r"}); c != nil || err != nil {
		t.Errorf("a remote: %v, %v", c, err)
	}
	if _, err := Watch(t.Context(), Options{URL: t.TempDir()}); KindOf(err) != NotFound {
		t.Errorf("no repository: %v", err)
	}
	c, err := gitd.NewLocal(t.Context(), filepath.Join(t.TempDir(), "main"))
	must(t, err)
	_, err = c.Commit(t.Context(), "First")
	must(t, err)
	linked := filepath.Join(t.TempDir(), "linked")
	_, err = c.Git(t.Context(), "worktree", "add", "-q", linked)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hints, err := Watch(ctx, Options{URL: linked})
	must(t, err)
	_, err = c.Git(t.Context(), "-C", linked, "commit", "-q", "--allow-empty", "-m", "Second")
	must(t, err)
	hint(t, hints, "a commit in a linked work tree")
	cancel()
	for range hints {
	}
}

func hint(t *testing.T, c <-chan struct{}, after string) {
	t.Helper()
	select {
	case _, ok := <-c:
		if !ok {
			t.Fatalf("closed after %s", after)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("no hint after %s", after)
	}
	for { // take what trails within the debounce window
		select {
		case <-c:
		case <-time.After(2 * debounce):
			return
		}
	}
}
