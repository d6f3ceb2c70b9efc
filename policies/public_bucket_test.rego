package main

bucket_part(type, after) := {"resource_changes": [{
	"address": sprintf("%s.logs", [type]),
	"type": type,
	"name": "logs",
	"change": {"actions": ["update"], "after": after},
}]}

access_block(after) := bucket_part("aws_s3_bucket_public_access_block", after)

all_blocked := {"block_public_acls": true, "block_public_policy": true, "ignore_public_acls": true, "restrict_public_buckets": true}

bucket_policy(statements) := bucket_part("aws_s3_bucket_policy", {"policy_document": {"Statement": statements}})

policy_text(statements) := bucket_part("aws_s3_bucket_policy", {"policy": json.marshal({"Statement": statements})})

allowing(principal) := {"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject"}

test_an_open_block_is_denied if {
	found := deny_unblocked_bucket with input as access_block(object.union(all_blocked, {"block_public_policy": false, "restrict_public_buckets": false}))
	{d.msg | some d in found} == {"public access is not blocked: blockPublicPolicy, restrictPublicBuckets off"}
	{d.path | some d in found} == {"block_public_policy"}
}

test_a_whole_block_is_fine if {
	found := deny_unblocked_bucket with input as access_block(all_blocked)
	count(found) == 0
}

test_a_block_known_after_apply_is_fine if {
	found := deny_unblocked_bucket with input as access_block({})
	count(found) == 0
}

test_a_block_that_goes_with_its_bucket_is_fine if {
	found := deny_unblocked_bucket with input as access_block(null)
	count(found) == 0
}

test_everybody_is_denied_however_written if {
	every principal in ["*", {"AWS": "*"}, {"AWS": ["arn:aws:iam::123456789012:root", "*"]}] {
		every doc in [bucket_policy([allowing(principal)]), bucket_policy(allowing(principal)), policy_text([allowing(principal)])] {
			found := deny_public_bucket_policy with input as doc
			{d.msg | some d in found} == {"statement 1 of the policy lets anybody in"}
		}
	}
}

test_all_but_some_is_denied if {
	statement := {"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "s3:*"}
	found := deny_public_bucket_policy with input as bucket_policy([allowing({"AWS": "arn:aws:iam::123456789012:root"}), statement])
	{d.path | some d in found} == {"Statement.1"}
}

test_a_named_principal_is_fine if {
	every principal in [{"AWS": "arn:aws:iam::123456789012:root"}, {"Service": "logging.s3.amazonaws.com"}] {
		found := deny_public_bucket_policy with input as bucket_policy([allowing(principal)])
		count(found) == 0
	}
}

test_everybody_under_a_condition_is_fine if {
	statement := object.union(allowing("*"), {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}})
	found := deny_public_bucket_policy with input as bucket_policy([statement])
	count(found) == 0
}

test_a_condition_that_names_nobody_is_denied if {
	every condition in [
		{"Bool": {"aws:SecureTransport": "true"}},
		{"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "0.0.0.0/0"]}},
		{"StringLike": {"aws:SourceArn": "*"}},
	] {
		found := deny_public_bucket_policy with input as bucket_policy([object.union(allowing("*"), {"Condition": condition})])
		count(found) == 1
	}
}

test_denying_everybody_is_fine if {
	found := deny_public_bucket_policy with input as bucket_policy([object.union(allowing("*"), {"Effect": "Deny"})])
	count(found) == 0
}

test_a_principal_known_after_apply_is_fine if {
	found := deny_public_bucket_policy with input as bucket_policy([{"Effect": "Allow", "Principal": {"AWS": null}}])
	count(found) == 0
}

test_a_policy_known_after_apply_is_fine if {
	found := deny_public_bucket_policy with input as bucket_part("aws_s3_bucket_policy", {"bucket": "logs"})
	count(found) == 0
}

test_a_policy_that_is_deleted_is_fine if {
	found := deny_public_bucket_policy with input as bucket_part("aws_s3_bucket_policy", null)
	count(found) == 0
}
