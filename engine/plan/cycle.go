package plan

import (
	"slices"
	"strings"
)

// breakCycles clears references between objects that go together and point at
// each other, and holds what then still needs itself.
func (g *graph) breakCycles() {
	rings := g.rings()
	if len(rings) == 0 {
		return
	}
	for _, ring := range rings {
		in := map[string]bool{}
		for _, id := range ring {
			in[id] = true
		}
		for _, id := range ring {
			n := g.steps[id]
			for _, to := range sortedKeys(n.needs) {
				e := n.needs[to]
				if !in[to] || !e.breakable {
					continue
				}
				c := g.clear(e.by, e.aspect, e.of)
				if c == nil {
					continue
				}
				delete(n.needs, to)
				n.need(c.ID)
				g.steps[to].need(c.ID)
			}
		}
	}
	for _, ring := range g.rings() {
		path := make([]string, 0, len(ring)+1)
		for _, id := range g.walk(ring) {
			path = append(path, g.steps[id].it.addr.Local())
		}
		path = slices.Compact(append(path, path[0])) // an object may have several steps in it
		if len(path) == 1 {
			path = append(path, path[0])
		}
		text := "it needs itself: " + strings.Join(path, " → ")
		mend := g.wayOut(ring)
		for _, id := range ring {
			g.steps[id].it.hold(HeldCycle, text, mend)
		}
	}
}

// wayOut says how a ring is got out of.
func (g *graph) wayOut(ring []string) string {
	for _, id := range ring {
		for _, to := range sortedKeys(g.steps[id].needs) {
			if f := g.steps[id].needs[to].named; f != "" && slices.Contains(ring, to) {
				return "give one of them another " + f + " first, which none of them has, in a commit of its own"
			}
		}
	}
	return "take one of these references out, or move it to a field that is set after creation"
}

// walk orders a ring along its edges, from its first id.
func (g *graph) walk(ring []string) []string {
	in := map[string]bool{}
	for _, id := range ring {
		in[id] = true
	}
	var path []string
	for at := ring[0]; ; {
		if i := slices.Index(path, at); i >= 0 {
			return path[i:]
		}
		path = append(path, at)
		for _, to := range sortedKeys(g.steps[at].needs) {
			if in[to] {
				at = to
				break
			}
		}
	}
}

// rings gives the strongly connected components of more than one step, by
// Tarjan's algorithm without recursion, each sorted, in order.
func (g *graph) rings() [][]string {
	t := tarjan{g: g, index: make(map[string]int, len(g.steps)), low: make(map[string]int, len(g.steps)), on: map[string]bool{}}
	for _, id := range sortedKeys(g.steps) {
		if _, seen := t.index[id]; !seen {
			t.from(id)
		}
	}
	slices.SortFunc(t.out, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return t.out
}

type tarjan struct {
	g          *graph
	index, low map[string]int
	on         map[string]bool
	stack      []string
	out        [][]string
}

type frame struct {
	id   string
	next []string
}

func (t *tarjan) open(id string) frame {
	t.index[id] = len(t.index)
	t.low[id] = t.index[id]
	t.stack = append(t.stack, id)
	t.on[id] = true
	var next []string
	for to := range t.g.steps[id].needs {
		if t.g.steps[to] != nil {
			next = append(next, to)
		}
	}
	return frame{id, next}
}

func (t *tarjan) from(root string) {
	frames := []frame{t.open(root)}
	for len(frames) > 0 {
		f := &frames[len(frames)-1]
		if len(f.next) > 0 {
			to := f.next[0]
			f.next = f.next[1:]
			if _, seen := t.index[to]; !seen {
				frames = append(frames, t.open(to))
			} else if t.on[to] {
				t.low[f.id] = min(t.low[f.id], t.index[to])
			}
			continue
		}
		id := f.id
		frames = frames[:len(frames)-1]
		if len(frames) > 0 {
			up := frames[len(frames)-1].id
			t.low[up] = min(t.low[up], t.low[id])
		}
		if t.low[id] == t.index[id] {
			t.close(id)
		}
	}
}

func (t *tarjan) close(id string) {
	i := slices.Index(t.stack, id)
	ring := slices.Clone(t.stack[i:])
	t.stack = t.stack[:i]
	for _, r := range ring {
		delete(t.on, r)
	}
	if len(ring) > 1 {
		slices.Sort(ring)
		t.out = append(t.out, ring)
	}
}
