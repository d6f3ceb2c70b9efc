package plan_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// setBack makes the ledger as old as a backup of its first n events: of what was done
// since only marks tell.
func (w *world) setBack(n int) error {
	events := slices.Clone(w.events[:n])
	state, err := ledger.Fold(events)
	if err == nil {
		w.events, w.state = events, state
	}
	return err
}

// renamed gives a spec with some of its nets and groups under other names, which say
// where they come from; the names that they had may be given to something new.
func renamed(t *rapid.T, desired []resource.Desired) []resource.Desired {
	out := slices.Clone(desired)
	for i := range out {
		d := &out[i]
		kind, was := d.Address.Kind, d.Address
		to := addr(kind, rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "to"))
		taken := slices.ContainsFunc(out, func(o resource.Desired) bool { return o.Address == to })
		if kind != "net" && kind != "sub" && kind != "group" || taken || rapid.IntRange(0, 2).Draw(t, "renamed") == 0 {
			continue
		}
		d.Address, d.Meta.MovedFrom = to, &was
		for j := range out {
			out[j].Fields, _ = resource.Rewrite(out[j].Fields, func(v resource.Value) resource.Value {
				if r, ok := v.(resource.Ref); ok && r.Address == was {
					r.Address = to
					return r
				}
				return v
			}).(resource.Map)
		}
	}
	return out
}

// anew drops what a spec says of where things come from, and gives some free names
// to something new.
func anew(t *rapid.T, desired []resource.Desired) []resource.Desired {
	out := slices.Clone(desired)
	for i := range out {
		out[i].Meta.MovedFrom = nil
	}
	for _, name := range []string{"a", "b", "c"} {
		a := addr("net", name)
		if slices.ContainsFunc(out, func(d resource.Desired) bool { return d.Address == a }) || rapid.Bool().Draw(t, "new "+name) {
			continue
		}
		out = append(out, resource.Desired{Address: a, Fields: resource.Map{"cidr": resource.String(rapid.SampledFrom([]string{"10.0", "10.2"}).Draw(t, "cidr"))}})
	}
	return out
}

// doubtful gives an object that a later plan q deletes, though it does not have the
// address that its mark names, and p had held it for its mark or only found it by that.
func (w *world) doubtful(known map[string]bool, p, q *plan.Plan) resource.ID {
	for _, s := range q.Steps {
		if s.Op != ledger.Delete || slices.ContainsFunc(p.Steps, func(o plan.Step) bool { return o.Op == s.Op && o.Live == s.Live }) {
			continue
		}
		has := w.objects[s.Live].mark.Address == s.Address && !slices.ContainsFunc(q.Changes, func(c plan.Change) bool { return c.Deposed && c.Token == s.Token })
		held := slices.ContainsFunc(p.Held, func(h plan.Held) bool {
			return h.Token == s.Token && (h.Why == plan.HeldUnowned || h.Why == plan.HeldOrphan)
		})
		if !has && (held || !known[s.Token]) {
			return s.Live
		}
	}
	return ""
}

// TestWhatAPlanWritesDownDeletesNothing is the law of a ledger that is older than
// renames, with any spec: once a plan's corrections are written, and none of its steps
// was taken, the next one deletes nothing that the plan held for its mark, or found by it.
func TestWhatAPlanWritesDownDeletesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, writesDown)
}

// FuzzPlanWritesDown lets the fuzzer look for worlds.
func FuzzPlanWritesDown(f *testing.F) { f.Fuzz(rapid.MakeFuzz(writesDown)) }

func writesDown(t *rapid.T) {
	w := newWorld()
	run := func(desired []resource.Desired) {
		p := plan.Build(w.input(desired))
		if err := w.finish(p, order(t)); err != nil {
			t.Fatalf("%v\n%s", err, brief(p))
		}
	}
	first := drawDesired(t)
	run(first)
	backup := len(w.events)
	specs := [][]resource.Desired{first}
	for range rapid.IntRange(1, 3).Draw(t, "renames") {
		specs = append(specs, renamed(t, anew(t, specs[len(specs)-1])))
		run(specs[len(specs)-1])
	}
	specs = append(specs, anew(t, specs[len(specs)-1]))
	run(specs[len(specs)-1])
	if rapid.Bool().Draw(t, "restored") {
		if err := w.setBack(backup); err != nil {
			t.Fatal(err)
		}
	}
	desired := anew(t, specs[rapid.IntRange(0, len(specs)-1).Draw(t, "spec")])
	p := plan.Build(w.input(desired))
	for range 3 {
		known := map[string]bool{}
		for key := range w.state.Entries {
			known[key.Token] = true
		}
		if err := w.correct(p); err != nil {
			t.Fatal(err)
		}
		q := plan.Build(w.input(desired))
		if id := w.doubtful(known, p, q); id != "" {
			t.Fatalf("%s was not to be deleted before\n%s\nof\n%s", id, brief(q), brief(p))
		}
		follows := slices.ContainsFunc(p.Ledger, func(c plan.Correction) bool { return c.Type == ledger.Moved }) // one move after the other, as room is made
		if len(p.Steps) == 0 && !follows && len(q.Steps) > 0 {
			t.Fatalf("nothing could be done before\n%s\nof\n%s", brief(q), brief(p))
		}
		p = q
	}
}
