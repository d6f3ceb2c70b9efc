package git

import (
	"cmp"
	"maps"
	"path"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// Shares of a file that must be the same for two to be one that was renamed, in
// maxScore-ths: gitdiffcore(7), "diffcore-rename". Where a name is the only one of
// its kind among the missing and among the new files, those two are looked at
// first, and must be more alike.
const (
	maxScore  = 60000
	minScore  = maxScore / 2
	nameScore = maxScore * 3 / 4
)

// maxPairs is how many pairs of files are compared to find renames; git has 7,000
// of each as its merge.renameLimit. Where there are more, only files that are the
// same or keep their names are found.
const maxPairs = 1 << 20

// candidates are how many sources a new file is remembered with, as in git.
const candidates = 4

// renames finds which files one side renamed: the new name by the old one. side
// is 1 for ours and 2 for theirs. Files that the other side has as the base does
// are found where they are the same only: whatever they were renamed to, nothing is
// to be merged into it.
//
// go-git has such a search as well, object.DetectRenames, but it decides otherwise
// than git in what is alike and which of several is meant.
func (g *merging) renames(cells map[string]*cell, side int) (map[string]string, error) {
	var from, to []string
	for _, p := range slices.Sorted(maps.Keys(cells)) {
		is := cells[p].is
		switch base, now := is[0], is[side]; {
		case base.there() && !now.there() && base.hash != emptyBlob():
			from = append(from, p)
		case !base.there() && now.there() && now.hash != emptyBlob():
			to = append(to, p)
		}
	}
	s := search{g, cells, side, map[string]string{}, map[string]bool{}}
	s.same(from, to)
	from = slices.DeleteFunc(from, func(p string) bool {
		return s.found[p] != "" || cells[p].is[3-side] == cells[p].is[0] || !cells[p].is[0].regular()
	})
	to = s.open(to)
	if err := s.named(from, to); err != nil {
		return nil, err
	}
	from = slices.DeleteFunc(from, func(p string) bool { return s.found[p] != "" })
	return s.found, s.alike(from, s.open(to))
}

// emptyBlob is the hash of a file without content, which says nothing of where it
// came from.
func emptyBlob() plumbing.Hash { return plumbing.ComputeHash(plumbing.BlobObject, nil) }

// search finds the renames of one side.
type search struct {
	*merging
	cells map[string]*cell
	side  int
	found map[string]string // new names by old ones
	taken map[string]bool   // new names
}

func (s *search) match(from, to string) { s.found[from], s.taken[to] = to, true }

// open gives the new files that no old one was found for.
func (s *search) open(to []string) []string {
	return slices.DeleteFunc(to, func(p string) bool { return s.taken[p] })
}

// same pairs files with one content, preferably of one name.
func (s *search) same(from, to []string) {
	by := map[plumbing.Hash][]string{}
	for _, p := range from {
		h := s.cells[p].is[0].hash
		by[h] = append(by[h], p)
	}
	for _, p := range to {
		is, best := s.cells[p].is[s.side], ""
		for _, q := range by[is.hash] {
			was := s.cells[q].is[0]
			if s.found[q] != "" || was.mode != is.mode && !(was.regular() && is.regular()) {
				continue
			}
			if best == "" {
				best = q
			}
			if path.Base(q) == path.Base(p) {
				best = q
				break
			}
		}
		if best != "" {
			s.match(best, p)
		}
	}
}

// named pairs files that moved to another directory under a name that no other
// has.
func (s *search) named(from, to []string) error {
	old, now := unique(from), unique(to)
	for _, p := range from {
		name := path.Base(p)
		if old[name] == "" || now[name] == "" {
			continue
		}
		score, err := s.score(p, now[name], nameScore)
		if err != nil {
			return err
		}
		if score >= nameScore {
			s.match(p, now[name])
		}
	}
	return nil
}

// unique gives paths by the last element, where only one has it.
func unique(paths []string) map[string]string {
	out := map[string]string{}
	for _, p := range paths {
		name := path.Base(p)
		if _, twice := out[name]; twice {
			p = ""
		}
		out[name] = p
	}
	return out
}

// pair is an old and a new file that are alike.
type pair struct {
	from, to string
	score    int
	named    int // 1 where both have one name
}

// better orders pairs, the best first.
func better(a, b pair) int {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.named, a.named))
}

// alike pairs what is left by how much is the same.
func (s *search) alike(from, to []string) error {
	if len(from)*len(to) > maxPairs {
		return nil
	}
	var pairs []pair
	for _, t := range to {
		var best []pair
		for _, f := range from {
			score, err := s.score(f, t, minScore)
			if err != nil {
				return err
			}
			if score < minScore {
				continue
			}
			p := pair{from: f, to: t, score: score}
			if path.Base(f) == path.Base(t) {
				p.named = 1
			}
			best = append(best, p)
		}
		slices.SortStableFunc(best, better)
		pairs = append(pairs, best[:min(len(best), candidates)]...)
	}
	slices.SortStableFunc(pairs, better)
	for _, p := range pairs {
		if s.found[p.from] == "" && !s.taken[p.to] {
			s.match(p.from, p.to)
		}
	}
	return nil
}

// score says how much of an old file a new one holds, or 0 where the sizes alone
// tell that it is less than least. Files above the limit are not compared.
func (s *search) score(from, to string, least int) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	a, b := s.cells[from].is[0], s.cells[to].is[s.side]
	if !a.regular() || !b.regular() {
		return 0, nil
	}
	m, err := s.size(a.hash)
	if err != nil {
		return 0, err
	}
	n, err := s.size(b.hash)
	if err != nil {
		return 0, err
	}
	small, large := min(m, n), max(m, n)
	if large > s.max || large*(maxScore-int64(least)) < (large-small)*maxScore {
		return 0, nil
	}
	x, err := s.print(a.hash)
	if err != nil {
		return 0, err
	}
	y, err := s.print(b.hash)
	if err != nil {
		return 0, err
	}
	return int(int64(x.shared(y)) * maxScore / large), nil
}
