package main

live_default := [{"type": "aws_security_group", "values": {"id": "sg-1", "name": "default"}}]

using(type, after) := {
	"resource_changes": [{"address": sprintf("%s.a", [type]), "type": type, "change": {"actions": ["create"], "after": after}}],
	"isobar": {"live": live_default},
}

test_a_machine_in_the_default_group_is_denied if {
	found := deny_default_security_group with input as using("aws_instance", {"vpc_security_group_ids": ["sg-1"]})
	{d.path | some d in found} == {"vpc_security_group_ids"}
}

test_a_machine_in_another_group_is_fine if {
	found := deny_default_security_group with input as using("aws_instance", {"vpc_security_group_ids": ["sg-2"]})
	count(found) == 0
}

test_a_rule_that_names_the_default_group_is_denied if {
	found := deny_default_security_group with input as using("aws_security_group", {"name": "web", "ingress": [{"security_groups": ["sg-1"]}]})
	{d.path | some d in found} == {"ingress"}
}

test_rules_in_the_default_group_are_denied if {
	found := deny_default_security_group with input as using("aws_security_group", {"name": "default", "ingress": [{"cidr_blocks": ["10.0.0.0/8"]}]})
	count(found) == 1
}

test_an_empty_default_group_is_fine if {
	found := deny_default_security_group with input as using("aws_security_group", {"name": "default", "ingress": [], "egress": []})
	count(found) == 0
}

test_the_default_group_of_a_live_vpc_is_denied if {
	doc := json.patch(using("aws_instance", {"vpc_security_group_ids": ["sg-9"]}), [{"op": "add", "path": "/isobar/live/-", "value": {"type": "aws_vpc", "values": {"id": "vpc-1", "default_security_group_id": "sg-9"}}}])
	found := deny_default_security_group with input as doc
	{d.msg | some d in found} == {"it uses the default security group sg-9"}
}
