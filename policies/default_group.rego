package main

import data.isobar.groups
import data.isobar.plan

# METADATA
# scope: document
# title: The default security group is used
# description: >-
#   Every VPC has a group named default that lets all its members talk to each
#   other. What uses it gets access that nobody wrote down. The rule knows the
#   default groups of the VPCs of this environment and those that are resources
#   themselves. Of an id written by hand it can't tell whether it is the default
#   group of another VPC, such as one that isobar does not have.
# custom:
#   id: SG-003
#   source: CIS AWS Foundations Benchmark 3.0.0, 5.4
#   mend: make a security group of its own and refer to it
deny_default_security_group contains decision if {
	some rc in plan.living
	some field in ["security_groups", "vpc_security_group_ids", "security_group_ids"]
	some id in object.get(rc.change.after, field, [])
	id in groups.defaults
	decision := {
		"msg": sprintf("it uses the default security group %s", [id]),
		"address": rc.address,
		"path": field,
	}
}

deny_default_security_group contains decision if {
	some rc in plan.of_type("aws_security_group")
	some direction in ["ingress", "egress"]
	some rule in object.get(rc.change.after, direction, [])
	some id in object.get(rule, "security_groups", [])
	id in groups.defaults
	decision := {
		"msg": sprintf("a rule names the default security group %s", [id]),
		"address": rc.address,
		"path": direction,
	}
}

deny_default_security_group contains decision if {
	some rc in plan.living
	groups.ruled(rc)
	decision := {
		"msg": "the default security group gets rules",
		"address": rc.address,
		"path": "ingress",
		"mend": "leave it empty; make a security group of its own and refer to it",
	}
}
