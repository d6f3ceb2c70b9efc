package linemerge

// column is a text and which of its lines the other one lacks.
type column struct {
	lines   []int
	changed []bool
}

// group is a run of changed lines between two that are not, maybe an empty one:
// both columns have as many groups, and the n-th of one stands for the n-th of
// the other.
type group struct{ start, end int }

func (c column) begin() group {
	g := group{}
	for g.end < len(c.changed) && c.changed[g.end] {
		g.end++
	}
	return g
}

func (c column) after(g group) (group, bool) {
	if g.end == len(c.changed) {
		return g, false
	}
	n := group{g.end + 1, g.end + 1}
	for n.end < len(c.changed) && c.changed[n.end] {
		n.end++
	}
	return n, true
}

func (c column) before(g group) group {
	if g.start == 0 {
		return g
	}
	p := group{g.start - 1, g.start - 1}
	for p.start > 0 && c.changed[p.start-1] {
		p.start--
	}
	return p
}

// up moves a group up by a line where that leaves the same text, and joins it
// with the one that it then touches.
func (c column) up(g *group) bool {
	if g.start == 0 || c.lines[g.start-1] != c.lines[g.end-1] {
		return false
	}
	g.start--
	g.end--
	c.changed[g.start], c.changed[g.end] = true, false
	for g.start > 0 && c.changed[g.start-1] {
		g.start--
	}
	return true
}

// down is up the other way.
func (c column) down(g *group) bool {
	if g.end == len(c.lines) || c.lines[g.start] != c.lines[g.end] {
		return false
	}
	c.changed[g.start], c.changed[g.end] = false, true
	g.start++
	g.end++
	for g.end < len(c.changed) && c.changed[g.end] {
		g.end++
	}
	return true
}

// slide moves each group of changes to where git has it: as far down as it goes,
// or to the last place where the other column has a change as well. Where one
// stands decides what it touches, and with that what conflicts.
func (c column) slide(other column) {
	g, o := c.begin(), other.begin()
	for more := true; more; {
		if g.start < g.end {
			g, o = c.settle(other, g, o)
		}
		if g, more = c.after(g); more {
			o, _ = other.after(o)
		}
	}
}

// settle moves one group; o is its counterpart.
func (c column) settle(other column, g, o group) (group, group) {
	for {
		size, highest, matched := g.end-g.start, 0, false
		for c.up(&g) {
			o = other.before(o)
		}
		highest, matched = g.end, o.start < o.end
		for c.down(&g) {
			o, _ = other.after(o)
			matched = matched || o.start < o.end
		}
		if size != g.end-g.start {
			continue // it has joined another
		}
		for g.end > highest && matched && o.start == o.end && c.up(&g) {
			o = other.before(o)
		}
		return g, o
	}
}
