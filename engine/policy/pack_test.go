package policy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/resource"
	"isobar.dev/policies"
)

// pack is the rules that come with isobar and what they share, with their
// tests if wanted.
func pack(t testing.TB, tests bool) []policy.Module {
	t.Helper()
	sorts := []func() ([]policies.File, error){policies.Rules, policies.Shared}
	if tests {
		sorts = append(sorts, policies.Tests)
	}
	var out []policy.Module
	for _, read := range sorts {
		files, err := read()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			out = append(out, policy.Module{Path: f.Path, Source: f.Source})
		}
	}
	return out
}

// TestPack runs the Rego tests of the rules that come with isobar.
func TestPack(t *testing.T) {
	t.Parallel()
	results, found := policy.Test(t.Context(), pack(t, true), kinds(t))
	for _, f := range found {
		t.Errorf("%s", f)
	}
	if len(results) < 80 {
		t.Errorf("only %d tests ran", len(results))
	}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: %s: %s%s", r.At, r.Name, r.Error, r.Output)
		}
	}
}

// TestPackIsDescribed: each rule of the pack has an id of its own, a title, a
// reason and a mend.
func TestPackIsDescribed(t *testing.T) {
	t.Parallel()
	e, found := policy.Compile(t.Context(), pack(t, false), kinds(t))
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{} // by id
	for _, r := range e.Rules() {
		if r.ID == "" || r.Title == "" || r.Reason == "" || r.Mend == "" {
			t.Errorf("%s: %s lacks metadata: title, description, custom.id or custom.mend", r.At, r.Name)
		}
		if other := names[r.ID]; other != "" && other != r.Name {
			t.Errorf("%s: %s has the id %s, which is %s's", r.At, r.Name, r.ID, other)
		}
		names[r.ID] = r.Name
	}
	if len(names) < 15 {
		t.Errorf("%d rules", len(names))
	}
}

// TestPackTakesNoNames: rules share package main with a repository's own, so
// the pack's files define nothing there but rules that decide.
func TestPackTakesNoNames(t *testing.T) {
	t.Parallel()
	decides := regexp.MustCompile(`^(deny|warn)_[a-z_]+$`)
	for _, m := range pack(t, false) {
		mod, err := ast.ParseModule(m.Path, m.Source)
		if err != nil {
			t.Fatal(err)
		}
		p := mod.Package.Path.String()
		if p != "data.main" && !strings.HasPrefix(p, "data.isobar.") {
			t.Errorf("%s is in package %s", m.Path, p)
		}
		for _, r := range mod.Rules {
			if name := r.Head.Ref().String(); p == "data.main" && !decides.MatchString(string(r.Head.Ref()[0].Value.(ast.Var))) {
				t.Errorf("%s: %s decides nothing: put it into a package below isobar", r.Loc(), name)
			}
		}
	}
}

// TestRepositorySetsLimits: a file of package isobar.limits takes the place of
// the pack's own figures.
func TestRepositorySetsLimits(t *testing.T) {
	t.Parallel()
	mods := pack(t, false)
	in := policy.Input{Kinds: kinds(t), Plan: &plan.Plan{Env: "dev", Changes: []plan.Change{{
		Address: addr(t, "vsphere.vm/db"), Action: plan.Create, After: resource.Map{"numCPUs": resource.Int(48), "memoryMB": resource.Int(1024)},
	}}}}
	for _, c := range []struct {
		limits string
		denied bool
	}{{"", true}, {"vm_memory_mb := 1048576", true}, {"vm_cpus := 64", false}, {"vm_cpus := 16", true}} {
		own := policy.Module{Path: "policies/limits.rego", Source: "package isobar.limits\n\n" + c.limits + "\n"}
		e, found := policy.Compile(t.Context(), append(slices.Clone(mods), own), kinds(t))
		if e == nil {
			t.Fatal(found)
		}
		if d := decide(t, e, in); d.Denied() != c.denied {
			t.Errorf("%q: denied = %v: %s", c.limits, d.Denied(), lines(d.Findings()))
		}
	}
}

// TestLimits: a repository's figures replace those that there are, by ones of their
// sort.
func TestLimits(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"vm_cpus := 64":                       "",
		"vm_cpus := count(input.isobar.live)": "",
		"bare_metal := true":                  "",
		`vm_cpus := "64"`:                     "POL-305 policies/limits.rego:3:1 the limit vm_cpus is a string, and the rules want a number | write a number",
		"bare_metal := 1":                     "POL-305 policies/limits.rego:3:1 the limit bare_metal is a number, and the rules want a boolean | write a boolean",
		"vm_cpu := 512":                       "POL-310 policies/limits.rego:3:1 no rule asks for the limit vm_cpu | did you mean vm_cpus?",
	} {
		mods := append(pack(t, false), policy.Module{Path: "policies/limits.rego", Source: "package isobar.limits\n\n" + line + "\n"})
		e, found := policy.Compile(t.Context(), mods, nil)
		var got []string
		for _, f := range found {
			got = append(got, string(f.Code)+" "+f.Where.String()+" "+f.Message+" | "+f.Mend)
		}
		if s := strings.Join(got, "\n"); s != want || (e == nil) != strings.HasPrefix(want, "POL-305") {
			t.Errorf("%s: %s", line, s)
		}
	}
}
