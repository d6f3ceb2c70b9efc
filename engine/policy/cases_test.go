package policy_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/resource"
	"isobar.dev/schemas"
)

func kinds(t testing.TB) resource.Descriptors {
	t.Helper()
	k, err := schemas.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func addr(t testing.TB, s string) resource.Address {
	t.Helper()
	a, err := resource.ParseAddress("prod/" + s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func ingress(port int, cidr string) resource.Map {
	return resource.Map{
		"ipProtocol": resource.String("tcp"), "fromPort": resource.Int(port), "toPort": resource.Int(port),
		"cidrIpv4": resource.String(cidr),
	}
}

// group is a plan that creates one security group with these rules.
func group(t testing.TB, rules ...resource.Value) policy.Input {
	t.Helper()
	a := addr(t, "aws.security_group/web")
	f := resource.Map{
		"groupName": resource.String("web"), "vpcId": resource.Unknown{}, "ingress": resource.List(rules),
		"tags": resource.Map{"owner": resource.String("net")},
	}
	want := maps.Clone(f)
	want["vpcId"] = resource.Ref{Address: addr(t, "aws.vpc/main"), Out: "id"}
	at := resource.Position{File: "environments/prod/net.cue", Line: 40, Col: 2}
	return policy.Input{
		Kinds: kinds(t), Commit: "3f2a91c", Actor: "mei", Trigger: "push", Mode: "auto",
		Plan: &plan.Plan{Env: "prod", Changes: []plan.Change{{Address: a, Action: plan.Create, After: f, At: at}}},
		Desired: []resource.Desired{{
			Address: a, Fields: want, At: at,
			Where: map[string]resource.Position{"ingress": {File: "environments/prod/net.cue", Line: 44, Col: 3}, "tags.owner": {File: "environments/prod/net.cue", Line: 50, Col: 5}},
		}},
	}
}

func compile(t testing.TB, sources ...string) *policy.Engine {
	t.Helper()
	mods := make([]policy.Module, len(sources))
	for i, s := range sources {
		mods[i] = policy.Module{Path: fmt.Sprintf("policies/p%d.rego", i), Source: s}
	}
	e, found := policy.Compile(t.Context(), mods, kinds(t))
	if e == nil {
		t.Fatal(found)
	}
	return e
}

func decide(t testing.TB, e *policy.Engine, in policy.Input) policy.Decision {
	t.Helper()
	d, err := e.Evaluate(t.Context(), policy.NewDocument(in))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// lines writes findings as a person reads them, with their codes and mends.
func lines(l diag.List) string {
	var b strings.Builder
	for _, f := range l {
		fmt.Fprintf(&b, "%s %s %s\n", f.Code, f.Severity, f)
		if f.Mend != "" {
			fmt.Fprintf(&b, "  mend: %s\n", f.Mend)
		}
	}
	return b.String()
}
