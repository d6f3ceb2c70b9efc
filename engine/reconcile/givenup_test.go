package reconcile_test

import (
	"testing"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store/storetest"
	"isobar.dev/providers/fake"
)

// A create whose answer was lost, and of which nothing was to be seen for longer
// than reads may trail, is given up and made anew. Where it shows after all it is
// told, though neither spec nor ledger has anything of its kind any more.
func TestACreateThatWasGivenUpIsToldWhenItShows(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]bool{"memory": false, "sqlite": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options{}
			if open {
				o.open = sqlite(t)
			}
			s := newSim(o)
			var token string
			s.world.OnCall(func(c fake.Call) fake.Decision {
				if c.Op == provider.OpCreate && c.Kind == "network" && token == "" {
					token = c.Token
					return fake.Decision{Before: &resource.Failure{Class: resource.UnknownOutcome, Message: "no answer"}}
				}
				return fake.Decision{}
			})
			kept := obj("disk", "a", resource.Map{"size": resource.Int(1)})
			s.want(obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16")}), kept)
			s.mustRun(t)
			s.want(kept)
			s.mustRun(t)
			s.restart(storetest.Fault{})
			if p := s.mustDraft(t).Plan; !p.Empty() {
				t.Fatalf("nothing showed yet, and the plan is %s", brief(p))
			}
			late := resource.Mark{Estate: estate, Env: "prod", Address: at("network", "main"), Token: token}
			if _, err := s.world.Add("fake/main", resource.Object{Address: at("network", "main"), Mark: late, Fields: resource.Map{"cidr": text("10.0.0.0/16")}}); err != nil {
				t.Fatal(err)
			}
			p := s.mustDraft(t).Plan
			if len(p.Held) != 1 || p.Held[0].Why != plan.HeldOrphan || p.Held[0].Token != token {
				t.Fatalf("the plan is %s", brief(p))
			}
		})
	}
}
