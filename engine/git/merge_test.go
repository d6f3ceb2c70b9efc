package git

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const ten = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n"

// file is a regular file of a model's tree.
func file(data string) string { return "100644 " + data }

// mergeOf makes a history of a base and two changes of it, and merges those.
func mergeOf(t *testing.T, base, ours, theirs at) (Merged, error) {
	t.Helper()
	m, mirror := newModel(t)
	var w strings.Builder
	root := m.commit(&w, base)
	a, b := m.commit(&w, ours, root), m.commit(&w, theirs, root)
	from, head := m.load(t, w.String(), a, b)
	got, err := mirror.Merge(t.Context(), from, head)
	if err != nil {
		return got, err
	}
	tree, conflicts := m.merge(t, from, head)
	if got.Tree != tree || !slices.Equal(conflicting(got.Conflicts), conflicts) {
		t.Errorf("tree %q, conflicts %q; git has %q, %q", got.Tree, got.Conflicts, tree, conflicts)
	}
	return got, nil
}

func TestMergeClean(t *testing.T) {
	t.Parallel()
	changed := strings.Replace(ten, "nine", "9", 1)
	base := at{"a": file(ten), "d/b": file(ten + "b\n"), "e": file("e\n")}
	ours := at{"a": file("0\n" + ten), "d/b": file(ten + "b\n"), "e": file("e\n"), "f": file("f\n")}
	theirs := at{"a": file(changed), "n/b": "100755 " + ten + "b\n", "e": file("e\n")}
	got, err := mergeOf(t, base, ours, theirs)
	must(t, err)
	if want := []string{"a", "d/b", "n/b"}; !slices.Equal(got.Changed, want) || got.UpToDate || got.FastForward || len(got.Bases) != 1 {
		t.Errorf("got %+v", got)
	}
	for path, want := range map[string]string{"a": "0\n" + changed, "n/b": ten + "b\n", "e": "e\n", "f": "f\n"} {
		if data, err := fs.ReadFile(got.Files, path); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
	if info, err := fs.Stat(got.Files, "a"); err != nil || info.Size() != int64(len(changed)+2) || info.ModTime().IsZero() {
		t.Errorf("stat: %+v, %v", info, err)
	}
	if _, err := fs.Stat(got.Files, "d"); err == nil {
		t.Error("the directory that was emptied is there")
	}
}

func TestMergeConflicts(t *testing.T) {
	t.Parallel()
	two, other := strings.Replace(ten, "two", "2", 1), strings.Replace(ten, "two", "zwei", 1)
	for name, c := range map[string]struct {
		base, ours, theirs at
		want               Conflict
	}{
		"both changed": {at{"a": file(ten)}, at{"a": file(two)}, at{"a": file(other)}, Conflict{Path: "a", Clash: BothChanged}},
		"in a renamed": {at{"a": file(ten)}, at{"b": file(two)}, at{"a": file(other)}, Conflict{Path: "b", Clash: BothChanged}},
		"binary":       {at{"a": file("\x00")}, at{"a": file("\x001")}, at{"a": file("\x002")}, Conflict{Path: "a", Clash: BothChanged}},
		"link":         {at{"a": "120000 x"}, at{"a": "120000 y"}, at{"a": "120000 z"}, Conflict{Path: "a", Clash: BothChanged}},
		"both added":   {at{"c": file("c\n")}, at{"c": file("c\n"), "a": file("1\n")}, at{"c": file("c\n"), "a": file("2\n")}, Conflict{Path: "a", Clash: BothAdded}},
		"deleted":      {at{"a": file(ten)}, at{}, at{"a": file(two)}, Conflict{Path: "a", Clash: ChangedDeleted}},
		"file and directory": {
			at{"c": file("c\n")}, at{"c": file("c\n"), "a": file(ten)}, at{"c": file("c\n"), "a/b": file("b\n")}, Conflict{Path: "a", Clash: FileDirectory},
		},
		"type": {at{"a": file(ten)}, at{"a": "120000 x"}, at{"a": file(two)}, Conflict{Path: "a", Clash: TypeClash}},
		"mode": {
			at{"c": file("c\n")}, at{"c": file("c\n"), "a": file("1\n")}, at{"c": file("c\n"), "a": "100755 1\n"}, Conflict{Path: "a", Clash: ModeClash},
		},
		"renamed apart":       {at{"a": file(ten)}, at{"b": file(ten)}, at{"c": file(ten)}, Conflict{Path: "a", Clash: RenamedApart, Others: []string{"b", "c"}}},
		"renamed and deleted": {at{"a": file(ten)}, at{"b": file(ten)}, at{}, Conflict{Path: "b", Clash: RenamedDeleted}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := mergeOf(t, c.base, c.ours, c.theirs)
			must(t, err)
			if len(got.Conflicts) != 1 || fmt.Sprint(got.Conflicts[0]) != fmt.Sprint(c.want) || got.Files != nil || got.Tree != "" {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if s := c.want.String(); !strings.HasPrefix(s, c.want.Path+": ") || strings.HasSuffix(s, ": ") {
				t.Errorf("it reads %q", s)
			}
		})
	}
}

func TestMergeRetyped(t *testing.T) {
	t.Parallel()
	base := at{"a": file(ten)}
	if got, err := mergeOf(t, base, at{"b": file(ten)}, at{"a": "120000 x"}); err != nil || len(got.Conflicts) == 0 {
		t.Errorf("a rename of what became a link: %+v, %v", got, err)
	}
	if got, err := mergeOf(t, base, at{"b": file(ten)}, at{"a": "120000 x", "b": "120000 y"}); err != nil || len(got.Conflicts) == 0 {
		t.Errorf("and a link in its place: %+v, %v", got, err)
	}
}

func TestMergeWithoutAMerge(t *testing.T) {
	t.Parallel()
	m, mirror := newModel(t)
	var w strings.Builder
	root := m.commit(&w, at{"a": file(ten)})
	next := m.commit(&w, at{"a": file(ten), "b": file("b\n")}, root)
	old, head := m.load(t, w.String(), root, next)
	got, err := mirror.Merge(t.Context(), old, head)
	if err != nil || !got.FastForward || got.UpToDate || !slices.Equal(got.Changed, []string{"b"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if data, err := fs.ReadFile(got.Files, "b"); err != nil || string(data) != "b\n" {
		t.Errorf("b: %q, %v", data, err)
	}
	for _, base := range []string{old, head} {
		got, err = mirror.Merge(t.Context(), base, old)
		if err != nil || got.FastForward || !got.UpToDate || len(got.Changed) > 0 || (got.Tree == "") != (got.Files == nil) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	w.Reset()
	w.WriteString("reset refs/heads/v\n")
	alone := m.commit(&w, at{"z": file("z\n")})
	commands := strings.Replace(w.String(), "commit refs/heads/w", "commit refs/heads/v", 1)
	stranger, _ := m.load(t, commands, alone, alone)
	_, err = mirror.Merge(t.Context(), head, stranger)
	wantKind(t, err, Unrelated)
	_, err = mirror.Merge(t.Context(), "main", head)
	wantKind(t, err, NoRevision)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mirror.Merge(ctx, old, head); err == nil {
		t.Error("it goes on when nobody waits")
	}
}

func TestMergeLimits(t *testing.T) {
	t.Parallel()
	m, mirror := newModel(t)
	mirror.opts.MaxFile = int64(len(ten))
	var w strings.Builder
	root := m.commit(&w, at{"a": file(ten), "b": file(ten)})
	a := m.commit(&w, at{"a": file("0\n" + ten), "b": file(ten)}, root)
	b := m.commit(&w, at{"a": file(ten + "11\n"), "b": file(ten)}, root)
	base, head := m.load(t, w.String(), a, b)
	_, err := mirror.Merge(t.Context(), base, head)
	wantKind(t, err, TooLarge)
	if !strings.Contains(err.Error(), "both changed a,") {
		t.Errorf("the error is %v", err)
	}
}

// The result stays readable, by several at once, while the mirror is repacked.
func TestMergedFilesOutliveARepack(t *testing.T) {
	t.Parallel()
	p := newPeer(t, true)
	p.push(t, "First", false, "a.txt", ten, "d/b.txt", "b")
	head := p.pull(t, "refs/pull/1/head", "a.txt", ten+"eleven\n")
	base := p.push(t, "Second", false, "a.txt", "zero\n"+ten)
	m := open(t, Options{URL: p.url})
	fetch(t, m)
	_, err := m.FetchRefs(t.Context(), []string{"refs/pull/1/head"})
	must(t, err)
	got, err := m.Merge(t.Context(), base, head)
	must(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				a, errA := fs.ReadFile(got.Files, "a.txt")
				b, errB := fs.ReadFile(got.Files, "d/b.txt")
				if string(a) != "zero\n"+ten+"eleven\n" || string(b) != "b" {
					t.Errorf("%q, %v; %q, %v", a, errA, b, errB)
					return
				}
			}
		})
	}
	p.push(t, "Third", false, "c.txt", "c")
	m.packed = repackEvery
	fetch(t, m)
	wg.Wait()
	if left, err := filepath.Glob(filepath.Join(m.opts.Dir, "objects", "??")); err != nil || len(left) > 0 {
		t.Errorf("the merge left objects behind: %q, %v", left, err)
	}
}
