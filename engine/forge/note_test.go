package forge

import (
	"strings"
	"testing"

	labforge "isobar.dev/engine/lab/forge"
	"isobar.dev/engine/resource"
)

// patches is a diff of two files: net.cue has lines 1 to 4 in the head, of which 2
// and 3 were added, and 40 to 42, of which 41 was.
func patches() map[string]string {
	return map[string]string{
		"net.cue": "@@ -1,3 +1,4 @@\n package net\n+cidrBlok: 1\n+cidrBlok: 2\n-cidr: 1\n last: true\n@@ -39,2 +40,3 @@ vpc\n a\n+b\n c",
		"new.cue": "@@ -0,0 +1,2 @@\n+x: 1\n+y: 2\n\\ No newline at end of file",
	}
}

func TestAnnotate(t *testing.T) {
	t.Parallel()
	over(t, 2, func(t *testing.T, w *world) {
		n := w.open(t, labforge.Pull{HeadRef: "web", Head: one, Base: two, Patches: patches()})
		p, err := w.Pull(t.Context(), n)
		must(t, err)
		const body = "field not allowed: cidrBlok"
		notes := []Note{
			{"net.cue", 2, body},
			{"net.cue", 3, body},
			{"net.cue", 41, "b"},
			{"net.cue", 42, "a line of both"},
			{"new.cue", 2, "y"},
			{"net.cue", 20, "between the hunks"},
			{"other.cue", 1, "not changed"},
			{"net.cue", 0, "no line"},
		}
		for range 2 {
			left, err := w.Annotate(t.Context(), p, notes)
			must(t, err)
			if len(left) != 3 || left[0] != notes[5] || left[1] != notes[6] || left[2] != notes[7] {
				t.Errorf("left over: %v", left)
			}
		}
		got := w.look(t, n).Notes
		if len(got) != 5 {
			t.Fatalf("%d notes, want 5: twice the same, or too few", len(got))
		}
		for i, g := range got {
			if g.Path != notes[i].Path || g.Line != notes[i].Line || !strings.HasPrefix(g.Body, notes[i].Body+"\n\n<!-- isobar:note ") {
				t.Errorf("note %d is %+v, want %+v", i, g, notes[i])
			}
		}
		left, err := w.Annotate(t.Context(), p, nil)
		if err != nil || left != nil {
			t.Errorf("nothing to note gave %v, %v", left, err)
		}
	})
}

// A mark that somebody else wrote keeps nothing from being said.
func TestForeignMark(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		n := w.open(t, labforge.Pull{HeadRef: "web", Head: one, Base: two, Patches: patches()})
		p, err := w.Pull(t.Context(), n)
		must(t, err)
		note := Note{"net.cue", 2, "wrong"}
		if _, err := w.Annotate(t.Context(), p, []Note{note}); err != nil {
			t.Fatal(err)
		}
		must(t, w.lab.Change(w.repo, n, func(p *labforge.Pull) { p.Notes[0].Author = "mallory" }))
		if _, err := w.Annotate(t.Context(), p, []Note{note}); err != nil {
			t.Fatal(err)
		}
		same(t, "notes", len(w.look(t, n).Notes), 2)
	})
}

// Once the head has moved, a forge that hides the old note gets it anew.
func TestAnnotateAnotherHead(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		n := w.open(t, labforge.Pull{HeadRef: "web", Head: one, Base: two, Patches: patches()})
		p, err := w.Pull(t.Context(), n)
		must(t, err)
		notes := []Note{{"net.cue", 2, "wrong"}}
		_, err = w.Annotate(t.Context(), p, notes)
		must(t, err)
		must(t, w.lab.Change(w.repo, n, func(p *labforge.Pull) { p.Head = two }))
		if w.Name() != Gitea { // which takes a note on any commit
			left, err := w.Annotate(t.Context(), p, []Note{{"net.cue", 3, "on the former head"}})
			if err != nil || len(left) != 1 {
				t.Errorf("left %v, %v", left, err)
			}
		}
		p, err = w.Pull(t.Context(), n)
		must(t, err)
		_, err = w.Annotate(t.Context(), p, notes)
		must(t, err)
		want := 2
		if w.Name() == GitLab { // which shows it still
			want = 1
		}
		same(t, "notes", len(w.look(t, n).Notes), want)
	})
}

// A note that the forge refuses takes no other with it.
func TestAnnotateRefused(t *testing.T) {
	t.Parallel()
	w := at(t, GitHub, 0)
	n := w.open(t, labforge.Pull{HeadRef: "web", Head: one, Base: two, Patches: patches()})
	p, err := w.Pull(t.Context(), n)
	must(t, err)
	w.lab.Break(labforge.Fault{Kind: labforge.Refused, Method: "POST", Path: "/reviews"})
	w.lab.Break(labforge.Fault{Kind: labforge.Refused, Method: "POST", Path: "/comments"})
	notes := []Note{{"net.cue", 2, "first"}, {"net.cue", 3, "second"}, {"new.cue", 1, "third"}}
	left, err := w.Annotate(t.Context(), p, notes)
	must(t, err)
	if len(left) != 1 || left[0] != notes[0] {
		t.Errorf("left over: %v", left)
	}
	same(t, "notes", len(w.look(t, n).Notes), 2)
}

// A lost answer is told as such, and the next call says nothing twice.
func TestAnnotateLost(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		n := w.open(t, labforge.Pull{HeadRef: "web", Head: one, Base: two, Patches: patches()})
		p, err := w.Pull(t.Context(), n)
		must(t, err)
		notes := []Note{{"net.cue", 2, "first"}, {"net.cue", 3, "second"}}
		w.lab.Break(labforge.Fault{Kind: labforge.Lost, Method: "POST"})
		left, err := w.Annotate(t.Context(), p, notes)
		class(t, err, resource.UnknownOutcome)
		same(t, "left over", len(left), 2)
		left, err = w.Annotate(t.Context(), p, notes)
		if err != nil || len(left) > 0 {
			t.Errorf("again: %v, %v", left, err)
		}
		same(t, "notes", len(w.look(t, n).Notes), 2)
	})
}

func TestAtMostFiftyNotes(t *testing.T) {
	t.Parallel()
	at := lines{"a": {}}
	var notes []Note
	for i := range maxNotes + 3 {
		at["a"][i+1] = spot{oldPath: "a"}
		notes = append(notes, Note{"a", i + 1, "x"})
	}
	fresh, left := place(notes, at, nil)
	same(t, "fresh", len(fresh), maxNotes)
	same(t, "left", len(left), 3)
}

func TestLines(t *testing.T) {
	t.Parallel()
	got := lines{}
	got.add("old.cue", "net.cue", patches()["net.cue"])
	want := map[int]spot{
		1: {"old.cue", 1}, 2: {"old.cue", 0}, 3: {"old.cue", 0}, 4: {"old.cue", 3},
		40: {"old.cue", 39}, 41: {"old.cue", 0}, 42: {"old.cue", 40},
	}
	if len(got["net.cue"]) != len(want) {
		t.Fatalf("got %v, want %v", got["net.cue"], want)
	}
	for line, s := range want {
		same(t, "line", got["net.cue"][line], s)
	}
	for _, broken := range []string{"", "Binary files differ", "@@ -1,3 +1,4 @@\n cut short", "@@ nonsense"} {
		bad := lines{}
		bad.add("a", "a", broken)
		if len(bad) > 0 {
			t.Errorf("%q gave %v", broken, bad)
		}
	}
	whole := lines{}
	whole.addAll("diff --git \"a/sp\\303\\244t.cue\" \"b/sp\\303\\244t.cue\"\nindex 1..2 100644\n--- \"a/sp\\303\\244t.cue\"\n+++ \"b/sp\\303\\244t.cue\"\n@@ -1 +1,2 @@\n a\n+b\ndiff --git a/gone b/gone\ndeleted file mode 100644\nindex 1..0\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n")
	if s, ok := whole["spät.cue"][2]; !ok || s.old != 0 || len(whole) != 1 {
		t.Errorf("the whole diff gave %v", whole)
	}
}
