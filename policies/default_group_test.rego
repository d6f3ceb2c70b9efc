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
	found := deny_default_security_group with input as using("aws_default_security_group", {"ingress": [], "egress": []})
	count(found) == 0
}
