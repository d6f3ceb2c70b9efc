package main

ungrouped(actions, after, unknown) := {"resource_changes": [{
	"address": "aws_instance.web",
	"type": "aws_instance",
	"change": {"actions": actions, "after": after, "after_unknown": unknown},
}]}

test_a_machine_without_a_group_is_warned if {
	every after in [{}, {"vpc_security_group_ids": []}] {
		found := warn_no_security_group with input as ungrouped(["create"], after, {})
		{d.address | some d in found} == {"aws_instance.web"}
	}
}

test_a_machine_made_anew_without_a_group_is_warned if {
	found := warn_no_security_group with input as ungrouped(["delete", "create"], {}, {})
	count(found) == 1
}

test_a_machine_with_a_group_is_fine if {
	found := warn_no_security_group with input as ungrouped(["create"], {"vpc_security_group_ids": ["sg-1"]}, {})
	count(found) == 0
}

test_a_group_known_after_apply_is_fine if {
	every unknown in [{"vpc_security_group_ids": [true]}, {"vpc_security_group_ids": true}] {
		found := warn_no_security_group with input as ungrouped(["create"], {}, unknown)
		count(found) == 0
	}
}

test_a_machine_that_stands_is_left_alone if {
	found := warn_no_security_group with input as ungrouped(["update"], {}, {})
	count(found) == 0
}
