package forge

import (
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// add takes in the hunks of one file as GitHub and GitLab give them, without a
// header. What can't be read, or was cut short, takes no notes.
func (l lines) add(oldPath, newPath, hunks string) {
	if !strings.HasPrefix(hunks, "@@ ") {
		return
	}
	if !strings.HasSuffix(hunks, "\n") {
		hunks += "\n"
	}
	files, _, err := gitdiff.Parse(strings.NewReader("--- a/old\n+++ b/new\n" + hunks))
	if err != nil || len(files) != 1 {
		return
	}
	l.take(oldPath, newPath, files[0].TextFragments)
}

// addAll takes in a whole diff as Git writes it.
func (l lines) addAll(diff string) {
	files, _, err := gitdiff.Parse(strings.NewReader(diff))
	if err != nil {
		return
	}
	for _, f := range files {
		l.take(f.OldName, f.NewName, f.TextFragments)
	}
}

// take notes the lines that the head has: those added, and those around them.
func (l lines) take(oldPath, newPath string, hunks []*gitdiff.TextFragment) {
	if newPath == "" || len(hunks) == 0 {
		return
	}
	if oldPath == "" {
		oldPath = newPath
	}
	if l[newPath] == nil {
		l[newPath] = map[int]spot{}
	}
	for _, h := range hunks {
		was, is := int(h.OldPosition), int(h.NewPosition)
		for _, line := range h.Lines {
			switch line.Op {
			case gitdiff.OpAdd:
				l[newPath][is] = spot{oldPath: oldPath}
				is++
			case gitdiff.OpDelete:
				was++
			case gitdiff.OpContext:
				l[newPath][is] = spot{oldPath: oldPath, old: was}
				was++
				is++
			}
		}
	}
}
