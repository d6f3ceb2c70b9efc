package git

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// model makes commits in a bare repository by `git fast-import`, and asks git what
// it merges them to.
type model struct {
	dir  string
	mark int
}

// at is the tree of a commit: mode, space, content by path. A submodule's content
// is a hash.
type at map[string]string

func (m *model) git(t interface{ Fatalf(string, ...any) }, stdin string, args ...string) (string, int) {
	cmd := exec.Command("git", append([]string{"-c", "core.quotePath=false", "--git-dir", m.dir}, args...)...)
	cmd.Env = []string{"HOME=" + m.dir, "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin"}
	cmd.Stdin = strings.NewReader(stdin)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() > 1) {
		t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, said.String())
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// commit writes the command for one commit. Each is a minute younger than the one
// before it.
func (m *model) commit(w *strings.Builder, tree at, parents ...int) int {
	m.mark++
	fmt.Fprintf(w, "commit refs/heads/w\nmark :%d\ncommitter M <m@example.com> %d +0000\ndata 1\nx\n", m.mark, 1_700_000_000+60*m.mark)
	for i, p := range parents {
		fmt.Fprintf(w, "%s :%d\n", []string{"from", "merge"}[min(i, 1)], p)
	}
	w.WriteString("deleteall\n")
	for _, path := range sortedKeys(tree) {
		mode, data, _ := strings.Cut(tree[path], " ")
		if mode == "160000" {
			fmt.Fprintf(w, "M %s %s %s\n", mode, data, path)
			continue
		}
		fmt.Fprintf(w, "M %s inline %s\ndata %d\n%s\n", mode, path, len(data), data)
	}
	return m.mark
}

func sortedKeys(tree at) []string {
	var out []string
	for p := range tree {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// load imports commits and gives the hashes of two, by their marks.
func (m *model) load(t interface{ Fatalf(string, ...any) }, commands string, a, b int) (string, string) {
	out, _ := m.git(t, fmt.Sprintf("reset refs/heads/w\n%sget-mark :%d\nget-mark :%d\n", commands, a, b), "fast-import", "--quiet", "--force")
	hashes := strings.Fields(out)
	if len(hashes) != 2 {
		t.Fatalf("fast-import says %q", out)
	}
	return hashes[0], hashes[1]
}

// aside is what git puts behind the name of a file that had to make way.
var aside = regexp.MustCompile(`~[0-9a-f]{40}(_[0-9]+)?$`)

// merge gives git's tree, or the files that conflict.
func (m *model) merge(t interface{ Fatalf(string, ...any) }, a, b string) (tree string, conflicts []string) {
	out, code := m.git(t, "", "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", a, b)
	parts := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	if code == 0 {
		return parts[0], nil
	}
	for _, p := range parts[1:] {
		conflicts = append(conflicts, aside.ReplaceAllString(p, ""))
	}
	slices.Sort(conflicts)
	return "", slices.Compact(conflicts)
}

// conflicting gives the files of conflicts, those that were renamed under all of
// their names.
func conflicting(list []Conflict) []string {
	var out []string
	for _, c := range list {
		out = append(append(out, c.Path), c.Others...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// newModel gives a mirror whose commits git makes in place.
func newModel(t *testing.T) (*model, *Mirror) {
	t.Helper()
	mirror := open(t, Options{URL: filepath.Join(t.TempDir(), "nobody.git")})
	m := &model{dir: mirror.opts.Dir}
	m.git(t, "", "config", "merge.directoryRenames", "false")
	m.git(t, "", "config", "fastimport.unpackLimit", "0") // a pack for each import
	return m, mirror
}

// edits change a tree in ways that people do.
type edits struct {
	t     *rapid.T
	fresh *int
}

func (e edits) line() string {
	if rapid.IntRange(0, 2).Draw(e.t, "kind of line") == 0 {
		return rapid.SampledFrom([]string{"}", "", "{", "  a: 1"}).Draw(e.t, "line") + "\n"
	}
	*e.fresh++
	return fmt.Sprintf("line %d of what somebody wrote\n", *e.fresh)
}

func (e edits) text(n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(e.line())
	}
	return b.String()
}

func (e edits) name() string {
	return rapid.SampledFrom([]string{"a", "b", "c", "d/a", "d/b", "d/e/a", "f/a", "f/b", "a/x", "g"}).Draw(e.t, "name")
}

// apply gives a tree with some changes.
func (e edits) apply(tree at, n int) at {
	out := at{}
	for p, v := range tree {
		out[p] = v
	}
	for range n {
		paths := sortedKeys(out)
		if len(paths) == 0 {
			e.put(out, e.name(), "100644 "+e.text(5))
			continue
		}
		p := rapid.SampledFrom(paths).Draw(e.t, "path")
		mode, data, _ := strings.Cut(out[p], " ")
		switch rapid.SampledFrom([]string{"edit", "edit", "edit", "edit", "add", "delete", "rename", "rename", "mode", "type"}).Draw(e.t, "change") {
		case "edit":
			if mode != "160000" && mode != "120000" {
				out[p] = mode + " " + e.edit(data)
			}
		case "add":
			e.put(out, e.name(), "100644 "+e.text(rapid.IntRange(1, 12).Draw(e.t, "lines")))
		case "delete":
			delete(out, p)
		case "rename":
			v := out[p]
			delete(out, p)
			e.put(out, e.name(), v)
		case "mode":
			out[p] = map[string]string{"100644": "100755", "100755": "100644", "120000": "120000", "160000": "160000"}[mode] + " " + data
		case "type":
			out[p] = rapid.SampledFrom([]string{
				"120000 there", "120000 elsewhere", "160000 " + strings.Repeat("1", 40), "160000 " + strings.Repeat("2", 40), "100644 a\x00b", "100644 a\x00c", "100644 ",
			}).Draw(e.t, "what")
		}
	}
	return out
}

// put puts a file, and takes away what is in its way.
func (e edits) put(tree at, path, v string) {
	for p := range tree {
		if strings.HasPrefix(p, path+"/") || strings.HasPrefix(path, p+"/") {
			delete(tree, p)
		}
	}
	tree[path] = v
}

// edit changes a line or a few.
func (e edits) edit(data string) string {
	lines := strings.SplitAfter(data, "\n")
	i := rapid.IntRange(0, len(lines)-1).Draw(e.t, "where")
	j := min(len(lines), i+rapid.IntRange(0, 2).Draw(e.t, "lines"))
	return strings.Join(slices.Concat(lines[:i], []string{e.text(rapid.IntRange(0, 2).Draw(e.t, "new"))}, lines[j:]), "")
}

// TestMergeAsGit merges generated histories, forks, renames and crossings among
// them, and compares with `git merge-tree`: the same tree, or conflicts in the
// same files. Where histories cross, the base is itself merged, and where that
// conflicts, it may come out otherwise than git's, seldom: there a conflict that
// just one of the two sees is let pass, and one in other files: the forge merges by
// itself, and what it makes of it is planned. Another tree than git's never is.
func TestMergeAsGit(t *testing.T) {
	t.Parallel()
	m, mirror := newModel(t)
	clean, conflicted, crossed := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var w strings.Builder
		fresh := 0
		e := edits{t, &fresh}
		first := at{}
		for _, p := range []string{"a", "b", "d/a", "d/b", "f/a"} {
			first[p] = "100644 " + e.text(rapid.IntRange(4, 20).Draw(t, "lines"))
		}
		n := func() int { return rapid.IntRange(0, 4).Draw(t, "changes") }
		root := m.commit(&w, first)
		ta, tb := e.apply(first, n()), e.apply(first, n())
		a, b := m.commit(&w, ta, root), m.commit(&w, tb, root)
		crossings := rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "crossings")
		for range crossings {
			// Each takes in the other, and settles what conflicts as it likes.
			x, y := ta, tb
			ta, tb = e.apply(x, n()), e.apply(y, n())
			if rapid.Bool().Draw(t, "both settle alike") {
				ta = e.apply(tb, n())
			}
			a, b = m.commit(&w, ta, a, b), m.commit(&w, tb, b, a)
			ta, tb = e.apply(ta, n()), e.apply(tb, n())
			a, b = m.commit(&w, ta, a), m.commit(&w, tb, b)
		}
		base, head := m.load(t, w.String(), a, b)
		mirror.read.forget()
		got, err := mirror.Merge(t.Context(), base, head)
		if err != nil {
			t.Fatalf("%v", err)
		}
		tree, conflicts := m.merge(t, base, head)
		alike := got.Tree == tree && slices.Equal(conflicting(got.Conflicts), conflicts)
		if !alike && crossings > 0 && (got.Tree == "" || tree == "") {
			return
		}
		if !alike {
			t.Fatalf("merge of %s and %s: tree %q, conflicts %q; git has %q, %q", base, head, got.Tree, got.Conflicts, tree, conflicts)
		}
		if crossings > 0 {
			crossed++
		}
		if tree != "" {
			clean++
		} else {
			conflicted++
		}
	})
	t.Logf("alike: %d clean, %d conflicted, %d of both crossed", clean, conflicted, crossed)
	if clean == 0 || conflicted == 0 || crossed == 0 {
		t.Error("one of these was never tried")
	}
	if out, code := (&model{dir: mirror.opts.Dir}).git(t, "", "fsck", "--full"); code != 0 {
		t.Errorf("fsck: %s", out)
	}
}

// BenchmarkMerge merges two changes of a tree of 10,000 files in 100 directories.
func BenchmarkMerge(b *testing.B) {
	mirror, err := Open(b.Context(), Options{URL: filepath.Join(b.TempDir(), "nobody.git"), Dir: filepath.Join(b.TempDir(), "mirror")})
	if err != nil {
		b.Fatal(err)
	}
	m := &model{dir: mirror.opts.Dir}
	base, ours, theirs := at{}, at{}, at{}
	for i := range 10_000 {
		path, data := fmt.Sprintf("env/%02d/f%04d.cue", i%100, i), fmt.Sprintf("100644 package e%d\n", i)
		base[path], ours[path], theirs[path] = data, data, data
	}
	ours["env/07/f0007.cue"] = "100644 package ours\n"
	theirs["env/08/f0008.cue"] = "100644 package theirs\n"
	var w strings.Builder
	root := m.commit(&w, base)
	x, y := m.commit(&w, ours, root), m.commit(&w, theirs, root)
	from, head := m.load(b, w.String(), x, y)
	for b.Loop() {
		if got, err := mirror.Merge(b.Context(), from, head); err != nil || got.Tree == "" {
			b.Fatal(got, err)
		}
	}
}

// BenchmarkContains asks for a commit that is 10 back in a history of 50,000.
func BenchmarkContains(b *testing.B) {
	mirror, err := Open(b.Context(), Options{URL: filepath.Join(b.TempDir(), "nobody.git"), Dir: filepath.Join(b.TempDir(), "mirror")})
	if err != nil {
		b.Fatal(err)
	}
	m := &model{dir: mirror.opts.Dir}
	var w strings.Builder
	last := m.commit(&w, at{})
	for range 50_000 {
		last = m.commit(&w, at{}, last)
	}
	near, head := m.load(b, w.String(), last-10, last)
	for b.Loop() {
		if ok, err := mirror.Contains(b.Context(), near, head); err != nil || !ok {
			b.Fatal(ok, err)
		}
	}
}
