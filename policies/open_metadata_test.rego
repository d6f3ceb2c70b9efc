package main

metadata(options) := {"resource_changes": [{
	"address": "aws_instance.web",
	"type": "aws_instance",
	"change": {"actions": ["update"], "after": {"metadata_options": options}},
}]}

test_optional_tokens_are_denied if {
	found := deny_metadata_without_token with input as metadata([{"http_tokens": "optional", "http_endpoint": "enabled"}])
	{d.path | some d in found} == {"metadata_options.http_tokens"}
}

test_required_tokens_are_fine if {
	found := deny_metadata_without_token with input as metadata([{"http_tokens": "required"}])
	count(found) == 0
}

test_no_metadata_at_all_is_fine if {
	found := deny_metadata_without_token with input as metadata([{"http_tokens": "optional", "http_endpoint": "disabled"}])
	count(found) == 0
}

test_tokens_known_after_apply_are_fine if {
	found := deny_metadata_without_token with input as metadata([{"http_endpoint": "enabled"}])
	count(found) == 0
}

test_a_machine_that_goes_is_fine if {
	doc := {"resource_changes": [{
		"address": "aws_instance.web",
		"type": "aws_instance",
		"change": {"actions": ["delete"], "before": {"metadata_options": [{"http_tokens": "optional"}]}, "after": null},
	}]}
	found := deny_metadata_without_token with input as doc
	count(found) == 0
}
