package reconcile_test

import (
	"testing"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/fake"
)

// TestOwnStopIsNoDrift: a machine that an update stopped, and that stands still since
// the update was refused, is started by the next plan as what we left, and not as what
// somebody changed outside.
func TestOwnStopIsNoDrift(t *testing.T) {
	t.Parallel()
	s, want := built(t, 0)
	id := s.id("machine", "web")
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op != provider.OpUpdate || c.ID != id || c.Aspect != "" {
			return fake.Decision{}
		}
		must(t, s.world.Mutate("machine", id, func(f resource.Map) { f["state"] = text("stopped") }))
		return fake.Decision{Before: &resource.Failure{
			Class: resource.Invalid, Op: "fake:resize", Message: "too many", Err: &fake.Halfway{Left: resource.Map{"state": text("stopped")}},
		}}
	})
	larger := obj("machine", "web", resource.Map{})
	for i, o := range want {
		if o.Address == larger.Address {
			larger.Fields = resource.Map{}
			for k, v := range o.Fields {
				larger.Fields[k] = v
			}
			larger.Fields["cpus"] = resource.Int(64)
			asked := append([]resource.Desired{}, want...)
			asked[i] = larger
			s.want(asked...)
		}
	}
	_, out, err := s.run(t.Context())
	must(t, err)
	if out.Count(apply.Failed) != 1 {
		t.Fatalf("%s", results(out))
	}
	s.world.OnCall(nil)
	s.want(want...)
	d := s.mustDraft(t)
	if len(d.Plan.Changes) != 1 || d.Plan.Changes[0].Drifted() || len(d.Plan.Changes[0].Fields) != 1 {
		t.Fatalf("%s", brief(d.Plan))
	}
	if f := d.Plan.Changes[0].Fields[0]; f.Path.String() != "state" || f.Cause == plan.CauseDrift {
		t.Fatalf("%+v", f)
	}
	s.mustRun(t)
	s.settled(t, want...)
}
