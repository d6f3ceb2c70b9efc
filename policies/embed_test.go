package policies_test

import (
	"slices"
	"strings"
	"testing"

	"isobar.dev/policies"
)

// TestTwins: each file of deciding rules has its tests, which Rules leaves out.
func TestTwins(t *testing.T) {
	t.Parallel()
	rules, err := policies.Rules()
	if err != nil {
		t.Fatal(err)
	}
	all, err := policies.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range rules {
		if strings.HasSuffix(f.Path, "_test.rego") {
			t.Errorf("%s is among the rules", f.Path)
		}
		twin := strings.TrimSuffix(f.Path, ".rego") + "_test.rego"
		if strings.Contains(f.Source, "package main") && !slices.ContainsFunc(all, func(o policies.File) bool { return o.Path == twin }) {
			t.Errorf("%s has no %s", f.Path, twin)
		}
	}
	if len(rules) < 5 || len(all) < 2*len(rules)-1 {
		t.Errorf("%d files of rules, %d in all", len(rules), len(all))
	}
}
