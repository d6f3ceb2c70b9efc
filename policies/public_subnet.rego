package main

import data.isobar.plan

# METADATA
# title: A subnet gives public addresses by itself
# description: >-
#   Every machine that starts in it can be reached from the internet wherever its
#   security groups let anybody in, whether its author thought of that or not.
# custom:
#   id: NET-001
#   source: AWS Security Hub, EC2.15
#   mend: "leave mapPublicIpOnLaunch out, and put machines behind a load balancer or NAT; or waive it for a subnet that is meant to be public"
warn_public_subnet contains decision if {
	some rc in plan.of_type("aws_subnet")
	rc.change.after.map_public_ip_on_launch == true
	decision := {
		"msg": "machines that start in it get public addresses",
		"address": rc.address,
		"path": "map_public_ip_on_launch",
	}
}
