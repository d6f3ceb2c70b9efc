package git

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"isobar.dev/engine/lab/gitd"
)

func TestTreeIsAFileSystem(t *testing.T) {
	t.Parallel()
	p := newPeer(t, false)
	files := []string{"a.txt", "one", "env/prod/x.cue", "package prod", "env/prod.cue", "p", "env/prod-b/y.cue", "y", "empty", ""}
	h := p.push(t, "First", false, files...)
	m := open(t, Options{URL: p.url})
	fetch(t, m)
	tree, err := m.Tree(h)
	must(t, err)
	must(t, fstest.TestFS(tree, "a.txt", "env/prod/x.cue", "env/prod.cue", "env/prod-b/y.cue", "empty"))
	info, err := fs.Stat(tree, "a.txt")
	if err != nil || info.Size() != 3 || !info.ModTime().Equal(head(t, m).When) {
		t.Errorf("stat: %+v, %v", info, err)
	}
	for _, bad := range []string{"", "/a.txt", "../a.txt", "env/", "a.txt/b", "env/nope"} {
		if _, err := fs.ReadFile(tree, bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if _, err := m.Tree(strings.Repeat("0", 40)); KindOf(err) != NoRevision {
		t.Errorf("tree of no commit: %v", err)
	}
	if _, err := m.Tree("main"); KindOf(err) != NoRevision {
		t.Errorf("tree of a name: %v", err)
	}
}

func TestTreeFollowsNothingAndLimitsFiles(t *testing.T) {
	t.Parallel()
	p := newPeer(t, false)
	must(t, os.Symlink("/etc/passwd", filepath.Join(p.clone.Dir, "link")))
	must(t, p.clone.Write("big.txt", strings.Repeat("x", 2000)))
	sub := strings.Repeat("1", 40)
	_, err := p.clone.Git(t.Context(), "update-index", "--add", "--cacheinfo", "160000,"+sub+",sub")
	must(t, err)
	_, err = p.clone.Git(t.Context(), "add", "link", "big.txt")
	must(t, err)
	_, err = p.clone.Git(t.Context(), "commit", "-q", "-m", "First")
	must(t, err)
	must(t, p.clone.Push(t.Context(), false))
	m := open(t, Options{URL: p.url, MaxFile: 1999})
	fetch(t, m)
	tree, err := m.Tree(head(t, m).Hash)
	must(t, err)
	for name, mode := range map[string]fs.FileMode{"link": fs.ModeSymlink, "sub": fs.ModeIrregular} {
		info, err := fs.Stat(tree, name)
		if err != nil || info.Mode().Type() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if _, err := fs.ReadFile(tree, name); err == nil || !strings.Contains(err.Error(), "not followed") {
			t.Errorf("%s was read: %v", name, err)
		}
	}
	_, err = fs.ReadFile(tree, "big.txt")
	if KindOf(err) != TooLarge || !strings.Contains(err.Error(), "big.txt") {
		t.Errorf("the large file: %v", err)
	}
}

func TestWorkTree(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "wt")
	must(t, os.MkdirAll(dir, 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("one"), 0o600))
	files, on, dirty, err := WorkTree(dir)
	if err != nil || on != (Commit{}) || dirty {
		t.Fatalf("outside a repository: %+v, %v, %v", on, dirty, err)
	}
	if data, err := fs.ReadFile(files, "a.txt"); err != nil || string(data) != "one" {
		t.Fatalf("a.txt: %q, %v", data, err)
	}
	c, err := gitd.NewLocal(t.Context(), dir)
	must(t, err)
	if _, on, dirty, err = WorkTree(dir); err != nil || on != (Commit{}) || !dirty {
		t.Fatalf("before the first commit: %+v, %v, %v", on, dirty, err)
	}
	must(t, c.Write("env/prod/x.cue", "x"))
	hash, err := c.Commit(t.Context(), "First")
	must(t, err)
	if _, on, dirty, err = WorkTree(dir); err != nil || on.Hash != hash || dirty {
		t.Fatalf("clean: %+v, %v, %v", on, dirty, err)
	}
	must(t, c.Write("a.txt", "two"))
	for sub, want := range map[string]bool{".": true, "env": false} {
		_, on, dirty, err = WorkTree(filepath.Join(dir, sub))
		if err != nil || on.Hash != hash || dirty != want {
			t.Errorf("%s changed: %+v, %v, %v", sub, on, dirty, err)
		}
	}
	if _, _, _, err = WorkTree(filepath.Join(dir, "nope")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "out")))
	files, _, _, err = WorkTree(dir)
	must(t, err)
	if _, err := fs.ReadFile(files, "out"); err == nil {
		t.Error("a link led out of the directory")
	}
}

func FuzzTreePath(f *testing.F) {
	dir := f.TempDir()
	c, err := gitd.NewLocal(f.Context(), filepath.Join(dir, "src"))
	if err == nil {
		err = c.Write("env/prod/x.cue", "x")
	}
	if err == nil {
		_, err = c.Commit(f.Context(), "First")
	}
	if err != nil {
		f.Fatal(err)
	}
	m, err := Open(f.Context(), Options{URL: c.Dir, Dir: filepath.Join(dir, "mirror")})
	if err == nil {
		_, err = m.Fetch(f.Context())
	}
	if err != nil {
		f.Fatal(err)
	}
	at, err := m.Head(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	tree, err := m.Tree(at.Hash)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{".", "env", "env/prod/x.cue", "../x", "/env", "env//prod", "env/prod/x.cue/y", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		info, err := fs.Stat(tree, name)
		known := map[string]bool{".": true, "env": true, "env/prod": true, "env/prod/x.cue": false}
		isDir, ok := known[name]
		if ok != (err == nil) || ok && info.IsDir() != isDir {
			t.Errorf("stat %q: %v, %v", name, info, err)
		}
	})
}

func BenchmarkReadTree(b *testing.B) {
	dir := b.TempDir()
	c, err := gitd.NewLocal(b.Context(), filepath.Join(dir, "src"))
	for i := 0; err == nil && i < 500; i++ {
		err = c.Write("env/"+strings.Repeat("d", i%20+1)+"/f"+string(rune('a'+i%26))+".cue", strings.Repeat("x", i))
	}
	if err == nil {
		_, err = c.Commit(b.Context(), "First")
	}
	if err != nil {
		b.Fatal(err)
	}
	m, err := Open(b.Context(), Options{URL: c.Dir, Dir: filepath.Join(dir, "mirror")})
	if err == nil {
		_, err = m.Fetch(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	at, err := m.Head(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		tree, err := m.Tree(at.Hash)
		if err != nil {
			b.Fatal(err)
		}
		err = fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				_, err = fs.ReadFile(tree, p)
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
