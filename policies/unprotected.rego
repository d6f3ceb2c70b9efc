package main

import data.isobar.plan

# METADATA
# title: A production machine can be terminated
# description: >-
#   One wrong click or script outside isobar ends the machine. AWS refuses it
#   while termination protection is on. Production is an environment whose name
#   has prod, production or live in it, as in prod or live_eu.
# custom:
#   id: EC2-002
#   mend: "write disableApiTermination: true, or waive it for machines that come and go"
warn_unprotected_machine contains decision if {
	plan.production
	some rc in plan.of_type("aws_instance")
	not rc.change.after.disable_api_termination
	not plan.unknown(rc, "disable_api_termination")
	decision := {
		"msg": "termination protection is off in production",
		"address": rc.address,
		"path": "disable_api_termination",
	}
}
