package linemerge

// edit is a stretch of lines in one text and what stands in its place in another:
// a[a0:a1] became b[b0:b1].
type edit struct{ a0, a1, b0, b1 int }

const (
	// maxRepeats is how often the rarest common line may stand in a stretch that is
	// split at it; git's histogram diff has the same limit.
	maxRepeats = 64

	// maxWork is how many lines a comparison looks at before it takes what is left
	// as replaced: texts made to be slow would keep it for hours.
	maxWork = 1 << 25

	// maxDistance is how many lines that differ shortest looks for.
	maxDistance = 512
)

// comparison finds out which lines of a and b have no counterpart. Lines are
// numbers, equal for equal lines and from 0 on.
type comparison struct {
	a, b        []int
	gone, added []bool // of a and of b
	work        int    // lines that may still be looked at

	// The index of the stretch that is looked at.
	count, first []int // by line: how often it stands in a's, and where first
	next         []int // by place in a: where the same line stands next, or -1
}

// compare gives the edits that make b of a, in order. lines is one more than the
// greatest line.
func compare(a, b []int, lines int) []edit {
	c := &comparison{
		a: a, b: b, gone: make([]bool, len(a)), added: make([]bool, len(b)), work: maxWork,
		count: make([]int, lines), first: make([]int, lines), next: make([]int, len(a)),
	}
	c.split(edit{0, len(a), 0, len(b)})
	left, right := column{a, c.gone}, column{b, c.added}
	left.slide(right)
	right.slide(left)
	return c.edits()
}

// edits reads the marks.
func (c *comparison) edits() []edit {
	var out []edit
	for i, j := 0, 0; i < len(c.a) || j < len(c.b); {
		e := edit{i, i, j, j}
		for e.a1 < len(c.a) && c.gone[e.a1] {
			e.a1++
		}
		for e.b1 < len(c.b) && c.added[e.b1] {
			e.b1++
		}
		if e.a0 < e.a1 || e.b0 < e.b1 {
			out = append(out, e)
		}
		i, j = e.a1+1, e.b1+1 // past the lines that are the same
	}
	return out
}

// replaced marks a whole stretch.
func (c *comparison) replaced(s edit) {
	for i := s.a0; i < s.a1; i++ {
		c.gone[i] = true
	}
	for j := s.b0; j < s.b1; j++ {
		c.added[j] = true
	}
}

// split marks what differs in a stretch: around the run of common lines that
// holds the rarest one.
func (c *comparison) split(s edit) {
	for s.a0 < s.a1 && s.b0 < s.b1 && c.work > 0 {
		run, repeats := c.rarest(s)
		switch {
		case repeats == 0:
			c.replaced(s)
			return
		case repeats > maxRepeats:
			c.shortest(s)
			return
		}
		c.split(edit{s.a0, run.a0, s.b0, run.b0})
		s.a0, s.b0 = run.a1, run.b1
	}
	c.replaced(s)
}

// index notes where each line of a stretch stands in a.
func (c *comparison) index(s edit) {
	for _, l := range c.b[s.b0:s.b1] {
		c.count[l] = 0
	}
	for _, l := range c.a[s.a0:s.a1] {
		c.count[l], c.first[l] = 0, -1
	}
	for i := s.a1 - 1; i >= s.a0; i-- {
		l := c.a[i]
		c.next[i], c.first[l] = c.first[l], i
		c.count[l]++
	}
	c.work -= s.a1 - s.a0 + s.b1 - s.b0
}

// rarest gives the best run of common lines in a stretch and how often its rarest
// line stands in a: 0 where nothing is common. Better is longer or rarer than
// what was found before it.
func (c *comparison) rarest(s edit) (best edit, repeats int) {
	c.index(s)
	common, rare := false, maxRepeats+1
	for j := s.b0; j < s.b1; {
		line, from := c.b[j], j
		j++
		common = common || c.count[line] > 0
		if c.count[line] == 0 || c.count[line] > rare {
			continue
		}
		for i := c.first[line]; i >= 0 && c.work > 0; {
			run, r := c.extend(s, i, from)
			c.work -= run.a1 - run.a0
			j = max(j, run.b1)
			if best.a1-best.a0 < run.a1-run.a0 || r < rare {
				best, rare = run, r
			}
			for i = c.next[i]; i >= 0 && i < run.a1; {
				i = c.next[i]
			}
		}
	}
	if !common {
		return edit{}, 0
	}
	return best, rare
}

// extend gives the run of common lines around a[i] and b[j], which are the same,
// and how often its rarest line stands in a.
func (c *comparison) extend(s edit, i, j int) (edit, int) {
	run, rare := edit{i, i + 1, j, j + 1}, c.count[c.a[i]]
	for run.a0 > s.a0 && run.b0 > s.b0 && c.a[run.a0-1] == c.b[run.b0-1] {
		run.a0--
		run.b0--
		rare = min(rare, c.count[c.a[run.a0]])
	}
	for run.a1 < s.a1 && run.b1 < s.b1 && c.a[run.a1] == c.b[run.b1] {
		rare = min(rare, c.count[c.a[run.a1]])
		run.a1++
		run.b1++
	}
	return run, rare
}

// shortest marks a stretch in which every common line is repeated a lot, by the
// greedy search for a shortest edit script (E. W. Myers, "An O(ND) Difference
// Algorithm and Its Variations", 1986). Where more than maxDistance lines differ
// it takes what is between the common ends as replaced.
func (c *comparison) shortest(s edit) {
	for s.a0 < s.a1 && s.b0 < s.b1 && c.a[s.a0] == c.b[s.b0] {
		s.a0++
		s.b0++
	}
	for s.a0 < s.a1 && s.b0 < s.b1 && c.a[s.a1-1] == c.b[s.b1-1] {
		s.a1--
		s.b1--
	}
	const mid = maxDistance + 1
	reach := make([]int, 2*mid+1) // by diagonal: how far into a
	var trace [][]int
	for d := 0; d <= maxDistance && c.work > 0; d++ {
		trace = append(trace, append([]int(nil), reach[mid-d-1:mid+d+2]...))
		for k := -d; k <= d; k += 2 {
			x := reach[mid+k-1] + 1
			if k == -d || k != d && reach[mid+k-1] < reach[mid+k+1] {
				x = reach[mid+k+1]
			}
			for s.a0+x < s.a1 && s.b0+x-k < s.b1 && c.a[s.a0+x] == c.b[s.b0+x-k] {
				x++
			}
			reach[mid+k] = x
			if s.a0+x >= s.a1 && s.b0+x-k >= s.b1 {
				c.trace(s, trace)
				return
			}
		}
		c.work -= 2*d + 1
	}
	c.replaced(s)
}

// trace marks the way back from the end of a stretch. before[d] holds how far
// each diagonal from -d-1 to d+1 reached with fewer than d edits.
func (c *comparison) trace(s edit, before [][]int) {
	x, y := s.a1-s.a0, s.b1-s.b0
	for d := len(before) - 1; d > 0; d-- {
		k, at := x-y, func(k int) int { return before[d][k+d+1] }
		if k == -d || k != d && at(k-1) < at(k+1) {
			x = at(k + 1)
			y = x - k - 1
			c.added[s.b0+y] = true
			continue
		}
		x = at(k - 1)
		y = x - k + 1
		c.gone[s.a0+x] = true
	}
}
