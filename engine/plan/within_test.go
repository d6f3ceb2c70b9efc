package plan_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"isobar.dev/engine/plan"
)

func sums(p *plan.Plan) map[string]string {
	out := map[string]string{}
	for i := range p.Steps {
		out[p.Steps[i].ID] = p.Steps[i].Sum()
	}
	return out
}

func moved() *plan.Moved {
	return &plan.Moved{Why: func(a string) string { return a + " moved" }, Mend: "look again"}
}

// TestWithinAnEarlierPlan holds a plan against one that was made before somebody
// changed the world and the spec: what is left was all shown, needs nothing that
// is not, leaves no object half done, and says of the rest that it is held.
func TestWithinAnEarlierPlan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := settled(t, rapid.IntRange(0, 2).Draw(t, "rounds"))
		desired := drawDesired(t)
		in := w.input(desired)
		hide(t, &in)
		then := plan.Build(in)
		if same := then.Within(sums(then), moved()); text(same) != text(then) || same.Digest != then.Digest {
			t.Fatalf("a plan within itself: %s", differences(text(then), text(same)))
		}
		if rapid.Bool().Draw(t, "another spec") {
			desired = drawDesired(t)
		} else if len(desired) > 0 {
			desired = rapid.Permutation(desired).Draw(t, "kept")[:rapid.IntRange(0, len(desired)).Draw(t, "some")]
		}
		in = w.input(desired)
		hide(t, &in)
		now := plan.Build(in)
		before := text(now)
		shown := sums(then)
		got := now.Within(shown, moved())
		if text(now) != before {
			t.Fatal("the plan was written to")
		}
		left := map[string]bool{}
		for i := range got.Steps {
			s := &got.Steps[i]
			left[s.ID] = true
			if shown[s.ID] != s.Sum() {
				t.Fatalf("%s was not shown", s.ID)
			}
		}
		all := sums(now)
		for i := range got.Steps {
			for _, need := range got.Steps[i].Needs {
				if all[need] != "" && !left[need] {
					t.Fatalf("%s needs %s, which is held", got.Steps[i].ID, need)
				}
			}
		}
		for i := range now.Steps {
			s := &now.Steps[i]
			whole := slices.ContainsFunc(got.Steps, func(o plan.Step) bool { return o.Address == s.Address })
			if whole != left[s.ID] {
				t.Fatalf("%s is done in part", s.Address)
			}
		}
		for i := range now.Changes {
			c := &now.Changes[i]
			stays := slices.ContainsFunc(got.Changes, func(o plan.Change) bool { return o.Address == c.Address })
			held := slices.ContainsFunc(got.Held, func(h plan.Held) bool {
				was := slices.ContainsFunc(now.Held, func(o plan.Held) bool { return o.Address == h.Address && o.Token == h.Token && o.Text == h.Text })
				return !was && h.Address == c.Address && (h.Why == plan.HeldMoved || h.Why == plan.HeldFollows)
			})
			if stays == held {
				t.Fatalf("%s stays %v, held %v", c.Address, stays, held)
			}
		}
		if again := got.Within(shown, moved()); again.Digest != got.Digest {
			t.Fatal("what is left is not within the plan any more")
		}
	})
}

// TestNothingShownIsNothingDone narrows a plan to none.
func TestNothingShownIsNothingDone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := settled(t, 1)
		now := plan.Build(w.input(drawDesired(t)))
		got := now.Within(nil, moved())
		if len(got.Steps) > 0 || got.Digest != "" || len(now.Steps) > 0 && len(got.Held) <= len(now.Held) {
			t.Fatalf("%d steps, %d held of %d", len(got.Steps), len(got.Held), len(now.Held))
		}
	})
}
