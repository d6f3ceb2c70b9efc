package main

subnet_with(after) := {"resource_changes": [{
	"address": "aws_subnet.a",
	"type": "aws_subnet",
	"change": {"actions": ["create"], "after": after},
}]}

test_a_public_subnet_is_warned if {
	found := warn_public_subnet with input as subnet_with({"map_public_ip_on_launch": true})
	{d.path | some d in found} == {"map_public_ip_on_launch"}
}

test_a_private_subnet_is_fine if {
	every after in [{"map_public_ip_on_launch": false}, {}, null] {
		found := warn_public_subnet with input as subnet_with(after)
		count(found) == 0
	}
}
