package policies_test

import (
	"strings"
	"testing"

	"isobar.dev/policies"
)

// TestTwins: each file is of one sort, and each of rules that decide has its
// tests.
func TestTwins(t *testing.T) {
	t.Parallel()
	paths := func(read func() ([]policies.File, error)) map[string]bool {
		fs, err := read()
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]bool{}
		for _, f := range fs {
			out[f.Path] = true
		}
		return out
	}
	rules, shared, tests := paths(policies.Rules), paths(policies.Shared), paths(policies.Tests)
	for p := range rules {
		twin := strings.TrimSuffix(p, ".rego") + "_test.rego"
		if !tests[twin] {
			t.Errorf("%s has no %s", p, twin)
		}
		delete(tests, twin)
	}
	for p := range tests {
		t.Errorf("%s tests no file of rules", p)
	}
	if len(rules) < 10 || !shared["isobar/policies/plan.rego"] || !shared["isobar/policies/limits.rego"] {
		t.Errorf("%d files of rules, and shared by them: %v", len(rules), shared)
	}
}
