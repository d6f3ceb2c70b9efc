package main

machine_in(env, after, unknown) := {
	"resource_changes": [{
		"address": "aws_instance.web",
		"type": "aws_instance",
		"change": {"actions": ["create"], "after": after, "after_unknown": unknown},
	}],
	"isobar": {"environment": env},
}

test_an_unprotected_production_machine_is_warned if {
	every env in ["prod", "production", "live_eu", "eu_prod", "shop_prod_eu"] {
		every after in [{}, {"disable_api_termination": false}] {
			found := warn_unprotected_machine with input as machine_in(env, after, {})
			{d.path | some d in found} == {"disable_api_termination"}
		}
	}
}

test_a_protected_production_machine_is_fine if {
	found := warn_unprotected_machine with input as machine_in("prod", {"disable_api_termination": true}, {})
	count(found) == 0
}

test_protection_known_after_apply_is_fine if {
	found := warn_unprotected_machine with input as machine_in("prod", {}, {"disable_api_termination": true})
	count(found) == 0
}

test_other_environments_are_left_alone if {
	every env in ["dev", "products", "delivery", "preprod"] {
		found := warn_unprotected_machine with input as machine_in(env, {}, {})
		count(found) == 0
	}
}

test_a_production_machine_that_goes_is_fine if {
	found := warn_unprotected_machine with input as machine_in("prod", null, {})
	count(found) == 0
}
