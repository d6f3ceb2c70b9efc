package git

import (
	"context"
	"fmt"
	"hash/maphash"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// Merged is what merging one commit into another gives. Either Conflicts is empty
// and Files holds the result, or there is none.
type Merged struct {
	Files     fs.FS      // as Tree gives them, dated like the head
	Tree      string     // the hash that Git gives the same files, 40 hex digits; it need not be in the mirror
	Conflicts []Conflict // sorted by path

	Bases       []string // full hashes of the commits that the merge begins from, the oldest first; several where the histories cross
	Changed     []string // files that the head has otherwise than its base, or only one of both has: sorted, with both names of a renamed one
	UpToDate    bool     // the base holds the head already
	FastForward bool     // the head holds the base: the result is the head
}

// Clash says in what way two changes of a file conflict.
type Clash string

// The clashes. "Both" are the base that is merged into and the head.
const (
	BothChanged    Clash = "both_changed"    // the same lines, or a file that is no text, a link or a submodule
	BothAdded      Clash = "both_added"      // other files under one name, by a rename too
	ChangedDeleted Clash = "changed_deleted" // one changed what the other deleted
	FileDirectory  Clash = "file_directory"  // one's file stands where the other has a directory
	TypeClash      Clash = "type"            // a file for one, a link or a submodule for the other
	ModeClash      Clash = "mode"            // the same content, executable or not
	RenamedApart   Clash = "renamed_apart"   // both renamed it, to other names
	RenamedDeleted Clash = "renamed_deleted" // one renamed what the other deleted
)

// Conflict is a file that can't be merged.
type Conflict struct {
	Path   string // from the repository's root, with slashes
	Clash  Clash
	Others []string // of RenamedApart the two new names, the base's first
}

// String says what happened to the file, for people.
func (c Conflict) String() string {
	said := map[Clash]string{
		BothChanged: "both changed it", BothAdded: "both added it", ChangedDeleted: "one changed it, the other deleted it",
		FileDirectory: "it is a file for one and a directory for the other", TypeClash: "it is of another type for each",
		ModeClash: "both changed its mode", RenamedApart: "each renamed it otherwise", RenamedDeleted: "one renamed it, the other deleted it",
	}
	s := c.Path + ": " + said[c.Clash]
	if len(c.Others) > 0 {
		s += " (" + strings.Join(c.Others, ", ") + ")"
	}
	return s
}

// Merge merges a head into a base, both full hashes of commits that the mirror
// holds, in the object store: no work tree is touched and nothing is written. It
// gives what `git merge` gives (git-merge(1), strategy ort): three versions of each
// file are compared, texts line by line; a file that one renamed and the other
// changed is followed when at least half of it is the same; where histories cross
// their bases are merged first. Only directories that differ are read.
//
// It leaves out what a repository's own settings would change, merge drivers and
// renormalisation of .gitattributes, and renames of directories: a file that one
// adds to a directory that the other renamed stays where it was added, as with
// merge.directoryRenames=false, where git's default calls it a conflict. Submodules are commits to it: two that differ
// conflict.
//
// Unrelated histories are an Error of kind Unrelated; a text above Options.MaxFile
// that both changed, and trees or histories too large to be merged, of kind
// TooLarge. It may run in several goroutines, and while Fetch does.
func (m *Mirror) Merge(ctx context.Context, base, head string) (Merged, error) {
	ours, err := m.commitHash(base)
	if err != nil {
		return Merged{}, err
	}
	theirs, err := m.commitHash(head)
	if err != nil {
		return Merged{}, err
	}
	g := &merging{
		objects: objects{m.read, map[plumbing.Hash]plumbing.EncodedObject{}},
		ctx:     ctx, history: m.history(ctx), max: m.opts.MaxFile, shown: m.at.shown, left: maxEntries,
		seed: maphash.MakeSeed(), prints: map[plumbing.Hash]fingerprint{},
	}
	bases, err := g.history.bases(ours, theirs)
	if err != nil {
		return Merged{}, err
	}
	if len(bases) == 0 {
		return Merged{}, &Error{
			Kind: Unrelated, URL: m.at.shown, What: fmt.Sprintf("%s and %s have no commit in common", base, head),
			Mend: "begin the branch again from the one that it is to be merged into",
		}
	}
	out := Merged{UpToDate: slices.Contains(bases, theirs), FastForward: ours != theirs && slices.Contains(bases, ours)}
	for _, b := range bases {
		out.Bases = append(out.Bases, b.String())
	}
	root, err := g.result(&out, bases, ours, theirs)
	if err != nil || len(out.Conflicts) > 0 {
		return out, err
	}
	when := time.Unix(g.history.seen[theirs].when, 0)
	out.Files = &tree{objects: g.objects, root: root, when: when, max: m.opts.MaxFile, dirs: map[plumbing.Hash][]entry{}}
	out.Tree = root.String()
	return out, nil
}

// maxCrossings is how many merges of merge bases are made for one merge. Honest
// histories have a handful.
const maxCrossings = 64

// result gives the merged tree, and notes what is changed and what conflicts.
func (g *merging) result(out *Merged, bases []plumbing.Hash, ours, theirs plumbing.Hash) (plumbing.Hash, error) {
	base, err := g.oneBase(bases, 0)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	three := [3]plumbing.Hash{}
	for i, c := range []plumbing.Hash{base, ours, theirs} {
		n, err := g.history.node(c)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		three[i] = n.tree
	}
	cells, err := g.compare(three)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	for path, c := range cells {
		if c.is[0] != c.is[2] {
			out.Changed = append(out.Changed, path)
		}
	}
	slices.Sort(out.Changed)
	switch {
	case out.UpToDate:
		return three[1], nil
	case out.FastForward:
		return three[2], nil
	}
	made, err := g.merge(cells, three[1], 0)
	out.Conflicts = made.conflicts
	return made.root, err
}

// oneBase gives the commit to begin from: of several bases, a made-up one that
// merges them, conflicts and all, as git does it. depth says how deep in such
// merges this is.
func (g *merging) oneBase(bases []plumbing.Hash, depth int) (plumbing.Hash, error) {
	one := bases[0]
	for _, next := range bases[1:] {
		if g.crossings++; g.crossings > maxCrossings {
			return one, &Error{
				Kind: TooLarge, URL: g.shown, What: fmt.Sprintf("the two histories cross too often to be merged, more than %d times", maxCrossings),
				Mend: "merge the base into the head, or rebase it",
			}
		}
		tree, err := g.mergeBases(one, next, depth+1)
		if err != nil {
			return one, err
		}
		n := node{tree: tree, parents: []plumbing.Hash{one, next}, when: max(g.history.seen[one].when, g.history.seen[next].when)}
		one = plumbing.ComputeHash(plumbing.CommitObject, []byte(one.String()+next.String()))
		g.history.seen[one] = n
	}
	return one, nil
}

// mergeBases merges two commits whatever conflicts, and gives the tree.
func (g *merging) mergeBases(a, b plumbing.Hash, depth int) (plumbing.Hash, error) {
	bases, err := g.history.bases(a, b)
	if err != nil {
		return a, err
	}
	three := [3]plumbing.Hash{{}, g.history.seen[a].tree, g.history.seen[b].tree}
	if len(bases) > 0 { // else they begin from nothing
		base, err := g.oneBase(bases, depth)
		if err != nil {
			return a, err
		}
		three[0] = g.history.seen[base].tree
	}
	cells, err := g.compare(three)
	if err != nil {
		return a, err
	}
	made, err := g.merge(cells, three[1], depth)
	return made.root, err
}
