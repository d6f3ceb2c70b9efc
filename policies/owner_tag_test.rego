package main

tagged(after, unknown) := {
	"resource_changes": [{
		"address": "aws_vpc.main",
		"type": "aws_vpc",
		"change": {"actions": ["create"], "after": after, "after_unknown": unknown},
	}],
	"isobar": {"kinds": {"aws_vpc": {"fields": ["cidr_block", "tags"]}}},
}

test_no_tags_is_warned if {
	found := warn_missing_owner with input as tagged({"cidr_block": "10.0.0.0/16"}, {})
	{d.address | some d in found} == {"aws_vpc.main"}
}

test_another_tag_is_warned if {
	found := warn_missing_owner with input as tagged({"tags": {"name": "x"}}, {})
	count(found) == 1
}

test_an_empty_owner_is_warned if {
	found := warn_missing_owner with input as tagged({"tags": {"owner": ""}}, {})
	count(found) == 1
}

test_an_owner_is_fine if {
	every key in ["owner", "Owner"] {
		found := warn_missing_owner with input as tagged({"tags": {key: "net"}}, {})
		count(found) == 0
	}
}

test_an_owner_known_after_apply_is_fine if {
	found := warn_missing_owner with input as tagged({"tags": {}}, {"tags": {"owner": true}})
	count(found) == 0
}

test_a_kind_without_tags_is_fine if {
	doc := object.union(tagged({}, {}), {"isobar": {"kinds": {"aws_vpc": {"fields": ["cidr_block"]}}}})
	found := warn_missing_owner with input as json.patch(doc, [{"op": "replace", "path": "/isobar/kinds/aws_vpc/fields", "value": []}])
	count(found) == 0
}
