package policy_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"isobar.dev/engine/policy"
)

// told are the warnings of a rule's text, within a rule of package main.
func told(t *testing.T, body string) []string {
	t.Helper()
	_, found := policy.Compile(t.Context(), append(pack(t, false), policy.Module{Path: "policies/p.rego", Source: "package main\n\nimport data.isobar.plan\n\n" + body + "\n"}), kinds(t))
	var out []string
	for _, f := range found {
		line := fmt.Sprintf("%s:%d:%d %s: %s | %s", f.Code, f.Where.Line, f.Where.Col, f.Subject, f.Message, f.Mend)
		out = append(out, strings.NewReplacer("POL-310:", "", ", so it is never there", "", ", so nothing is ever of it", "").Replace(line))
	}
	return out
}

func TestMisspelt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want []string
	}{
		"a field of an object": {`deny contains "x" if {
	some rc in input.resource_changes
	rc.change.after.cidr_blok == "10.0.0.0/8"
}`, []string{"7:2 deny: rc.change.after has no field cidr_blok | did you mean cidr_block?"}},
		"of what a helper gives": {`deny contains "x" if {
	some vpc in plan.of_type("aws_vpc")
	not vpc.change.after.enable_dns_supprt
}`, []string{"7:6 deny: vpc.change.after has no field enable_dns_supprt | did you mean enable_dns_support?"}},
		"within a block": {`deny contains "x" if {
	some rc in input.resource_changes
	rc.change.after.metadata_options[_].http_token == "optional"
}`, []string{"7:2 deny: rc.change.after.metadata_options[_] has no field http_token | did you mean http_tokens?"}},
		"of a block, as if it were an object": {`deny contains "x" if {
	some rc in input.resource_changes
	rc.change.after.metadata_options.http_tokens == "optional"
}`, []string{"7:2 deny: rc.change.after.metadata_options is a list, which has no field http_tokens | ask its members: rc.change.after.metadata_options[_].http_tokens"}},
		"in isobar's own name of a field": {`deny contains "x" if {
	some rc in input.resource_changes
	rc.change.after.cidrBlock
}`, []string{"7:2 deny: rc.change.after has no field cidrBlock | did you mean cidr_block?"}},
		"in a comprehension": {`deny contains "x" if count([1 | some rc in input.resource_changes; rc.addressx == "x"]) > 0`, []string{
			"5:68 deny: rc has no field addressx | did you mean address?",
		}},
		"in isobar's object, through a name": {`warn contains "x" if {
	here := input.isobar
	here.envronment == "prod"
}`, []string{"7:2 warn: here has no field envronment | did you mean environment?"}},
		"in the inventory": {`warn contains "x" if {
	some o in input.isobar.live
	o.value.id == "vpc-1"
}`, []string{"7:2 warn: o has no field value | did you mean values?"}},
		"what Terraform has and isobar has not": {`warn contains sprintf("%s", [rc.module_address]) if some rc in input.resource_changes`, []string{
			"5:30 warn: rc has no field module_address | write one of address, change, isobar, mode, name, provider_name, type",
		}},
		"a type": {`deny contains "x" if {
	some rc in input.resource_changes
	rc.type == "aws_vcp"
}`, []string{"7:13 deny: no kind is called aws_vcp | did you mean aws_vpc?"}},
		"a kind": {`deny contains "x" if {
	some rc in input.resource_changes
	rc.isobar.kind != "aws.bukket"
}`, []string{"7:20 deny: no kind is called aws.bukket | did you mean aws.bucket?"}},
		"a kind that is like none": {`deny contains "x" if "aws.database" == input.resource_changes[_].isobar.kind`, []string{
			"5:22 deny: no kind is called aws.database | isobar's reference lists the kinds; leave it, if the rule is for Terraform as well",
		}},
		"a kind as if it were a type": {`deny contains "x" if count(plan.of_type("aws_bucket")) > 0`, []string{
			"5:41 deny: no kind is called aws_bucket | did you mean aws_s3_bucket?",
		}},
		"a type in a list": {`deny contains "x" if {
	some rc in input.resource_changes
	rc.type in {"aws_instance", "aws_ebs_volum"}
}`, []string{"7:30 deny: no kind is called aws_ebs_volum | did you mean aws_ebs_volume?"}},
		"data": {`deny contains "x" if data.isobar.limits.vm_cpu > 3`, []string{
			"5:22 deny: neither a rule nor a file of data gives data.isobar.limits.vm_cpu | did you mean vm_cpus?",
		}},
		"data that nobody has": {`deny contains "x" if data.regions[_] == "eu"`, []string{
			"5:22 deny: neither a rule nor a file of data gives data.regions | write it, or put it into policies/data.json or data.yaml",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := told(t, c.body); !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// What is no mistake is not taken for one: rules that look through whatever is
// there, rules for Terraform's kinds as well, texts that are no kinds.
func TestNotMisspelt(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"keys and values": `warn contains k if {
	some rc in input.resource_changes
	some k, v in rc.change.after
	v == 3
}`,
		"any path": `warn contains "x" if {
	walk(input, [path, value])
	path[count(path) - 1] == "kms_key"
	value == "x"
}`,
		"a field by its name": `warn contains "x" if {
	some rc in input.resource_changes
	some field in ["kms_key", "kms_key_id"]
	object.get(rc.change.after, field, "") == "x"
	not rc.change.after[field]
}`,
		"keys that are the users'": `warn contains "x" if {
	some rc in input.resource_changes
	not rc.change.after.tags.costCentre
	not rc.change.after.tags["any/thing"]
	rc.change.after.disks["scsi0:0"].size > 3
}`,
		"nothing before or after": `warn contains "x" if {
	some rc in input.resource_changes
	rc.change.after == null
	rc.change.before != null
	not rc.change.after_unknown.arn
	not rc.change.after_unknown.ingress[0].cidr_blocks
	rc.change.before_sensitive.password
}`,
		"parts": `warn contains "x" if {
	some rc in plan.of_type("aws_s3_bucket_policy")
	rc.change.after.policy_document.Statement[_].Principal.AWS == "*"
	json.unmarshal(rc.change.after.policy).Statement
	rc.isobar.part == "policy"
}`,
		"peers of rules": `warn contains "x" if {
	some rc in plan.of_type("aws_security_group")
	some r in rc.change.after.ingress
	r.self
	r.cidr_blocks[_] == "0.0.0.0/0"
	r.from_port <= 22
}`,
		"Terraform's kinds": `databases := {"aws_db_instance", "aws_rds_cluster", "aws_instance"}

warn contains "x" if {
	some rc in input.resource_changes
	rc.type in databases
	rc.type != "aws_eip"
}`,
		"Terraform's modules": `warn contains "x" if {
	some module in input.planned_values.root_module.child_modules
	module.resources[_].type == "aws_vpc"
}`,
		"what is like a kind and is none": `warn contains "x" if {
	some rc in input.resource_changes
	rc.name == "aws_vpcs"
	rc.change.after.tags["aws_instanc"] == "aws_vpcx"
	startswith(rc.type, "aws_instanc")
	rc.change.after.type == "gp3"
}`,
		"another input": `warn contains "x" if count(plan.living) == 3 with input as {"resource_changes": [], "resource_chnges": []}`,
		"all of data":   `warn contains "x" if data[k].x`,
		"types, listed": `warn contains "x" if {
	some rc in input.resource_changes
	not "tags" in input.isobar.kinds[rc.type].fields
}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := told(t, body); len(got) > 0 {
				t.Errorf("told of\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

// Every field of every document is a field: what rules may see is never told to be
// absent.
func TestWhatIsThereIsNotMisspelt(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]policy.Input{"every": every(t), "mixed": mixed(t, 60), "many": many(t, 5)} {
		var doc any
		if err := json.Unmarshal(documentJSON(t, in), &doc); err != nil {
			t.Fatal(err)
		}
		paths := map[string]bool{}
		see(doc, "input", paths)
		var rules strings.Builder
		for p := range paths {
			rules.WriteString("warn contains \"x\" if " + p + " == 1\n")
		}
		_, found := policy.Compile(t.Context(), []policy.Module{{Path: "policies/p.rego", Source: "package main\n\n" + rules.String()}}, in.Kinds)
		for _, f := range found {
			t.Errorf("%s: %s", name, f)
		}
		if len(paths) < 50 {
			t.Errorf("%s: only %d paths", name, len(paths))
		}
	}
}

// see collects the paths within a document, with any index as _.
func see(v any, at string, into map[string]bool) {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			into[at+fmt.Sprintf("[%q]", k)] = true
			see(e, at+fmt.Sprintf("[%q]", k), into)
		}
	case []any:
		for _, e := range x {
			see(e, at+"[_]", into)
		}
	}
}

// A book of rules for Terraform is not held up, and its author hears in the tests
// which of its types never come.
func TestTerraformsTypes(t *testing.T) {
	t.Parallel()
	mods := []policy.Module{{Path: "policies/rds.rego", Source: `package main

deny[msg] {
	rc := input.resource_changes[_]
	rc.type == "aws_rds_cluster"
	rc.chnge.after.x
	msg := sprintf("%v", [rc.address])
}
`}}
	field := "POL-310 warning policies/rds.rego:6:2: deny: rc has no field chnge, so it is never there\n  mend: did you mean change?\n"
	if _, found := policy.Compile(t.Context(), mods, kinds(t)); lines(found) != field {
		t.Errorf("got %s", lines(found))
	}
	_, found := policy.Test(t.Context(), mods, kinds(t))
	want := "POL-310 warning policies/rds.rego:5:13: deny: no kind is called aws_rds_cluster, so nothing is ever of it\n" +
		"  mend: isobar's reference lists the kinds; leave it, if the rule is for Terraform as well\n" + field
	if got := lines(found); got != want {
		t.Errorf("got %s", got)
	}
}
