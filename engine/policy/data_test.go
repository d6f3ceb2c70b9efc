package policy_test

import (
	"strings"
	"testing"

	"isobar.dev/engine/policy"
)

// Files of data stand below data, by their directories; tests see them too.
func TestDataIsRead(t *testing.T) {
	t.Parallel()
	mods := []policy.Module{
		{Path: "policies/regions.rego", Source: `package main

deny_region contains msg if {
	not "eu-north-1" in data.regions.allowed
	msg := sprintf("eu-north-1 is none of %v, of %s", [data.regions.allowed, data.team.owner])
}
`},
		{Path: "policies/data.json", Source: `{"regions": {"allowed": ["eu-west-1"]}}`},
		{Path: "policies/data.yaml", Source: "regions:\n  wanted: [eu-west-1]\n"},
		{Path: "policies/team/data.yml", Source: "owner: mei\n", Below: "team"},
	}
	e, found := policy.Compile(t.Context(), mods, kinds(t))
	if e == nil || len(found) > 0 {
		t.Fatal(found)
	}
	want := "POL-301 error policies/regions.rego:3:1: eu-north-1 is none of [\"eu-west-1\"], of mei\n"
	if got := lines(decide(t, e, group(t)).Findings()); got != want {
		t.Errorf("got %s", got)
	}
	tests := policy.Module{Path: "policies/regions_test.rego", Source: `package main

test_denied if count(deny_region) == 1

test_let_through if count(deny_region) == 0 with data.regions.allowed as ["eu-north-1"]

test_wanted if data.regions.wanted == ["eu-west-1"]
`}
	results, found := policy.Test(t.Context(), append(mods, tests), kinds(t))
	if len(found) > 0 || len(results) != 3 {
		t.Fatal(found, results)
	}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: %s%s", r.Name, r.Error, r.Output)
		}
	}
}

func TestDataRefused(t *testing.T) {
	t.Parallel()
	rules := policy.Module{Path: "policies/p.rego", Source: "package lib.regions\n\nallowed := [\"eu-west-1\"]\n"}
	for name, c := range map[string]struct {
		files []policy.Module
		want  string
	}{
		"not JSON":       {[]policy.Module{{Path: "policies/data.json", Source: "{\n\t\"a\": [1,\n\t}\n"}}, "POL-304 error policies/data.json:3: the data cannot be read: invalid character '}'"},
		"a list":         {[]policy.Module{{Path: "policies/data.yaml", Source: "- a\n- b\n"}}, "POL-304 error policies/data.yaml: the data is no object, so nothing of it has a name\n"},
		"nothing":        {[]policy.Module{{Path: "policies/data.yaml", Source: ""}}, "POL-304 error policies/data.yaml: the data "},
		"isobar's own":   {[]policy.Module{{Path: "policies/data.yaml", Source: "isobar: {limits: {vm_cpus: 64}}\n"}}, "POL-304 error policies/data.yaml: data.isobar is the rules' own: a file of data cannot stand there\n"},
		"below main":     {[]policy.Module{{Path: "policies/main/data.yaml", Source: "a: 1\n", Below: "main"}}, "POL-304 error policies/main/data.yaml: data.main is the rules' own: a file of data cannot stand there\n"},
		"a rule's place": {[]policy.Module{{Path: "policies/data.json", Source: `{"lib": {"regions": {"allowed": []}}}`}}, "POL-305 error policies/p.rego:3:1: data.lib.regions.allowed is a rule here, and a file of data has it too\n"},
		"said twice": {
			[]policy.Module{{Path: "policies/data.json", Source: `{"a": {"b": 1}}`}, {Path: "policies/data.yaml", Source: "a: {b: 1}\n"}},
			"POL-304 error policies/data.yaml: data.a.b is in policies/data.json as well\n",
		},
		"too much": {
			[]policy.Module{{Path: "policies/data.json", Source: `{"a": "` + strings.Repeat("x", 4<<20) + `"}`}},
			"POL-304 error policies/data.json: the files of data have more than 4 MiB together\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mods := append(c.files, rules)
			e, found := policy.Compile(t.Context(), mods, kinds(t))
			if got := lines(found); e != nil || !strings.HasPrefix(got, c.want) || found[0].Mend == "" {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if results, same := policy.Test(t.Context(), mods, kinds(t)); results != nil || lines(same) != lines(found) {
				t.Errorf("tests say:\n%s", lines(same))
			}
		})
	}
}

// Data that stands beside a package of the same name is no contradiction.
func TestDataBesideAPackage(t *testing.T) {
	t.Parallel()
	e, found := policy.Compile(t.Context(), []policy.Module{
		{Path: "policies/p.rego", Source: "package lib\n\nlarge := {x | some x in data.lib.sizes; x > 3}\n"},
		{Path: "policies/q.rego", Source: "package main\n\nwarn contains \"five\" if 5 in data.lib.large\n"},
		{Path: "policies/lib/data.json", Source: `{"sizes": [1, 5]}`, Below: "lib"},
	}, kinds(t))
	if e == nil || len(found) > 0 {
		t.Fatal(found)
	}
	if got := decide(t, e, group(t)).Findings(); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}
