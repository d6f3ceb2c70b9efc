package policy_test

import (
	"slices"
	"testing"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/resource"
)

// Rules written for Terraform's plans of instances and volumes, where a block
// is a list of one, hold on ours.
func TestBlocksAreListsOfOne(t *testing.T) {
	t.Parallel()
	e := compile(t, `package main
deny_imds contains msg if {
	some rc in input.resource_changes
	rc.type == "aws_instance"
	some o in rc.change.after.metadata_options
	o.http_tokens != "required"
	msg := sprintf("imds %s", [rc.change.after.ami])
}
deny_root contains msg if {
	some rc in input.resource_changes
	rc.type == "aws_instance"
	some d in rc.change.after.root_block_device
	not d.encrypted
	msg := sprintf("root %s", [d.volume_type])
}
deny_disk contains msg if {
	some rc in input.resource_changes
	rc.type == "aws_ebs_volume"
	not rc.change.after.encrypted
	rc.change.after_unknown.attachment[0].instance_id
	msg := sprintf("disk %s", [rc.change.after.attachment[0].device_name])
}
`)
	input := func(tokens string, encrypted bool) policy.Input {
		return policy.Input{Kinds: kinds(t), Plan: &plan.Plan{Env: "prod", Changes: []plan.Change{
			{Address: addr(t, "aws.instance/web"), Action: plan.Create, After: resource.Map{
				"imageId":         resource.String("ami-0a1b2c3d"),
				"metadataOptions": resource.Map{"httpTokens": resource.String(tokens)},
				"rootVolume":      resource.Map{"volumeType": resource.String("gp3"), "encrypted": resource.Bool(encrypted)},
			}},
			{Address: addr(t, "aws.volume/data"), Action: plan.Create, After: resource.Map{
				"encrypted":  resource.Bool(encrypted),
				"attachment": resource.Map{"instanceId": resource.Unknown{}, "device": resource.String("/dev/sdf")},
			}},
		}}}
	}
	told := func(in policy.Input) []string {
		var out []string
		for _, f := range decide(t, e, in).Findings() {
			out = append(out, f.Message)
		}
		slices.Sort(out)
		return out
	}
	if got := told(input("required", true)); len(got) != 0 {
		t.Errorf("a safe plan is told of: %q", got)
	}
	if got := told(input("optional", false)); !slices.Equal(got, []string{"disk /dev/sdf", "imds ami-0a1b2c3d", "root gp3"}) {
		t.Errorf("told %q", got)
	}
}
