package policy_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/resource"
)

func value(t testing.TB, text string) resource.Map {
	t.Helper()
	v, err := resource.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v.(resource.Map)
}

// bucketFields is a bucket with all its aspects.
func bucketFields(t testing.TB) resource.Map {
	t.Helper()
	return value(t, `{
		"bucket": "logs", "forceDestroy": false, "tags": {"owner": "net"},
		"versioning": {"status": "Enabled"},
		"encryption": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "k", "bucketKeyEnabled": true},
		"publicAccessBlock": {"blockPublicAcls": true, "blockPublicPolicy": false, "ignorePublicAcls": true, "restrictPublicBuckets": true},
		"policy": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["s3:GetObject"], "Resource": ["r"]}]},
		"lifecycleRules": [{"id": "old", "status": "Enabled", "filter": {"prefix": "p", "tags": {"camelKey": "1"}},
			"transitions": [{"days": 30, "storageClass": "GLACIER"}], "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}}]
	}`)
}

// resources gives "type actions after" of each resource change, or with
// "drift" of each drift.
func resources(t testing.TB, in policy.Input, list string) []string {
	t.Helper()
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(documentJSON(t, in), &doc); err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Type, Address string
		Change        struct {
			Actions      []string
			After        any
			AfterUnknown any `json:"after_unknown"`
		}
		Isobar struct{ Address, Part string }
	}
	if err := json.Unmarshal(doc[list], &all); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range all {
		after, err := json.Marshal(r.Change.After)
		if err != nil {
			t.Fatal(err)
		}
		if r.Address != r.Type+".logs" || r.Isobar.Address != "aws.bucket/logs" {
			t.Errorf("%s of %s", r.Address, r.Isobar.Address)
		}
		out = append(out, strings.Join([]string{r.Type, strings.Join(r.Change.Actions, "+"), string(after)}, " "))
	}
	slices.Sort(out)
	return out
}

// A bucket is what Terraform has: itself, and a resource for each aspect.
func TestBucketIsSeenAsTerraformHasIt(t *testing.T) {
	t.Parallel()
	in := policy.Input{Kinds: kinds(t), Plan: &plan.Plan{Env: "prod", Changes: []plan.Change{
		{Address: addr(t, "aws.bucket/logs"), Action: plan.Create, After: bucketFields(t)},
	}}}
	want := []string{
		`aws_s3_bucket create {"bucket":"logs","force_destroy":false,"tags":{"owner":"net"},"tags_all":{"owner":"net"}}`,
		`aws_s3_bucket_lifecycle_configuration create {"bucket":"logs","rule":[{"abort_incomplete_multipart_upload":[{"days_after_initiation":7}],"filter":[{"prefix":"p","tags":{"camelKey":"1"}}],"id":"old","status":"Enabled","transition":[{"days":30,"storage_class":"GLACIER"}]}]}`,
		`aws_s3_bucket_policy create {"bucket":"logs","policy":"{\"Statement\":[{\"Action\":[\"s3:GetObject\"],\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"*\"]},\"Resource\":[\"r\"]}],\"Version\":\"2012-10-17\"}"}`,
		`aws_s3_bucket_public_access_block create {"block_public_acls":true,"block_public_policy":false,"bucket":"logs","ignore_public_acls":true,"restrict_public_buckets":true}`,
		`aws_s3_bucket_server_side_encryption_configuration create {"bucket":"logs","rule":[{"apply_server_side_encryption_by_default":[{"kms_master_key_id":"k","sse_algorithm":"aws:kms"}],"bucket_key_enabled":true}]}`,
		`aws_s3_bucket_versioning create {"bucket":"logs","versioning_configuration":[{"status":"Enabled"}]}`,
	}
	if got := resources(t, in, "resource_changes"); !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

// Each aspect has its own action: what changes alone is updated alone, what is
// taken out is deleted, what comes is created, and drift stands where it is.
func TestBucketPartsChangeAlone(t *testing.T) {
	t.Parallel()
	a := addr(t, "aws.bucket/logs")
	before, after := bucketFields(t), bucketFields(t)
	delete(after, "policy")
	delete(before, "encryption")
	before["versioning"] = resource.Map{"status": resource.String("Suspended")}
	c := plan.Change{Address: a, Action: plan.Update, ID: "logs", Before: before, After: after, Fields: []plan.FieldChange{
		{Path: resource.Path{"policy"}, Before: before["policy"], Cause: plan.CauseSpec},
		{Path: resource.Path{"encryption"}, After: after["encryption"], Cause: plan.CauseSpec},
		{Path: resource.Path{"versioning", "status"}, Before: resource.String("Suspended"), After: resource.String("Enabled"), Cause: plan.CauseDrift},
	}}
	in := policy.Input{Kinds: kinds(t), Plan: &plan.Plan{Env: "prod", Changes: []plan.Change{c}}}
	actions := func() map[string]string {
		out := map[string]string{}
		for _, r := range resources(t, in, "resource_changes") {
			f := strings.Fields(r)
			out[strings.TrimPrefix(f[0], "aws_s3_bucket")] = f[1]
		}
		return out
	}
	got, want := actions(), map[string]string{
		"": "no-op", "_policy": "delete", "_server_side_encryption_configuration": "create", "_versioning": "update",
		"_public_access_block": "no-op", "_lifecycle_configuration": "no-op",
	}
	for k, w := range want {
		if got[k] != w {
			t.Errorf("aws_s3_bucket%s: %s, want %s", k, got[k], w)
		}
	}
	if got := resources(t, in, "resource_drift"); !slices.Equal(got, []string{`aws_s3_bucket_versioning update {"versioning_configuration":[{"status":"Suspended"}]}`}) {
		t.Errorf("drift %q", got)
	}
	in.Plan.Changes[0] = plan.Change{Address: a, Action: plan.Replace, Before: after, After: after, Fields: []plan.FieldChange{{Path: resource.Path{"bucket"}, Replaces: true}}}
	for k, got := range actions() {
		if got != "delete+create" {
			t.Errorf("aws_s3_bucket%s of a replaced bucket: %s", k, got)
		}
	}
}

// A policy of which apply will tell some is not known as a whole; what is known
// of it is there as a structure.
func TestUnknownPolicyIsUnknown(t *testing.T) {
	t.Parallel()
	f := bucketFields(t)
	f["policy"] = resource.Map{"Statement": resource.List{resource.Map{"Effect": resource.String("Allow"), "Resource": resource.List{resource.Unknown{}}}}}
	in := policy.Input{Kinds: kinds(t), Plan: &plan.Plan{Env: "prod", Changes: []plan.Change{{Address: addr(t, "aws.bucket/logs"), Action: plan.Create, After: f}}}}
	e := compile(t, `package main
deny_unknown contains msg if {
	some rc in input.resource_changes
	rc.type == "aws_s3_bucket_policy"
	rc.change.after_unknown.policy
	not rc.change.after.policy
	rc.change.after_unknown.policy_document.Statement[0].Resource[0]
	msg := sprintf("unknown %s", [rc.change.after.policy_document.Statement[0].Effect])
}
`)
	if got := decide(t, e, in).Findings(); len(got) != 1 || !strings.Contains(got[0].Message, "unknown Allow") {
		t.Errorf("told %v", got)
	}
}

// What a rule says of a part leads to its place in the spec.
func TestPartsHaveTheirPlaces(t *testing.T) {
	t.Parallel()
	a := addr(t, "aws.bucket/logs")
	at := func(line int) resource.Position {
		return resource.Position{File: "environments/prod/s3.cue", Line: line}
	}
	in := policy.Input{
		Kinds: kinds(t), Plan: &plan.Plan{Env: "prod", Changes: []plan.Change{{Address: a, Action: plan.Create, After: bucketFields(t)}}},
		Desired: []resource.Desired{{Address: a, Fields: bucketFields(t), At: at(1), Where: map[string]resource.Position{
			"publicAccessBlock": at(5), "publicAccessBlock.blockPublicPolicy": at(6), "versioning": at(8), "policy": at(9),
		}}},
	}
	e := compile(t, `package main
deny_open contains {"msg": "open", "address": rc.address, "path": path} if {
	some rc in input.resource_changes
	path := {"aws_s3_bucket_public_access_block": "block_public_policy", "aws_s3_bucket_versioning": "versioning_configuration[0].status",
		"aws_s3_bucket_policy": "policy"}[rc.type]
}
`)
	var lines []int
	for _, f := range decide(t, e, in).Findings() {
		lines = append(lines, f.Where.Line)
	}
	if slices.Sort(lines); !slices.Equal(lines, []int{6, 8, 9}) {
		t.Errorf("places at lines %v", lines)
	}
}
