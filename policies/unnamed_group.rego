package main

import data.isobar.plan

# METADATA
# title: A machine names no security group
# description: >-
#   AWS then puts it into the VPC's default group, whose members reach each other
#   on every port, and whatever is in that group by mistake reaches it too.
# custom:
#   id: SG-005
#   source: CIS AWS Foundations Benchmark 3.0.0, 5.4
#   mend: "make a security group and name it: securityGroupIds: [aws.security_group.NAME.#out.id]"
warn_no_security_group contains decision if {
	some rc in plan.of_type("aws_instance")
	plan.made(rc)
	count(object.get(rc.change.after, "vpc_security_group_ids", [])) == 0
	not plan.unknown(rc, "vpc_security_group_ids")
	decision := {
		"msg": "it names no security group, so it gets the VPC's default one",
		"address": rc.address,
	}
}
