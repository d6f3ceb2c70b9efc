package reconcile_test

import (
	"testing"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/fake"
)

// A step that is tried again tells each refusal, and the time of its first try.
func TestProgressTellsRefusals(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.want(obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16")}))
	refusals := 0
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op == "create" && refusals < 3 {
			refusals++
			return fake.Decision{Before: &resource.Failure{Class: resource.Conflict, Message: "busy"}}
		}
		return fake.Decision{}
	})
	d := s.mustDraft(t)
	var told []apply.Result
	out := s.Apply(t.Context(), d, func(r apply.Result) { told = append(told, r) })
	if !out.OK() {
		t.Fatal(results(out))
	}
	refused := map[int]bool{}
	for _, r := range told {
		if r.Outcome == "" && r.Err != nil {
			refused[r.Tries] = true
		}
		if !r.Started.Equal(told[0].Started) {
			t.Errorf("try %d began at %s, the first at %s", r.Tries, r.Started, told[0].Started)
		}
	}
	last := told[len(told)-1]
	if !refused[1] || !refused[2] || !refused[3] || last.Outcome != apply.Done || last.Err != nil || last.Tries != 4 {
		t.Fatalf("told %+v", told)
	}
}
