package main

import data.isobar.plan

# METADATA
# title: A machine's metadata can be had without a session token
# description: >-
#   With version 1 of the metadata service, whoever can make a program on the
#   machine fetch one address gets the credentials of the machine's role. Version 2
#   asks for a token first, which such a forged request cannot get.
# custom:
#   id: EC2-001
#   source: CIS AWS Foundations Benchmark 3.0.0, 5.6
#   mend: "leave metadataOptions: httpTokens out, or write \"required\""
deny_metadata_without_token contains decision if {
	some rc in plan.of_type("aws_instance")
	some options in rc.change.after.metadata_options
	options.http_tokens == "optional"
	object.get(options, "http_endpoint", "enabled") != "disabled"
	decision := {
		"msg": "the metadata service answers without a session token (IMDSv1)",
		"address": rc.address,
		"path": "metadata_options.http_tokens",
	}
}
