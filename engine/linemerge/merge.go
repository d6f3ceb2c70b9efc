package linemerge

import (
	"bytes"
	"strings"
)

// Marks say how a conflict is written: between lines that begin with Width
// characters and name the two versions. A Width of 0 is 7, as in git.
type Marks struct {
	Ours, Theirs string
	Width        int
}

// Merge gives the text that ours and theirs make of base, and whether they do so
// without a conflict. Where they conflict both versions stand in the text, between
// marks. A change that both made counts once. Lines end with a line feed; a last
// one without it is another line than the same with it.
//
// The work is bounded whatever the texts: what two hostile ones would take too
// long to compare counts as replaced, and so may conflict where git sees none.
func Merge(base, ours, theirs []byte, marks Marks) (text []byte, clean bool) {
	known := map[string]int{}
	o, a, b := number(base, known), number(ours, known), number(theirs, known)
	ca, cb := compare(o.ids, a.ids, len(known)), compare(o.ids, b.ids, len(known))
	switch {
	case len(ca) == 0:
		return theirs, true
	case len(cb) == 0:
		return ours, true
	}
	chunks := refine(join(ca, cb, a.ids, b.ids), a, b, len(known))
	clean = true
	for _, c := range chunks {
		clean = clean && c.take != both
	}
	return write(simplify(chunks), a, b, marks), clean
}

// Binary reports whether data is no text: git asks for a zero in the first 8,000
// bytes.
func Binary(data []byte) bool {
	return bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0
}

// text is a text in lines, with their numbers.
type text struct {
	lines [][]byte
	ids   []int
}

// number splits a text and gives each line a number, known ones the same.
func number(data []byte, known map[string]int) text {
	var t text
	for line := range bytes.Lines(data) {
		id, ok := known[string(line)]
		if !ok {
			id = len(known)
			known[string(line)] = id
		}
		t.lines, t.ids = append(t.lines, line), append(t.ids, id)
	}
	return t
}

// which says whose lines a chunk takes.
type which int

const (
	first  which = iota // ours
	second              // theirs
	both                // a conflict
)

// chunk is a stretch that is not the same in ours, a[a0:a1], and theirs, b[b0:b1].
type chunk struct {
	edit
	take which
}

// join lays two lists of edits of one base side by side. Edits that overlap or
// touch conflict, unless they are the same.
func join(ca, cb []edit, a, b []int) []chunk {
	var out []chunk
	add := func(c chunk) {
		if n := len(out); n > 0 && (c.a0 <= out[n-1].a1 || c.b0 <= out[n-1].b1) {
			last := &out[n-1]
			if c.take != last.take {
				last.take = both
			}
			last.a1, last.b1 = c.a1, c.b1
			return
		}
		out = append(out, c)
	}
	shiftA, shiftB := 0, 0 // from a line of the base to one of ours, of theirs
	for len(ca) > 0 || len(cb) > 0 {
		switch {
		case len(cb) == 0 || len(ca) > 0 && ca[0].a1 < cb[0].a0:
			e := ca[0]
			add(chunk{edit{e.b0, e.b1, e.a0 + shiftB, e.a1 + shiftB}, first})
			ca, shiftA = ca[1:], e.b1-e.a1
		case len(ca) == 0 || cb[0].a1 < ca[0].a0:
			e := cb[0]
			add(chunk{edit{e.a0 + shiftA, e.a1 + shiftA, e.b0, e.b1}, second})
			cb, shiftB = cb[1:], e.b1-e.a1
		default:
			x, y := ca[0], cb[0]
			if x.a0 != y.a0 || x.a1 != y.a1 || !equal(a[x.b0:x.b1], b[y.b0:y.b1]) {
				from, to := min(x.a0, y.a0), max(x.a1, y.a1)
				add(chunk{edit{x.b0 - x.a0 + from, x.b1 - x.a1 + to, y.b0 - y.a0 + from, y.b1 - y.a1 + to}, both})
			}
			if x.a1 <= y.a1 {
				ca, shiftA = ca[1:], x.b1-x.a1
			}
			if y.a1 <= x.a1 {
				cb, shiftB = cb[1:], y.b1-y.a1
			}
		}
	}
	return out
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// refine leaves of each conflict the lines in which the two versions differ;
// what is the same in both stands once. One that is all the same is none.
func refine(chunks []chunk, a, b text, lines int) []chunk {
	var out []chunk
	for _, c := range chunks {
		if c.take != both || c.a0 == c.a1 || c.b0 == c.b1 {
			out = append(out, c)
			continue
		}
		for _, e := range compare(a.ids[c.a0:c.a1], b.ids[c.b0:c.b1], lines) {
			out = append(out, chunk{edit{c.a0 + e.a0, c.a0 + e.a1, c.b0 + e.b0, c.b0 + e.b1}, both})
		}
	}
	return out
}

// simplify joins conflicts with at most three lines between, as git does.
func simplify(chunks []chunk) []chunk {
	var out []chunk
	for _, c := range chunks {
		if n := len(out); n > 0 && c.take == both && out[n-1].take == both && c.a0-out[n-1].a1 <= 3 {
			out[n-1].a1, out[n-1].b1 = c.a1, c.b1
			continue
		}
		out = append(out, c)
	}
	return out
}

// write gives ours with its chunks replaced.
func write(chunks []chunk, a, b text, marks Marks) []byte {
	var out bytes.Buffer
	copied := 0
	lines := func(ls [][]byte) {
		for _, l := range ls {
			out.Write(l)
		}
	}
	mark := func(with, name string) {
		if n := out.Len(); n > 0 && out.Bytes()[n-1] != '\n' {
			out.WriteByte('\n')
		}
		width := marks.Width
		if width == 0 {
			width = 7
		}
		out.WriteString(strings.Repeat(with, width))
		if name != "" {
			out.WriteString(" " + name)
		}
		out.WriteByte('\n')
	}
	for _, c := range chunks {
		lines(a.lines[copied:c.a0])
		copied = c.a1
		switch c.take {
		case first:
			lines(a.lines[c.a0:c.a1])
		case second:
			lines(b.lines[c.b0:c.b1])
		case both:
			mark("<", marks.Ours)
			lines(a.lines[c.a0:c.a1])
			mark("=", "")
			lines(b.lines[c.b0:c.b1])
			mark(">", marks.Theirs)
		}
	}
	lines(a.lines[copied:])
	return out.Bytes()
}
