package git

import (
	"maps"
	"slices"
)

// followRenames finds what each side renamed and brings the versions of a file
// together under its new name.
func (g *merging) followRenames(cells map[string]*cell, depth int) error {
	ours, err := g.renames(cells, 1)
	if err != nil {
		return err
	}
	theirs, err := g.renames(cells, 2)
	if err != nil {
		return err
	}
	all := maps.Clone(ours)
	maps.Copy(all, theirs)
	for _, from := range slices.Sorted(maps.Keys(all)) {
		a, b := ours[from], theirs[from]
		switch {
		case a == b:
			cells[a].is[0] = cells[from].is[0]
			cells[from].is = [3]version{}
		case a != "" && b != "":
			err = g.renamedApart(cells, from, [2]string{a, b}, depth)
		case a != "":
			err = g.renamed(cells, rename{from, a, 1}, depth)
		default:
			err = g.renamed(cells, rename{from, b, 2}, depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rename is a file that one side renamed.
type rename struct {
	from, to string
	side     int // 1 for ours, 2 for theirs
}

// renamedApart handles a file that both renamed, to different names.
func (g *merging) renamedApart(cells map[string]*cell, from string, to [2]string, depth int) error {
	src, a, b := cells[from], cells[to[0]], cells[to[1]]
	got, _, err := g.mergeFile(from, [3]version{src.is[0], a.is[1], b.is[2]}, depth)
	if err != nil {
		return err
	}
	a.is[1], b.is[2] = got, got
	src.is = [3]version{}
	src.clash, src.apart = RenamedApart, to[:]
	return nil
}

// renamed handles a file that only one side renamed, and the other one changed,
// deleted or left alone.
func (g *merging) renamed(cells map[string]*cell, r rename, depth int) error {
	src, dst, other := cells[r.from], cells[r.to], 3-r.side
	kept := src.is[other]
	retyped := kept.there() && kept.regular() != dst.is[r.side].regular()
	taken := dst.is[other].there() && !retyped // the other side has a file of its own there
	switch {
	case taken && kept.there():
		is := src.is
		is[r.side] = dst.is[r.side]
		got, _, err := g.mergeFile(r.to, is, depth)
		if err != nil {
			return err
		}
		dst.is[r.side] = got
	case taken:
		dst.clash = RenamedDeleted
	case retyped: // what the other side has under the old name is another file
		dst.is[0], src.is[0] = src.is[0], version{}
		switch theirs := dst.is[other]; {
		case !theirs.there():
			dst.clash = ChangedDeleted
		case theirs.sort() != dst.is[r.side].sort():
			dst.clash = TypeClash
		}
		return nil
	case !kept.there():
		dst.is[0], dst.clash = src.is[0], RenamedDeleted
	default:
		dst.is[0], dst.is[other] = src.is[0], kept
	}
	src.is = [3]version{}
	return nil
}
