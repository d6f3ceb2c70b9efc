package plan_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// TestAnObjectIsNoStrayOfItself is the law of what the ledger owns by its id: whatever
// token somebody wrote into its mark, and whoever confirmed what, it is not deleted, in
// nobody's way and marked again, and then there is nothing left to do.
func TestAnObjectIsNoStrayOfItself(t *testing.T) {
	t.Parallel()
	rapid.Check(t, noStrayOfItself)
}

// FuzzSelfsame lets the fuzzer look for worlds.
func FuzzSelfsame(f *testing.F) { f.Fuzz(rapid.MakeFuzz(noStrayOfItself)) }

func noStrayOfItself(t *rapid.T) {
	w := newWorld()
	desired := drawDesired(t)
	held := w.rest(t, desired)
	changed := map[resource.ID]ledger.Key{}
	for _, e := range w.state.Sorted() {
		if w.kinds[e.Address.Type()].Marked && rapid.Bool().Draw(t, "changed "+e.Address.Local()) {
			w.objects[e.Record.ID].mark.Token = "other " + e.Token
			changed[e.Record.ID] = e.Key
		}
	}
	in := w.input(desired)
	in.Confirmed = map[ledger.Key]string{}
	for i := range in.Strays {
		m := in.Strays[i].Mark
		in.Confirmed[ledger.Key{Address: m.Address, Token: m.Token}] = "ann"
	}
	p := plan.Build(in)
	if len(p.Held) != held || len(p.Steps) != len(changed) || slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Op != ledger.Adopt }) {
		t.Fatalf("%d marks were changed\n%s", len(changed), brief(p))
	}
	if err := w.finish(p, order(t)); err != nil {
		t.Fatalf("%v\n%s", err, brief(p))
	}
	for id, key := range changed {
		if got := w.objects[id].mark.Token; got != key.Token {
			t.Errorf("the mark of %s has %s, the ledger %s", id, got, key.Token)
		}
	}
	if q := plan.Build(w.input(desired)); len(q.Steps) > 0 || len(q.Held) != held || len(q.Ledger) > 0 {
		t.Fatalf("a plan is left\n%s\nafter\n%s", brief(q), brief(p))
	}
}

// TestOneIDInTwoPlacesIsTwoObjects checks that what bears the id of an entry's object in
// another account or region is a stray like any other.
func TestOneIDInTwoPlacesIsTwoObjects(t *testing.T) {
	t.Parallel()
	a := addr("net", "a")
	key := ledger.Key{Address: a, Token: "1"}
	own := resource.Object{Address: a, ID: "net-1", Fields: resource.Map{"cidr": resource.String("10.0")}, Mark: resource.Mark{Estate: estate, Env: "prod", Address: a, Token: "1"}}
	stray := own
	stray.Mark.Token = "2"
	for name, c := range map[string]struct {
		home string
		held int
	}{"elsewhere": {"east", 1}, "the same": {"west", 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state, err := ledger.Fold([]ledger.Event{{Address: a, Token: "1", Type: ledger.Adopted, Record: &ledger.Record{
				ID: "net-1", Scope: "west", Schema: "1", Applied: own.Fields, Outs: resource.Map{"id": resource.String("net-1")},
			}}})
			if err != nil {
				t.Fatal(err)
			}
			p := plan.Build(plan.Input{
				Env: "prod", Estate: estate, Kinds: kinds(), Ledger: state, Strays: []resource.Object{stray}, Homes: map[string]string{"2": "other"},
				Scopes: map[string]string{"t": "west", "other": c.home}, Desired: []resource.Desired{{Address: a, Fields: own.Fields}},
				Live: map[ledger.Key]plan.Reading{key: {Seen: plan.Present, Object: own}},
			})
			if len(p.Steps) > 0 || len(p.Held) != c.held {
				t.Errorf("steps %v, held %+v", p.Steps, p.Held)
			}
		})
	}
}
