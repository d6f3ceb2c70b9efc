package plan_test

import (
	"testing"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// A destroy deletes what the ledger knows. What else bears the environment's mark
// is held: nothing to do would be untrue, and it may be another store's.
func TestADestroyHoldsWhatTheLedgerDoesNotKnow(t *testing.T) {
	t.Parallel()
	a := parseLocal(t, "t.net/a")
	ours, theirs := ledger.Holder(1), ledger.Holder(2)
	for name, c := range map[string]struct {
		destroy bool
		token   string
		why     plan.HeldWhy
	}{
		"of this store":     {true, ours.Token("0194a000-0000-7000-8000-000000000001"), plan.HeldOrphan},
		"of another store":  {true, theirs.Token("0194a000-0000-7000-8000-000000000001"), plan.HeldElsewhere},
		"of no store":       {true, "x", plan.HeldOrphan},
		"without a destroy": {false, theirs.Token("0194a000-0000-7000-8000-000000000001"), plan.HeldOrphan},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan.Build(plan.Input{
				Env: "prod", Estate: estate, Kinds: kinds(), Ledger: &ledger.State{}, Holder: ours, Destroy: c.destroy,
				Strays: []resource.Object{{Address: a, ID: "net-1", Mark: resource.Mark{Estate: estate, Env: "prod", Address: a, Token: c.token}}},
			})
			if len(p.Steps) != 0 || len(p.Held) != 1 || p.Held[0].Why != c.why || p.Held[0].Mend == "" {
				t.Errorf("steps %v, held %+v", p.Steps, p.Held)
			}
		})
	}
}
