package plan_test

import (
	"testing"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// TestAReferenceLeadsElsewhere: a field refers to another lookup that found the
// same, and only another aspect of the object changes. The ledger learns whom it
// refers to without a call, so the first lookup can be forgotten by that plan.
func TestAReferenceLeadsElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld()
	next := func(desired ...resource.Desired) {
		t.Helper()
		p := plan.Build(w.input(desired))
		if err := w.finish(p, func(int) int { return 0 }); err != nil {
			t.Fatalf("%v\n%s", err, brief(p))
		}
	}
	want := func(kind, name string, fields resource.Map) resource.Desired {
		return resource.Desired{Address: addr(kind, name), Fields: fields}
	}
	net := want("net", "a", resource.Map{"cidr": resource.String("10.0")})
	sub := want("sub", "a", resource.Map{"net": refTo("net", "a", "id")})
	old := resource.Map{"name": resource.String("old")}
	next(net, sub, want("image", "a", old), want("box", "a", resource.Map{"sub": refTo("sub", "a", "id"), "image": refTo("image", "a", "id")}))
	next(net, sub, want("image", "b", old), want("box", "a", resource.Map{
		"sub": refTo("sub", "a", "id"), "image": refTo("image", "b", "id"), "tags": resource.Map{"Name": resource.String("u")},
	}))
	if e := w.state.Current(addr("image", "a")); e != nil {
		t.Errorf("the first lookup is still there: %+v", e)
	}
	deps := w.state.Current(addr("box", "a")).Record.Deps
	if len(deps) != 2 || deps[0].Address != addr("image", "b") || deps[1].Address != addr("sub", "a") {
		t.Errorf("the box refers to %+v", deps)
	}
}
