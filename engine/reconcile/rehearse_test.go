package reconcile_test

import (
	"strings"
	"testing"

	"isobar.dev/engine/resource"
)

// TestNothingIsDeletedForWhatCanNotBeMade: a machine is to be made anew from an image
// that is not there, or from a network that can't be made. It stays.
func TestNothingIsDeletedForWhatCanNotBeMade(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	machine := func(image string) []resource.Desired {
		out := onImage("")
		out[2].Fields["imageId"] = text(image)
		return []resource.Desired{out[0], out[2]}
	}
	first := s.world.Publish("linux", "")
	s.want(machine(string(first))...)
	s.mustRun(t)
	before := s.world.Objects()
	s.want(machine("image-typo-1")...)
	d := s.mustDraft(t)
	if brief(d.Plan) != "replace fake.machine/db" {
		t.Fatal(brief(d.Plan))
	}
	out := s.Apply(t.Context(), d, nil)
	got := results(out)
	if out.OK() || !strings.Contains(got, "there is no image image-typo-1") || !strings.Contains(got, "delete fake.machine/db: failed") {
		t.Errorf("it came to\n%s", got)
	}
	if after := s.world.Objects(); len(after) != len(before) || made(s.world) != string(first) {
		t.Errorf("of %d objects there are %d", len(before), len(after))
	}
	s.want(machine(string(first))...)
	if d := s.mustDraft(t); !d.Plan.Empty() {
		t.Errorf("taken back it is %s", brief(d.Plan))
	}
}
