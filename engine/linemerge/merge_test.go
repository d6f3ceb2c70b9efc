package linemerge_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"isobar.dev/engine/linemerge"
)

// lines makes a text of words.
func lines(words string) []byte {
	if words == "" {
		return nil
	}
	return []byte(strings.Join(strings.Fields(words), "\n") + "\n")
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ base, ours, theirs, want string }{
		"nothing":                {"a b c", "a b c", "a b c", "a b c"},
		"ours":                   {"a b c", "a x c", "a b c", "a x c"},
		"theirs":                 {"a b c", "a b c", "a b", "a b"},
		"apart":                  {"a b c d e", "x b c d e", "a b c d y", "x b c d y"},
		"one line between":       {"a b c", "x b c", "a b y", "x b y"},
		"both the same":          {"a b c", "a x c", "a x c", "a x c"},
		"both the same and more": {"a b c d e", "a x c d e", "a x c d y", "a x c d y"},
		"both add the same":      {"a b", "a n b", "a n b", "a n b"},
		"deleted and kept":       {"a b c d", "b c d", "a b c x", "b c x"},
		"touching":               {"a b c d", "a x c d", "a b y d", "conflict"},
		"the same line":          {"a b c", "a x c", "a y c", "conflict"},
		"deleted and changed":    {"a b c", "a c", "a y c", "conflict"},
		"both add others":        {"a b", "a n b", "a m b", "conflict"},
		"both make it new":       {"", "a", "b", "conflict"},
		"one makes it empty":     {"a b c", "", "a b c", ""},
	} {
		got, clean := linemerge.Merge(lines(c.base), lines(c.ours), lines(c.theirs), linemerge.Marks{})
		if clean != (c.want != "conflict") || clean && string(got) != string(lines(c.want)) {
			t.Errorf("%s: %q, clean=%v", name, got, clean)
		}
	}
}

// Of a conflict only what differs stands between the marks, and near ones are one.
func TestConflict(t *testing.T) {
	t.Parallel()
	marks := linemerge.Marks{Ours: "a", Theirs: "b", Width: 3}
	for _, c := range []struct{ base, ours, theirs, want string }{
		{"1 2 3", "1 x y 3", "1 x z 3", "1 x <<<.a y === z >>>.b 3"},
		{"1", "p 2 3 q", "r 2 3 s", "<<<.a p 2 3 q === r 2 3 s >>>.b"},
		{"1", "p 2 3 4 5 q", "r 2 3 4 5 s", "<<<.a p === r >>>.b 2 3 4 5 <<<.a q === s >>>.b"},
	} {
		got, clean := linemerge.Merge(lines(c.base), lines(c.ours), lines(c.theirs), marks)
		if want := strings.ReplaceAll(string(lines(c.want)), ".", " "); clean || string(got) != want {
			t.Errorf("%s and %s: clean=%v\n%s", c.ours, c.theirs, clean, got)
		}
	}
	got, clean := linemerge.Merge([]byte("a"), []byte("b"), []byte("c"), linemerge.Marks{})
	if want := "<<<<<<<\nb\n=======\nc\n>>>>>>>\n"; clean || string(got) != want {
		t.Errorf("without a last line feed: %q", got)
	}
}

func TestBinary(t *testing.T) {
	t.Parallel()
	if linemerge.Binary([]byte("text\n")) || !linemerge.Binary([]byte("a\x00")) || linemerge.Binary(append([]byte(strings.Repeat("a", 8000)), 0)) {
		t.Error("a text is one that has no zero in its first 8,000 bytes")
	}
}

func texts() *rapid.Generator[[]byte] {
	line := rapid.SampledFrom([]string{"a\n", "b\n", "c\n", "d\n", "}\n", "\n", "x", "y\r\n"})
	return rapid.Custom(func(t *rapid.T) []byte {
		return []byte(strings.Join(rapid.SliceOfN(line, 0, 30).Draw(t, "lines"), ""))
	})
}

// What one side alone changed is taken, what both made the same is no conflict,
// and who is ours makes no difference.
func TestLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		base, a, b := texts().Draw(t, "base"), texts().Draw(t, "a"), texts().Draw(t, "b")
		for _, c := range [][3][]byte{{base, a, base}, {base, base, a}, {base, a, a}} {
			if got, clean := linemerge.Merge(c[0], c[1], c[2], linemerge.Marks{}); !clean || string(got) != string(a) {
				t.Fatalf("of %q, %q and %q comes %q, clean=%v", c[0], c[1], c[2], got, clean)
			}
		}
		one, clean := linemerge.Merge(base, a, b, linemerge.Marks{})
		other, same := linemerge.Merge(base, b, a, linemerge.Marks{})
		if clean != same || clean && string(one) != string(other) {
			t.Fatalf("%q (%v) the one way, %q (%v) the other", one, clean, other, same)
		}
	})
}

// Two changes with an unchanged line between, in files of nothing but lines that
// are often repeated, are both taken.
func TestRepeatedLines(t *testing.T) {
	t.Parallel()
	for _, n := range []int{60, 200, 5000} {
		base := strings.Repeat("a\nb\n", n)
		ours, theirs := "x\n"+base, base+"y\n"
		got, clean := linemerge.Merge([]byte(base), []byte(ours), []byte(theirs), linemerge.Marks{})
		if !clean || string(got) != "x\n"+base+"y\n" {
			t.Errorf("%d: clean=%v, %d bytes", n, clean, len(got))
		}
		ours = strings.Repeat("a\nb\n", n/2) + "a\n" + strings.Repeat("a\nb\n", n-n/2)
		got, clean = linemerge.Merge([]byte(base), []byte(ours), []byte(theirs), linemerge.Marks{})
		if !clean || string(got) != ours+"y\n" {
			t.Errorf("%d, in the middle: clean=%v, %d bytes", n, clean, len(got))
		}
	}
}

// Two texts that are made to be slow end with a conflict.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	var a, b strings.Builder
	for i := range 30_000 {
		fmt.Fprintf(&a, "%d\na%d\n", i, i)
		fmt.Fprintf(&b, "%d\nb%d\n", i, i)
	}
	if _, clean := linemerge.Merge([]byte(a.String()), []byte(b.String()), nil, linemerge.Marks{}); clean {
		t.Error("clean")
	}
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte("a\nb\n"), []byte("a\nx\nb\n"), []byte("a\nb\ny"))
	f.Add([]byte("}\n}\n}\n"), []byte("}\n}\n"), []byte("{\n}\n}\n}\n"))
	f.Fuzz(func(t *testing.T, base, a, b []byte) {
		if got, clean := linemerge.Merge(base, a, base, linemerge.Marks{}); !clean || string(got) != string(a) {
			t.Errorf("ours alone: %q, %v", got, clean)
		}
		one, clean := linemerge.Merge(base, a, b, linemerge.Marks{})
		if other, same := linemerge.Merge(base, b, a, linemerge.Marks{}); clean != same || clean && string(one) != string(other) {
			t.Errorf("%q (%v) the one way, %q (%v) the other", one, clean, other, same)
		}
	})
}

func BenchmarkMerge(b *testing.B) {
	var base strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&base, "line %d\n}\n", i)
	}
	ours := strings.Replace(base.String(), "line 500\n", "ours\n", 1)
	theirs := strings.Replace(base.String(), "line 9000\n", "theirs\n", 1)
	for b.Loop() {
		if _, clean := linemerge.Merge([]byte(base.String()), []byte(ours), []byte(theirs), linemerge.Marks{}); !clean {
			b.Fatal("conflict")
		}
	}
}
