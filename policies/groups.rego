# METADATA
# title: The default security groups
# description: Which security groups are a VPC's own, and who uses them.
package isobar.groups

# defaults are the ids of VPCs' own security groups, as far as they are known.
defaults contains object.values.id if {
	some object in input.isobar.live
	object.type == "aws_security_group"
	object.values.name == "default"
}

defaults contains object.values.default_security_group_id if {
	some object in input.isobar.live
	object.type == "aws_vpc"
}

# ruled holds for a default security group that gets rules.
ruled(rc) if {
	rc.type == "aws_security_group"
	rc.change.after.name == "default"
	has_rules(rc)
}

has_rules(rc) if {
	some direction in ["ingress", "egress"]
	count(object.get(rc.change.after, direction, [])) > 0
}
