package git

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"isobar.dev/engine/linemerge"
)

// maxEntries is how many entries of trees one merge looks at: a tree of a few
// kilobytes that names itself over and over unfolds to billions.
const maxEntries = 1 << 22

// maxPath is how many bytes a path may have: PATH_MAX of Linux, beyond which
// nobody could check it out.
const maxPath = 4096

// merging is one merge. Use from one goroutine.
type merging struct {
	objects
	ctx       context.Context //nolint:containedctx // of this one merge
	history   *history
	max       int64 // bytes of the largest text that is merged
	shown     string
	left      int // entries that may still be looked at
	crossings int
	seed      maphash.Seed
	prints    map[plumbing.Hash]fingerprint
}

// version is a file as one commit has it; the zero one is none.
type version struct {
	mode filemode.FileMode
	hash plumbing.Hash
}

func (v version) there() bool { return v.mode != filemode.Empty }

func (v version) regular() bool {
	return v.mode == filemode.Regular || v.mode == filemode.Executable
}

// sort is the mode but for whether a file is executable.
func (v version) sort() filemode.FileMode {
	if v.mode == filemode.Executable {
		return filemode.Regular
	}
	return v.mode
}

// cell is a path that is not the same in all three trees.
type cell struct {
	is    [3]version // in the base, ours and theirs; renames bring some from other paths
	was   version    // ours before that
	clash Clash      // a conflict whatever the versions are, or ""
	apart []string   // of RenamedApart
}

// compare lists what is not the same in three trees: base, ours, theirs.
func (g *merging) compare(three [3]plumbing.Hash) (map[string]*cell, error) {
	cells := map[string]*cell{}
	return cells, g.walk(cells, "", three)
}

// walk adds what differs below a directory. Equal subtrees are not read.
func (g *merging) walk(cells map[string]*cell, dir string, three [3]plumbing.Hash) error {
	if three[0] == three[1] && three[1] == three[2] {
		return nil
	}
	if err := g.ctx.Err(); err != nil {
		return err
	}
	if len(dir) > maxPath {
		return g.tooLarge(fmt.Sprintf("directories are nested deeper than the %d bytes of a path", maxPath))
	}
	found := map[string]*[3]version{}
	for i, h := range three {
		list, err := g.entries(h)
		if err != nil {
			return err
		}
		if g.left -= len(list) + 1; g.left < 0 {
			return g.tooLarge(fmt.Sprintf("more than %d files and directories differ", maxEntries))
		}
		for _, e := range list {
			if found[e.Name] == nil {
				found[e.Name] = &[3]version{}
			}
			found[e.Name][i] = version{canonical(e.Mode), e.Hash}
		}
	}
	for name, is := range found {
		if is[0] == is[1] && is[1] == is[2] {
			continue
		}
		var below [3]plumbing.Hash
		for i, v := range is {
			if v.mode == filemode.Dir {
				below[i], is[i] = v.hash, version{}
			}
		}
		if is[0] != is[1] || is[1] != is[2] {
			cells[dir+name] = &cell{is: *is, was: is[1]}
		}
		if err := g.walk(cells, dir+name+"/", below); err != nil {
			return err
		}
	}
	return nil
}

func (g *merging) tooLarge(what string) error {
	return &Error{Kind: TooLarge, URL: g.shown, What: what, Mend: "make several smaller changes of it"}
}

// canonical is a mode as git writes it today: old trees hold group-writable files.
func canonical(m filemode.FileMode) filemode.FileMode {
	if m == filemode.Deprecated {
		return filemode.Regular
	}
	return m
}

// outcome is a merged tree. With conflicts it is only good for a made-up base.
type outcome struct {
	root      plumbing.Hash
	conflicts []Conflict
}

// merge decides about all cells and builds the tree: ours with what differs. At a
// depth above 0 it makes a base, in which conflicts stand.
func (g *merging) merge(cells map[string]*cell, ours plumbing.Hash, depth int) (outcome, error) {
	var out outcome
	if err := g.followRenames(cells, depth); err != nil {
		return out, err
	}
	var changes []change
	for _, path := range slices.Sorted(maps.Keys(cells)) {
		c := cells[path]
		got, clash, err := g.decide(path, c, depth)
		if err != nil {
			return out, err
		}
		if c.clash != "" {
			clash = c.clash
		}
		if clash != "" {
			out.conflicts = append(out.conflicts, Conflict{path, clash, c.apart})
		}
		if got != c.was {
			changes = append(changes, change{path, got})
		}
	}
	b := builder{g, nil}
	root, err := b.build(ours, "", changes)
	if err != nil {
		return out, err
	}
	if root.IsZero() {
		root, err = g.makeTree(nil)
	}
	out.root, out.conflicts = root, append(out.conflicts, b.clashes...)
	slices.SortStableFunc(out.conflicts, func(a, b Conflict) int { return cmp.Compare(a.Path, b.Path) })
	return out, err
}

// decide gives what becomes of a path, and in what way it conflicts. What
// conflicts is in a made-up base as the base of the two had it; else its version
// does not matter.
func (g *merging) decide(path string, c *cell, depth int) (version, Clash, error) {
	base, ours, theirs := c.is[0], c.is[1], c.is[2]
	switch {
	case c.clash != "" && c.clash != RenamedApart && base.there():
		return base, c.clash, nil
	case ours == theirs || base == ours:
		return theirs, "", nil
	case base == theirs:
		return ours, "", nil
	case !ours.there() || !theirs.there():
		return base, ChangedDeleted, nil
	case ours.sort() != theirs.sort():
		return base, TypeClash, nil
	}
	got, clash, err := g.mergeFile(path, c.is, depth)
	if clash == BothChanged && !base.there() {
		clash = BothAdded
	}
	return got, clash, err
}

// mergeFile merges two versions of a file that are of one type. A base of another
// type is none.
func (g *merging) mergeFile(path string, is [3]version, depth int) (version, Clash, error) {
	base, ours, theirs := is[0], is[1], is[2]
	got, clash := version{mode: theirs.mode}, Clash("")
	if ours.mode != theirs.mode && ours.mode != base.mode {
		got.mode = ours.mode
		if base.mode != theirs.mode {
			clash = ModeClash
		}
	}
	if base.sort() != ours.sort() {
		base = version{}
	}
	switch {
	case ours.hash == theirs.hash || ours.hash == base.hash:
		got.hash = theirs.hash
		return got, clash, nil
	case theirs.hash == base.hash:
		got.hash = ours.hash
		return got, clash, nil
	case !ours.regular():
		got.hash = ours.hash
		if depth > 0 && base.there() {
			got.hash = base.hash
		}
		return got, BothChanged, nil
	}
	hash, clean, err := g.mergeText(path, [3]version{base, ours, theirs}, depth)
	got.hash = hash
	if !clean {
		clash = BothChanged
	}
	return got, clash, err
}

// mergeText merges two versions of a file line by line.
func (g *merging) mergeText(path string, is [3]version, depth int) (hash plumbing.Hash, clean bool, err error) {
	var texts [3][]byte
	whole := true // so that it may be merged by lines
	for i, v := range is {
		if !v.there() {
			continue
		}
		size, err := g.size(v.hash)
		if err != nil {
			return hash, false, err
		}
		if size > g.max && depth == 0 {
			return hash, false, &Error{
				Kind: TooLarge, URL: g.shown, What: fmt.Sprintf("both changed %s, which has %d bytes, more than the %d that are merged", path, size, g.max),
				Mend: "merge the base into the head by hand, or take the file out of the repository",
			}
		}
		if whole = whole && size <= g.max; !whole {
			break
		}
		if texts[i], err = g.data(v.hash); err != nil {
			return hash, false, err
		}
		whole = !linemerge.Binary(texts[i])
		if !whole {
			break
		}
	}
	if !whole {
		if depth > 0 && is[0].there() {
			return is[0].hash, false, nil
		}
		return is[1].hash, false, nil
	}
	if err := g.ctx.Err(); err != nil {
		return hash, false, err
	}
	marks := linemerge.Marks{Ours: "Temporary merge branch 1", Theirs: "Temporary merge branch 2", Width: 7 + 2*depth}
	text, clean := linemerge.Merge(texts[0], texts[1], texts[2], marks)
	hash, err = g.makeBlob(text)
	return hash, clean, err
}

// change is a path that the result has otherwise than ours.
type change struct {
	path string
	to   version
}

// builder makes the result's tree of ours.
type builder struct {
	*merging
	clashes []Conflict
}

// build gives a directory with its changes, whose paths are sorted and begin
// below it: the zero hash where nothing is left. Directories without changes are
// not read.
func (b *builder) build(dir plumbing.Hash, at string, changes []change) (plumbing.Hash, error) {
	if len(changes) == 0 {
		return dir, nil
	}
	list, err := b.entries(dir)
	if err != nil {
		return dir, err
	}
	held := make(map[string]version, len(list))
	for _, e := range list {
		held[e.Name] = version{canonical(e.Mode), e.Hash}
	}
	below := map[string][]change{}
	files := map[string]version{}
	for _, c := range changes {
		name, rest, deeper := strings.Cut(c.path, "/")
		if deeper {
			below[name] = append(below[name], change{rest, c.to})
		} else {
			files[name] = c.to
		}
		if _, ok := held[name]; !ok {
			held[name] = version{}
		}
	}
	var entries []object.TreeEntry
	for name, is := range held {
		file, sub := is, plumbing.ZeroHash
		if is.mode == filemode.Dir {
			file, sub = version{}, is.hash
		}
		if to, ok := files[name]; ok {
			file = to
		}
		if sub, err = b.build(sub, at+name+"/", below[name]); err != nil {
			return dir, err
		}
		switch {
		case !sub.IsZero() && file.there():
			b.clashes = append(b.clashes, Conflict{Path: at + name, Clash: FileDirectory})
			entries = append(entries, object.TreeEntry{Name: name + "~base", Mode: file.mode, Hash: file.hash})
			fallthrough
		case !sub.IsZero():
			entries = append(entries, object.TreeEntry{Name: name, Mode: filemode.Dir, Hash: sub})
		case file.there():
			entries = append(entries, object.TreeEntry{Name: name, Mode: file.mode, Hash: file.hash})
		}
	}
	if len(entries) == 0 {
		return plumbing.ZeroHash, nil
	}
	sort.Sort(object.TreeEntrySorter(entries))
	return b.makeTree(entries)
}
