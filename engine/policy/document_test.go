package policy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/resource"
)

var update = flag.Bool("update", false, "rewrite the golden files under testdata")

// every is a plan with each action, drift, secrets and unknown values.
func every(t testing.TB) policy.Input {
	t.Helper()
	in := group(t, ingress(443, "10.0.0.0/8"), resource.Map{"ipProtocol": resource.String("-1"), "referencedGroupId": resource.Unknown{}})
	in.Kinds["vsphere.vm"] = &resource.Descriptor{Kind: "vsphere.vm", Fields: []resource.Field{
		{Name: "adminPassword", Type: "string", Sensitive: true}, {Name: "memoryMB", Type: "int"}, {Name: "numCPUs", Type: "int"},
	}, Outs: []resource.Out{{Name: "id"}, {Name: "instanceUUID"}}}
	vm := addr(t, "vsphere.vm/db")
	vpc := addr(t, "aws.vpc/main")
	in.Plan.Digest = "9c1e44b0"
	in.Plan.Changes = append(in.Plan.Changes,
		plan.Change{
			Address: vm, Action: plan.Update, ID: "vm-1", Disruptive: true, Reasons: []plan.Reason{{Cause: plan.CauseDrift}},
			Before: resource.Map{"adminPassword": resource.String("hunter2"), "numCPUs": resource.Int(8)},
			After:  resource.Map{"adminPassword": resource.Secret{Name: "db"}, "numCPUs": resource.Int(4), "memoryMB": resource.Number(1.5)},
			Fields: []plan.FieldChange{
				{Path: resource.Path{"numCPUs"}, Before: resource.Int(8), After: resource.Int(4), Cause: plan.CauseDrift},
				{Path: resource.Path{"adminPassword"}, Before: resource.String("hunter2"), After: resource.Secret{Name: "db"}, Cause: plan.CauseDrift, Sensitive: true},
			},
		},
		plan.Change{
			Address: vpc, Action: plan.Replace, ID: "vpc-1", First: true,
			Before: resource.Map{"cidrBlock": resource.String("10.0.0.0/16")}, After: resource.Map{"cidrBlock": resource.String("10.1.0.0/16")},
			Fields: []plan.FieldChange{{Path: resource.Path{"cidrBlock"}, Replaces: true, Cause: plan.CauseSpec}},
		},
		plan.Change{Address: addr(t, "aws.subnet/old"), Action: plan.Delete, ID: "subnet-1", Before: resource.Map{"mapPublicIpOnLaunch": resource.Bool(true)}},
		plan.Change{Address: addr(t, "aws.subnet/kept"), Action: plan.Forget, ID: "subnet-2", Before: resource.Map{}},
		plan.Change{Address: addr(t, "aws.subnet/found"), Action: plan.Adopt, ID: "subnet-3", Before: resource.Map{}, After: resource.Map{}},
		plan.Change{
			Address: addr(t, "aws.subnet/gone"), Action: plan.Create, After: resource.Map{"cidrBlock": resource.String("10.1.1.0/24"), "vpcId": resource.Ref{Address: vpc, Out: "id"}},
			Reasons: []plan.Reason{{Cause: plan.CauseDrift, Text: "deleted outside"}},
		},
	)
	in.Plan.Held = []plan.Held{{Address: vpc, Action: plan.Delete, Why: plan.HeldProtect}}
	in.Live = []resource.Object{{Address: vpc, ID: "vpc-1", Fields: resource.Map{"cidrBlock": resource.String("10.0.0.0/16"), "tags": resource.Unread{Why: "denied"}}}}
	in.Kinds = resource.Descriptors{"aws.vpc": in.Kinds["aws.vpc"], "aws.subnet": in.Kinds["aws.subnet"], "aws.security_group": in.Kinds["aws.security_group"], "vsphere.vm": in.Kinds["vsphere.vm"]}
	return in
}

func documentJSON(t testing.TB, in policy.Input) []byte {
	t.Helper()
	v, err := policy.NewDocument(in).JSON()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func TestDocument(t *testing.T) {
	t.Parallel()
	got := documentJSON(t, every(t))
	const file = "testdata/document.json"
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the rules' input differs from %s (go test ./engine/policy -update rewrites it); got:\n%s", file, got)
	}
}

// TestNoSecretInDocument plants secrets where the descriptor, the plan or the
// value itself says so.
func TestNoSecretInDocument(t *testing.T) {
	t.Parallel()
	const planted = "pL4nt3d"
	base := every(t)
	vm := addr(t, "vsphere.vm/db")
	rapid.Check(t, func(rt *rapid.T) {
		value := func() resource.Value {
			leaf := resource.Value(resource.String(planted))
			for range rapid.IntRange(0, 3).Draw(rt, "depth") {
				if rapid.Bool().Draw(rt, "list") {
					leaf = resource.List{leaf}
				} else {
					leaf = resource.Map{"k": leaf}
				}
			}
			return leaf
		}
		secret := resource.Secret{Name: "db", Version: "1", MAC: planted}
		fields := resource.Map{"adminPassword": value(), "memoryMB": resource.List{secret}, "numCPUs": resource.Template{resource.String("x"), secret}}
		in := base
		in.Desired = []resource.Desired{{Address: vm, Fields: fields}}
		in.Live = []resource.Object{{Address: vm, ID: "vm-1", Fields: fields}}
		in.Plan = &plan.Plan{Env: "prod", Changes: []plan.Change{{
			Address: vm, Action: plan.Update, ID: "vm-1", Before: fields, After: fields,
			Fields: []plan.FieldChange{
				{Path: resource.Path{"other"}, Before: value(), After: value(), Sensitive: true, Cause: plan.CauseDrift},
				{Path: resource.Path{"adminPassword"}, Before: value(), After: value(), Cause: plan.CauseDrift},
			},
		}}}
		if doc := string(documentJSON(t, in)); strings.Contains(doc, planted) {
			rt.Fatalf("a secret in:\n%s", doc)
		}
	})
}

// TestLookupsAreNoResources: Terraform has its data sources in none of these, so
// no rule on resources may meet one.
func TestLookupsAreNoResources(t *testing.T) {
	t.Parallel()
	in := every(t)
	before := documentJSON(t, in)
	a := addr(t, "aws.ami/web")
	in.Kinds["aws.ami"] = &resource.Descriptor{Kind: "aws.ami", TF: "aws_ami", Lookup: true, Outs: []resource.Out{{Name: "id"}}}
	in.Desired = append(in.Desired, resource.Desired{Address: a, Fields: resource.Map{"ssmParameter": resource.String("/web")}})
	in.Plan.Changes = append(in.Plan.Changes, plan.Change{Address: a, Action: plan.Pin, ID: "ami-1", After: resource.Map{"id": resource.String("ami-1")}})
	after := documentJSON(t, in)
	strip := func(b []byte) string {
		var doc map[string]any
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		iso, _ := doc["isobar"].(map[string]any)
		delete(iso, "kinds") // which does tell of the kind
		out, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if strip(before) != strip(after) {
		t.Errorf("the document tells of a lookup:\n%s", after)
	}
}

// TestInputHasItsFields: what a rule is told to be no field of the input is none,
// and what is one is taken for it.
func TestInputHasItsFields(t *testing.T) {
	t.Parallel()
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(documentJSON(t, every(t)), &doc); err != nil {
		t.Fatal(err)
	}
	var isobar map[string]json.RawMessage
	if err := json.Unmarshal(doc["isobar"], &isobar); err != nil {
		t.Fatal(err)
	}
	var rules strings.Builder
	rules.WriteString("package main\n")
	for path, fields := range map[string]map[string]json.RawMessage{"input.": doc, "input.isobar.": isobar} {
		for f := range fields {
			rules.WriteString("deny contains \"x\" if " + path + f + " == 1\n")
		}
	}
	if _, found := policy.Compile(t.Context(), []policy.Module{{Path: "policies/p.rego", Source: rules.String()}}, kinds(t)); len(found) > 0 {
		t.Errorf("%d fields, and of them is said:\n%s", len(doc)+len(isobar), found.Error())
	}
}
