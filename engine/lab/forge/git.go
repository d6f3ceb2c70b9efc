package forge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// refresh reads a pull's commits from the repository on disk, and puts the refs there
// that forges keep: the head's under the names of all three, and GitHub's trial
// merge.
func (r *repo) refresh(p *Pull) error {
	if r.dir == "" || p.State != "open" {
		return nil
	}
	base, err := r.branch(p.BaseRef)
	if err != nil {
		return err
	}
	head, err := r.branch(p.HeadRef)
	if err != nil {
		head = p.Head // the branch is gone; the forge keeps the commit
	}
	p.Head, p.Base = head, base
	if p.seen == [2]string{head, base} {
		return nil
	}
	p.seen = [2]string{head, base}
	n := strconv.Itoa(p.Number)
	for _, ref := range []string{"refs/pull/" + n + "/head", "refs/merge-requests/" + n + "/head"} {
		if _, err := r.git("update-ref", ref, head); err != nil {
			return err
		}
	}
	return r.tryMerge(p)
}

// branch gives the commit of a branch. It is asked for at each look at a pull, so the
// ref is read where it lies, and Git asked where that is among packed ones.
func (r *repo) branch(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(r.dir, "refs", "heads", filepath.FromSlash(name)))
	if hash := strings.TrimSpace(string(text)); err == nil && len(hash) == 40 {
		return hash, nil
	}
	return r.git("rev-parse", "--verify", "refs/heads/"+name)
}

func (r *repo) tryMerge(p *Pull) error {
	ref := "refs/pull/" + strconv.Itoa(p.Number) + "/merge"
	tree, err := r.git("merge-tree", "--write-tree", p.Base, p.Head)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		p.Conflict = true
		_, err = r.git("update-ref", "-d", ref)
		return err
	}
	if err != nil {
		return err
	}
	p.Conflict = false
	commit, err := r.git("-c", "user.name=Forge", "-c", "user.email=forge@lab.invalid", "commit-tree", "-p", p.Base, "-p", p.Head, "-m", "Trial merge", tree)
	if err == nil {
		_, err = r.git("update-ref", ref, commit)
	}
	return err
}

func (r *repo) git(args ...string) (string, error) {
	cmd := exec.CommandContext(context.Background(), "git", append([]string{"-C", r.dir}, args...)...) //nolint:gosec // git from PATH
	cmd.Env = append(cmd.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimRight(string(out), "\n"), nil
}

// file is a changed file with its hunks.
type file struct {
	path  string
	hunks string // as GitHub has them, without a header
}

// files gives what a pull changes, by path.
func (r *repo) files(p *Pull) []file {
	if r.dir == "" {
		var out []file
		for path, hunks := range p.Patches {
			out = append(out, file{path, hunks})
		}
		slices.SortFunc(out, func(a, b file) int { return strings.Compare(a.path, b.path) })
		return out
	}
	names, err := r.git("diff", "--name-only", "-z", p.Base+"..."+p.Head)
	if err != nil {
		return nil
	}
	var out []file
	for name := range strings.SplitSeq(strings.TrimRight(names, "\x00"), "\x00") {
		diff, err := r.git("diff", p.Base+"..."+p.Head, "--", name)
		if err != nil {
			return nil
		}
		if i := strings.Index(diff, "\n@@ "); i >= 0 {
			out = append(out, file{name, diff[i+1:]})
		}
	}
	return out
}

// diff gives the whole of it as Git writes it.
func (r *repo) diff(p *Pull) string {
	var b strings.Builder
	for _, f := range r.files(p) {
		fmt.Fprintf(&b, "diff --git a/%s b/%s\nindex 1111111..2222222 100644\n--- a/%s\n+++ b/%s\n%s\n", f.path, f.path, f.path, f.path, strings.TrimRight(f.hunks, "\n"))
	}
	return b.String()
}

// shows reports whether the diff has a line of the head, and whether the base has it
// too, as which line.
func (r *repo) shows(p *Pull, path string, line int) (old int, ok bool) {
	for _, f := range r.files(p) {
		if f.path != path {
			continue
		}
		was, is := 0, 0
		for text := range strings.SplitSeq(f.hunks, "\n") {
			switch {
			case strings.HasPrefix(text, "@@ "):
				was, is = hunkStart(text)
			case strings.HasPrefix(text, "+"):
				if is == line {
					return 0, true
				}
				is++
			case strings.HasPrefix(text, "-"):
				was++
			case strings.HasPrefix(text, " "):
				if is == line {
					return was, true
				}
				was++
				is++
			}
		}
	}
	return 0, false
}

// hunkStart reads "@@ -12,3 +14,5 @@".
func hunkStart(text string) (was, is int) {
	for f := range strings.FieldsSeq(text) {
		number, _, _ := strings.Cut(strings.TrimLeft(f, "-+"), ",")
		switch n, err := strconv.Atoi(number); {
		case err != nil:
		case f[0] == '-':
			was = n
		case f[0] == '+':
			is = n
		}
	}
	return was, is
}
