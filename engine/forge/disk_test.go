package forge

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	labforge "isobar.dev/engine/lab/forge"
)

// disk is a bare repository on disk, with a way to commit to its branches.
type disk struct{ dir string }

func newDisk(t *testing.T) disk {
	t.Helper()
	b := disk{filepath.Join(t.TempDir(), "infra.git")}
	must(t, os.Mkdir(b.dir, 0o700))
	b.git(t, "", "init", "--quiet", "--bare", "--initial-branch=main")
	return b
}

func (b disk) git(t *testing.T, in string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", b.dir, "-c", "user.name=mei", "-c", "user.email=mei@lab.invalid"}, args...)...)
	cmd.Stdin = strings.NewReader(in)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %v: %v: %s", args, err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// commit puts a commit with these files on a branch, upon what it holds or upon from.
func (b disk) commit(t *testing.T, branch, from string, files map[string]string) string {
	t.Helper()
	var tree strings.Builder
	for name, text := range files {
		tree.WriteString("100644 blob " + b.git(t, text, "hash-object", "-w", "--stdin") + "\t" + name + "\n")
	}
	args := []string{"commit-tree", "-m", "change", b.git(t, tree.String(), "mktree")}
	if from != "" {
		args = append(args, "-p", from)
	}
	hash := b.git(t, "", args...)
	b.git(t, "", "update-ref", "refs/heads/"+branch, hash)
	return hash
}

// What a pull holds comes from the branches, as do its diff and its trial merge.
func TestBesideRepository(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		b := newDisk(t)
		w.lab.Repo(w.repo, b.dir)
		first := b.commit(t, "main", "", map[string]string{"net.cue": "a\nb\nc\nd\ne\nf\ng\nh\n", "vm.cue": "x\n"})
		head := b.commit(t, "web", first, map[string]string{"net.cue": "a\nb\nc\nd\ne\nf\ng\nH\ni\n", "vm.cue": "x\n"})
		n := w.open(t, labforge.Pull{HeadRef: "web"})
		read := func() Pull {
			t.Helper()
			p, err := w.Pull(t.Context(), n)
			must(t, err)
			return p
		}
		p := read()
		same(t, "head", p.Head, head)
		same(t, "base", p.Base, first)
		same(t, "mergeable", p.Mergeable, Yes)
		same(t, "ref of the head", b.git(t, "", "rev-parse", p.HeadFetch), head)
		left, err := w.Annotate(t.Context(), p, []Note{{"net.cue", 9, "added"}, {"net.cue", 7, "around"}, {"net.cue", 1, "far away"}, {"vm.cue", 1, "not changed"}})
		must(t, err)
		if len(left) != 2 || left[0].Line != 1 || left[1].Path != "vm.cue" {
			t.Errorf("left over: %v", left)
		}
		second := b.commit(t, "main", first, map[string]string{"net.cue": "a\nb\nc\nd\ne\nf\ng\nh\n", "vm.cue": "y\n"})
		must(t, w.lab.Push(w.repo, "main"))
		p = read()
		if p.MergeFetch != "" {
			parents := b.git(t, "", "rev-parse", p.MergeFetch+"^1", p.MergeFetch+"^2")
			same(t, "parents of the trial merge", parents, second+"\n"+head)
			same(t, "merged", b.git(t, "", "show", p.MergeFetch+":vm.cue"), "y")
		}
		b.commit(t, "main", second, map[string]string{"net.cue": "other\n", "vm.cue": "y\n"})
		must(t, w.lab.Push(w.repo, "main"))
		if p := read(); p.Mergeable == Yes {
			t.Error("a conflict is mergeable")
		}
	})
}
