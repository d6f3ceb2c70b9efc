package plan_test

import (
	"slices"
	"strings"
	"testing"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// TestWhatMayComeOutAsItIsReplacesNothing: a disk is in the zone that its box tells.
// The box is made anew, so nobody knows the zone. The disk is kept till it is known,
// and is only made anew where it is another one.
func TestWhatMayComeOutAsItIsReplacesNothing(t *testing.T) {
	t.Parallel()
	want := func(image string) []resource.Desired {
		return []resource.Desired{
			{Address: addr("net", "a"), Fields: resource.Map{"cidr": resource.String("10.0")}},
			{Address: addr("sub", "a"), Fields: resource.Map{"net": refTo("net", "a", "id")}},
			{Address: addr("box", "a"), Fields: resource.Map{"sub": refTo("sub", "a", "id"), "image": resource.String(image)}},
			{Address: addr("disk", "a"), Fields: resource.Map{"zone": refTo("box", "a", "zone"), "box": refTo("box", "a", "id")}},
		}
	}
	const note = `zone is "z1" and immutable, and what t.box/a#zone will be is known once this plan is done: the object stays; where it comes out otherwise, the next plan says so`
	const again = "replace disk, for zone, by dependency"
	for name, c := range map[string]struct {
		lost  bool
		next  int // number of what is made next: the box's zone goes by it
		image string
		first string // the steps of the first plan
		then  string // what the one after it does
	}{
		"the box is gone, and comes back where it was":   {true, 5, "i1", "create box, update disk box", ""},
		"the box is gone, and comes back elsewhere":      {true, 7, "i1", "create box, update disk box", again},
		"the box is made anew, and comes out alike":      {false, 5, "i2", "clear disk box, create box, delete box, update disk box", ""},
		"the box is made anew, and comes out in another": {false, 7, "i2", "clear disk box, create box, delete box, update disk box", again},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			inOrder := func(int) int { return 0 }
			if err := w.finish(plan.Build(w.input(want("i1"))), inOrder); err != nil {
				t.Fatal(err)
			}
			disk := slices.IndexFunc(w.ids(), func(id resource.ID) bool { return w.objects[id].kind == "t.disk" })
			if was := w.objects[w.ids()[disk]].fields; was.Text("zone") != "z1" || !strings.HasPrefix(was.Text("box"), "box-") {
				t.Fatalf("the disk is %s", resource.Encode(was))
			}
			if c.lost {
				for id, o := range w.objects {
					delete(o.fields, "box")
					if o.kind == "t.box" {
						delete(w.objects, id)
					}
				}
			}
			w.next = c.next
			p := plan.Build(w.input(want(c.image)))
			var steps []string
			for i := range p.Steps {
				s := &p.Steps[i]
				steps = append(steps, strings.TrimSpace(string(s.Op)+" "+s.Address.Kind+" "+s.Aspect))
			}
			if got := strings.Join(steps, ", "); got != c.first || len(p.Held) > 0 {
				t.Fatalf("the plan is %s\n%s", got, brief(p))
			}
			if len(p.Notes) != 1 || p.Notes[0].Text != note || p.Notes[0].Address != addr("disk", "a") {
				t.Errorf("the notes are %+v", p.Notes)
			}
			if err := w.finish(p, inOrder); err != nil {
				t.Fatal(err)
			}
			q := plan.Build(w.input(want(c.image)))
			var then string
			for i := range q.Changes {
				ch := &q.Changes[i]
				then = string(ch.Action) + " " + ch.Address.Kind + ", for " + ch.Fields[0].Path.String() + ", by " + string(ch.Fields[0].Cause)
			}
			if then != c.then || len(q.Changes) > 1 || len(q.Notes) > 0 {
				t.Errorf("then the plan is %s\n%s", then, brief(q))
			}
		})
	}
}
