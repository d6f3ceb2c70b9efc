package reconcile_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/providers/fake"
)

func files(of map[string]string) fs.FS {
	out := fstest.MapFS{}
	for name, text := range of {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

// judged gives what a repository's rules say of a plan that makes one network,
// each as "code severity finding".
func judged(t *testing.T, of map[string]string, p spec.Policy) []string {
	t.Helper()
	b := &reconcile.Rulebook{Today: func() time.Time { return time.Date(2026, 6, 30, 23, 0, 0, 0, time.UTC) }}
	a, err := resource.ParseAddress("prod/fake.network/main")
	must(t, err)
	found, err := b.Judge(t.Context(), files(of), spec.Environment{Policy: p}, policy.Input{
		Kinds: fake.Descriptors(), Plan: &plan.Plan{Env: "prod", Changes: []plan.Change{{Address: a, Action: plan.Create, After: resource.Map{}}}},
	})
	must(t, err)
	var out []string
	for _, f := range found {
		out = append(out, string(f.Code)+" "+string(f.Severity)+" "+f.String()+" | "+f.Mend)
	}
	return out
}

// Rules and data are read from policies/ and what is below it.
func TestRulesLieInDirectories(t *testing.T) {
	t.Parallel()
	got := judged(t, map[string]string{
		"policies/a.rego":               "package main\n\nwarn_a contains \"a\" if true\n",
		"policies/aws/net/b.rego":       "package main\n\nwarn_b contains data.aws.net.word if true\n",
		"policies/aws/net/data.yaml":    "word: b\n",
		"policies/aws/net/b_test.rego":  "package main\n\ntest_b if nonsense(\n",
		"policies/.cache/c.rego":        "no rego",
		"policies/testdata/plan.json":   "no data",
		"policies/testdata/README.data": "no data",
		"other/d.rego":                  "no rego",
	}, spec.Policy{})
	want := []string{"POL-302 warning policies/a.rego:3:1: a | ", "POL-302 warning policies/aws/net/b.rego:3:1: b | "}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	mods, err := reconcile.RepoModules(files(map[string]string{"environments/prod/prod.cue": ""}))
	if err != nil || len(mods) > 0 {
		t.Errorf("a repository without rules: %v, %v", mods, err)
	}
	if _, err := reconcile.RepoModules(files(map[string]string{"policies": "a file"})); err == nil {
		t.Error("policies that are no directory are passed over")
	}
}

func TestWaivers(t *testing.T) {
	t.Parallel()
	rules := map[string]string{"policies/net.rego": `package main

# METADATA
# custom: {id: NET-7, mend: write one}
deny_net contains {"msg": "no block", "address": rc.address} if some rc in input.resource_changes
`}
	const where = "policies/net.rego:5:1: fake.network/main: NET-7: no block"
	denied := "POL-301 error " + where + " | write one"
	for name, c := range map[string]struct {
		waiver spec.Waiver
		want   []string
	}{
		"by code":            {spec.Waiver{Rule: "NET-7", Reason: "lab"}, []string{"POL-303 note " + where + " (waived: lab) | write one"}},
		"by name":            {spec.Waiver{Rule: "deny_net", Reason: "lab"}, []string{"POL-303 note " + where + " (waived: lab) | write one"}},
		"on its last day":    {spec.Waiver{Rule: "NET-7", Reason: "lab", Until: "2026-06-30"}, []string{"POL-303 note " + where + " (waived: lab) | write one"}},
		"after its last day": {spec.Waiver{Rule: "NET-7", Reason: "lab", Until: "2026-06-29"}, []string{"POL-301 error " + where + " (its waiver ended with 2026-06-29: lab) | write one"}},
		"for another":        {spec.Waiver{Rule: "NET-7", Reason: "lab", Address: "fake.network/other"}, []string{denied}},
		"for no rule": {spec.Waiver{Rule: "NET-77", Reason: "lab", At: resource.Position{File: "environments/prod/prod.cue", Line: 4, Col: 3}}, []string{
			denied, "POL-312 warning environments/prod/prod.cue:4:3: policy.waivers: no rule that judges this environment is called NET-77, so the waiver accepts nothing | did you mean NET-7?",
		}},
		"by a suffix": {spec.Waiver{Rule: "net", Reason: "lab"}, []string{
			denied, "POL-312 warning policy.waivers: no rule that judges this environment is called net, so the waiver accepts nothing | did you mean deny_net?",
		}},
		"for no kind": {spec.Waiver{Rule: "NET-7", Reason: "lab", Address: "fake.netwerk/main"}, []string{
			denied, "POL-312 warning policy.waivers: there is no kind fake.netwerk, so the waiver accepts nothing | did you mean fake.network?",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := judged(t, rules, spec.Policy{Waivers: []spec.Waiver{c.waiver}}); !slices.Equal(got, c.want) {
				t.Errorf("got %q", got)
			}
			if _, ok := diag.Explain("POL-312"); !ok {
				t.Error("POL-312 has no page")
			}
		})
	}
}

// A code that a decision gives itself can be waived, so no waiver for it is idle;
// one that is worked out could be any.
func TestWaiversOfDecisionsOwnCodes(t *testing.T) {
	t.Parallel()
	rule := "package main\n\nwarn_x contains {\"msg\": \"x\", \"id\": CODE} if input.isobar.environment == \"dev\"\n"
	for code, idle := range map[string]int{`"OWN-3"`: 0, `"OWN-4"`: 1, `concat("-", ["OWN", "4"])`: 0} {
		of := map[string]string{"policies/x.rego": strings.Replace(rule, "CODE", code, 1)}
		if got := judged(t, of, spec.Policy{Waivers: []spec.Waiver{{Rule: "OWN-3", Reason: "lab"}}}); len(got) != idle {
			t.Errorf("%s: %q", code, got)
		}
	}
}
