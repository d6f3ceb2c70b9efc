package main

import data.isobar.buckets
import data.isobar.plan

# METADATA
# title: A bucket's public access is not blocked
# description: >-
#   With the block on, no policy and no access list can make an object public by
#   mistake, whoever writes it. AWS turns it on for every new bucket.
# custom:
#   id: S3-001
#   source: CIS AWS Foundations Benchmark 3.0.0, 2.1.4
#   mend: leave publicAccessBlock out; serve public files through CloudFront, or waive it for a bucket that is meant to be public
deny_unblocked_bucket contains decision if {
	some rc in plan.of_type("aws_s3_bucket_public_access_block")
	open := buckets.open(rc)
	count(open) > 0
	decision := {
		"msg": sprintf("public access is not blocked: %s off", [concat(", ", [buckets.blocks[field] | some field in open])]),
		"address": rc.address,
		"path": open[0],
	}
}

# METADATA
# title: A bucket's policy lets anybody in
# description: >-
#   A statement that allows something to everybody, without a condition that says who or from where, publishes
#   the objects or lets strangers write, list or delete them.
# custom:
#   id: S3-002
#   source: AWS Security Hub, S3.2 and S3.3
#   mend: name the accounts, roles or services that need it, or add a Condition such as aws:PrincipalOrgID
deny_public_bucket_policy contains decision if {
	some rc in plan.of_type("aws_s3_bucket_policy")
	some i
	buckets.anybody(buckets.statements(rc)[i])
	decision := {
		"msg": sprintf("statement %d of the policy lets anybody in", [i + 1]),
		"address": rc.address,
		"path": sprintf("Statement.%d", [i]),
	}
}
