package main

import data.isobar.buckets
import data.isobar.plan

# METADATA
# title: A bucket keeps no older versions
# description: >-
#   What is overwritten or deleted by mistake is then gone. With versioning it can
#   be had back, and a lifecycle rule bounds what older versions cost.
# custom:
#   id: S3-003
#   source: AWS Security Hub, S3.14
#   mend: "write versioning: status: \"Enabled\", or waive it for what can be made again"
warn_unversioned_bucket contains decision if {
	some rc in plan.of_type("aws_s3_bucket")
	not rc.name in buckets.versioned
	decision := {
		"msg": "it keeps no older versions of objects",
		"address": rc.address,
	}
}

# METADATA
# title: A production bucket goes with all that is in it
# description: >-
#   forceDestroy lets a delete of the bucket empty it first, with every version of
#   every object. It is meant for buckets of test environments.
# custom:
#   id: S3-004
#   mend: leave forceDestroy out until the bucket is meant to go
warn_forced_bucket contains decision if {
	plan.production
	some rc in plan.of_type("aws_s3_bucket")
	rc.change.after.force_destroy == true
	decision := {
		"msg": "a delete would empty it, in production",
		"address": rc.address,
		"path": "force_destroy",
	}
}

# METADATA
# title: A bucket's policy lets requests without TLS through
# description: >-
#   Whoever listens on the way can read objects and change them. A statement that
#   denies requests without TLS keeps that from happening by a client's mistake.
# custom:
#   id: S3-005
#   source: CIS AWS Foundations Benchmark 3.0.0, 2.1.1
#   mend: "add a statement that denies s3:* to everybody under Condition: Bool: \"aws:SecureTransport\": \"false\""
warn_bucket_without_tls contains decision if {
	some rc in plan.of_type("aws_s3_bucket_policy")
	count(buckets.statements(rc)) > 0
	not buckets.guarded(rc)
	decision := {
		"msg": "the policy lets requests without TLS through",
		"address": rc.address,
	}
}
