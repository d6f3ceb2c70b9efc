package main

deleting(n, all) := {
	"resource_changes": [{"address": sprintf("aws_vpc.v%d", [i]), "type": "aws_vpc", "change": {"actions": ["delete"], "after": null}} |
		some i in numbers.range(1, n)
	],
	"isobar": {"live": [i | some i in numbers.range(1, all)]},
}

test_many_are_denied if {
	found := deny_mass_delete with input as deleting(11, 1000)
	{d.msg | some d in found} == {"11 objects would be deleted or replaced at once; 10 is the limit"}
}

test_a_large_share_is_denied if {
	found := deny_mass_delete with input as deleting(4, 10)
	{d.msg | some d in found} == {"4 of 10 objects (40 %) would be deleted or replaced at once; 30 % is the limit"}
}

test_a_small_share_is_fine if {
	found := deny_mass_delete with input as deleting(5, 100)
	count(found) == 0
}

test_few_are_fine_in_a_small_environment if {
	found := deny_mass_delete with input as deleting(3, 3)
	count(found) == 0
}

test_replacements_count if {
	doc := {
		"resource_changes": [{"address": sprintf("aws_vpc.v%d", [i]), "type": "aws_vpc", "change": {"actions": ["delete", "create"], "after": {}}} |
			some i in numbers.range(1, 11)
		],
		"isobar": {"live": []},
	}
	found := deny_mass_delete with input as doc
	count(found) == 1
}

test_destroy_is_meant if {
	doc := json.patch(deleting(50, 50), [{"op": "add", "path": "/isobar/trigger", "value": "destroy"}])
	found := deny_mass_delete with input as doc
	count(found) == 0
}

test_the_limit_can_be_raised if {
	found := deny_mass_delete with input as deleting(11, 1000) with data.isobar.limits.most_deleted as 20
	count(found) == 0
}

test_parts_of_objects_do_not_count if {
	doc := {
		"resource_changes": [{
			"address": sprintf("aws_s3_bucket_policy.b%d", [i]),
			"type": "aws_s3_bucket_policy",
			"change": {"actions": ["delete"], "after": null},
			"isobar": {"part": "policy"},
		} |
			some i in numbers.range(1, 20)
		],
		"isobar": {"live": []},
	}
	found := deny_mass_delete with input as doc
	count(found) == 0
}
