package main

kept_bucket(env, after, others) := {
	"resource_changes": array.concat([{"address": "aws_s3_bucket.logs", "type": "aws_s3_bucket", "name": "logs", "change": {"actions": ["create"], "after": after}}], others),
	"isobar": {"environment": env},
}

bucket_versioning(name, status) := {
	"address": sprintf("aws_s3_bucket_versioning.%s", [name]),
	"type": "aws_s3_bucket_versioning",
	"name": name,
	"change": {"actions": ["no-op"], "after": {"versioning_configuration": [{"status": status}]}},
}

without_tls := {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}

test_a_bucket_without_versions_is_warned if {
	every others in [[], [bucket_versioning("logs", "Suspended")], [bucket_versioning("other", "Enabled")]] {
		found := warn_unversioned_bucket with input as kept_bucket("dev", {}, others)
		{d.address | some d in found} == {"aws_s3_bucket.logs"}
	}
}

test_a_bucket_with_versions_is_fine if {
	found := warn_unversioned_bucket with input as kept_bucket("dev", {}, [bucket_versioning("logs", "Enabled")])
	count(found) == 0
}

test_a_bucket_that_goes_is_fine if {
	found := warn_unversioned_bucket with input as kept_bucket("dev", null, [])
	count(found) == 0
}

test_a_forced_bucket_in_production_is_warned if {
	found := warn_forced_bucket with input as kept_bucket("prod", {"force_destroy": true}, [])
	{d.path | some d in found} == {"force_destroy"}
}

test_a_forced_bucket_elsewhere_is_fine if {
	found := warn_forced_bucket with input as kept_bucket("dev", {"force_destroy": true}, [])
	count(found) == 0
}

test_a_bucket_in_production_is_fine if {
	found := warn_forced_bucket with input as kept_bucket("prod", {"force_destroy": false}, [])
	count(found) == 0
}

test_a_policy_that_forgets_tls_is_warned if {
	found := warn_bucket_without_tls with input as bucket_policy([allowing({"Service": "logging.s3.amazonaws.com"})])
	{d.address | some d in found} == {"aws_s3_bucket_policy.logs"}
}

test_a_policy_that_wants_tls_is_fine if {
	list := object.union(without_tls, {"Condition": {"Bool": {"aws:SecureTransport": ["false"]}}})
	every statement in [without_tls, list] {
		found := warn_bucket_without_tls with input as bucket_policy([allowing({"AWS": "arn:aws:iam::123456789012:root"}), statement])
		count(found) == 0
	}
}

test_denying_without_tls_to_some_is_warned if {
	found := warn_bucket_without_tls with input as bucket_policy([object.union(without_tls, {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}})])
	count(found) == 1
}

test_tls_of_a_policy_known_after_apply_is_fine if {
	found := warn_bucket_without_tls with input as bucket_part("aws_s3_bucket_policy", {"bucket": "logs"})
	count(found) == 0
}
