package policy_test

import (
	"testing"

	"isobar.dev/engine/policy"
	"isobar.dev/policies"
)

func pack(t testing.TB, tests bool) []policy.Module {
	t.Helper()
	files, err := policies.Rules()
	if tests {
		files, err = policies.All()
	}
	if err != nil {
		t.Fatal(err)
	}
	out := make([]policy.Module, len(files))
	for i, f := range files {
		out[i] = policy.Module(f)
	}
	return out
}

// TestPack runs the Rego tests of the rules that come with isobar.
func TestPack(t *testing.T) {
	t.Parallel()
	results, found := policy.Test(t.Context(), pack(t, true))
	for _, f := range found {
		t.Errorf("%s", f)
	}
	if len(results) < 20 {
		t.Errorf("only %d tests ran", len(results))
	}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: %s: %s%s", r.At, r.Name, r.Error, r.Output)
		}
	}
}

// TestPackIsDescribed: each rule of the pack has an id, a title and a mend.
func TestPackIsDescribed(t *testing.T) {
	t.Parallel()
	e, found := policy.Compile(t.Context(), pack(t, false))
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, r := range e.Rules() {
		if r.ID == "" || r.Title == "" {
			t.Errorf("%s: %s has no metadata with title and custom.id", r.At, r.Name)
		}
		ids[r.ID] = true
	}
	for _, id := range []string{"SG-001", "SG-002", "SG-003", "TAG-001", "DEL-001"} {
		if !ids[id] {
			t.Errorf("rule %s is missing", id)
		}
	}
}
