package git

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// pull commits files on a branch of its own off main and pushes it as a forge's
// ref, under no branch.
func (p *peer) pull(t *testing.T, ref string, files ...string) string {
	t.Helper()
	git := func(args ...string) {
		t.Helper()
		_, err := p.clone.Git(t.Context(), args...)
		must(t, err)
	}
	git("checkout", "-q", "--detach", "main")
	for i := 0; i < len(files); i += 2 {
		must(t, p.clone.Write(files[i], files[i+1])) //nolint:gosec // pairs
	}
	h, err := p.clone.Commit(t.Context(), ref)
	must(t, err)
	git("push", "-q", "--force", "origin", "HEAD:"+ref)
	git("checkout", "-q", "main")
	return h
}

func TestFetchRefs(t *testing.T) {
	t.Parallel()
	const one, two, none = "refs/pull/1/head", "refs/merge-requests/2/head", "refs/pull/9/merge"
	for _, overHTTP := range []bool{true, false} {
		t.Run(fmt.Sprintf("http=%v", overHTTP), func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, overHTTP)
			main := p.push(t, "First", false, "a.txt", "one")
			first, second := p.pull(t, one, "a.txt", "two"), p.pull(t, two, "b.txt", "b")
			m := open(t, Options{URL: p.url})
			fetch(t, m)
			if _, err := m.Tree(first); KindOf(err) != NoRevision {
				t.Fatalf("a pull request came with the branches: %v", err)
			}
			got, err := m.FetchRefs(t.Context(), []string{one, none, two, one})
			wantKind(t, err, NoRevision)
			if !strings.Contains(err.Error(), none) || strings.Contains(err.Error(), one) {
				t.Errorf("the error is %v", err)
			}
			if len(got) != 2 || got[one].Hash != first || got[two].Hash != second || got[one].Subject != one {
				t.Fatalf("got %+v", got)
			}
			if fetch(t, m) || head(t, m).Hash != main {
				t.Error("a kept ref is a change of the branches")
			}
			wantFile(t, m, first, "a.txt", "two")

			// Kept over force-pushes, prunes and repacks; fetched again when it moves.
			moved := p.pull(t, one, "a.txt", "three")
			p.push(t, "Second", false, "c.txt", "c")
			m.packed = repackEvery
			fetch(t, m)
			wantFile(t, m, first, "a.txt", "two")
			if got, err := m.FetchRefs(t.Context(), []string{one, two}); err != nil || got[one].Hash != moved || got[two].Hash != second {
				t.Fatalf("after it moved: %+v, %v", got, err)
			}
			m = open(t, Options{URL: p.url, Dir: m.opts.Dir})
			wantFile(t, m, moved, "a.txt", "three")
			kept, err := m.KeptRefs(t.Context())
			if err != nil || !slices.Equal(kept, []string{two, one}) {
				t.Errorf("kept %q, %v", kept, err)
			}

			// One that vanishes stays until it is dropped.
			_, err = p.clone.Git(t.Context(), "push", "-q", "origin", ":"+two)
			must(t, err)
			got, err = m.FetchRefs(t.Context(), []string{one, two})
			wantKind(t, err, NoRevision)
			if _, ok := got[two]; ok || got[one].Hash != moved {
				t.Errorf("got %+v", got)
			}
			wantFile(t, m, second, "b.txt", "b")
			must(t, m.DropRefs(t.Context(), []string{two, none}))
			if kept, err := m.KeptRefs(t.Context()); err != nil || !slices.Equal(kept, []string{one}) {
				t.Errorf("kept %q, %v", kept, err)
			}
			if out, err := p.clone.Git(t.Context(), "--git-dir", m.opts.Dir, "fsck", "--full", "--strict"); err != nil || strings.Contains(out, "error") {
				t.Errorf("fsck: %s, %v", out, err)
			}
		})
	}
}

func TestFetchRefsOfADamagedMirror(t *testing.T) {
	t.Parallel()
	const ref = "refs/pull/1/head"
	p := newPeer(t, false)
	p.push(t, "First", false, "a.txt", "one")
	want := p.pull(t, ref, "a.txt", "two")
	m := open(t, Options{URL: p.url})
	fetch(t, m)
	_, err := m.FetchRefs(t.Context(), []string{ref})
	must(t, err)
	garble(t, m.opts.Dir)
	m = open(t, Options{URL: p.url, Dir: m.opts.Dir})
	for range 2 {
		got, err := m.FetchRefs(t.Context(), []string{ref})
		if err != nil || got[ref].Hash != want {
			t.Fatalf("got %+v, %v", got, err)
		}
		wantFile(t, m, want, "a.txt", "two")
		m.read.mu.Lock()
		m.read.damaged = true // as a reader finds it
		m.read.mu.Unlock()
	}
}

func TestFetchRefsFails(t *testing.T) {
	t.Parallel()
	p := newPeer(t, true)
	p.push(t, "First", false, "a.txt", "one")
	p.pull(t, "refs/pull/1/head", "a.txt", "two")
	blob, err := p.clone.Git(t.Context(), "rev-parse", "main:a.txt")
	must(t, err)
	_, err = p.clone.Git(t.Context(), "push", "-q", "origin", blob+":refs/pull/2/head")
	must(t, err)
	m := open(t, Options{URL: p.url})
	for _, bad := range []string{"main", "refs/pull/*", "refs/a:refs/b", "refs/../x", "", "refs/a b"} {
		_, err := m.FetchRefs(t.Context(), []string{bad})
		wantKind(t, err, NoRevision)
		wantKind(t, m.DropRefs(t.Context(), []string{bad}), NoRevision)
	}
	_, err = m.FetchRefs(t.Context(), []string{"refs/pull/2/head"})
	wantKind(t, err, NoRevision)
	p.srv.Protect("git", "hunter2")
	_, err = m.FetchRefs(t.Context(), []string{"refs/pull/1/head"})
	wantKind(t, err, Denied)
	p.srv.Protect("", "")
	must(t, p.srv.Close())
	_, err = m.FetchRefs(t.Context(), []string{"refs/pull/1/head"})
	wantKind(t, err, Unreachable)
}

func TestContains(t *testing.T) {
	t.Parallel()
	p := newPeer(t, false)
	first := p.push(t, "First", false, "a.txt", "one")
	second := p.push(t, "Second", false, "a.txt", "two")
	pull := p.pull(t, "refs/pull/1/head", "b.txt", "b")
	third := p.push(t, "Third", false, "a.txt", "three")
	_, err := p.clone.Git(t.Context(), "merge", "-q", "--no-ff", "-m", "Merge", pull)
	must(t, err)
	merged := p.push(t, "Last", false)
	m := open(t, Options{URL: p.url})
	fetch(t, m)
	for _, c := range []struct {
		ancestor, of string
		want         bool
	}{
		{first, first, true},
		{first, merged, true},
		{pull, merged, true},
		{third, merged, true},
		{second, pull, true},
		{second, first, false},
		{merged, pull, false},
		{pull, third, false},
		{third, pull, false},
	} {
		if got, err := m.Contains(t.Context(), c.ancestor, c.of); err != nil || got != c.want {
			t.Errorf("%s in %s: %v, %v", c.ancestor[:7], c.of[:7], got, err)
		}
	}
	for _, bad := range []string{"main", first[:7], strings.Repeat("1", 40)} {
		_, err := m.Contains(t.Context(), bad, first)
		wantKind(t, err, NoRevision)
	}
}
