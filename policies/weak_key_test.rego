package main

key_pair(actions, key) := {"resource_changes": [{
	"address": "aws_key_pair.mei",
	"type": "aws_key_pair",
	"change": {"actions": actions, "after": {"public_key": key}},
}]}

# As long as ssh-keygen writes them, for keys of 1,024, 2,048 and 4,096 bits.
rsa(length) := concat(" ", ["ssh-rsa", concat("", ["A" | some _ in numbers.range(1, length)])])

test_a_short_key_is_denied if {
	found := deny_weak_key with input as key_pair(["create"], rsa(204))
	{d.path | some d in found} == {"public_key"}
}

test_long_keys_are_fine if {
	every length in [372, 716] {
		found := deny_weak_key with input as key_pair(["create"], rsa(length))
		count(found) == 0
	}
}

test_another_sort_of_key_is_fine if {
	found := deny_weak_key with input as key_pair(["create"], "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMQyOQWyXmd+xgpElvAoSvz6wrFIgJfcUpCy4I6IiLpk")
	count(found) == 0
}

test_a_key_that_stands_is_left_alone if {
	found := deny_weak_key with input as key_pair(["update"], rsa(204))
	count(found) == 0
}

test_a_key_known_after_apply_is_fine if {
	doc := {"resource_changes": [{"address": "aws_key_pair.mei", "type": "aws_key_pair", "change": {"actions": ["create"], "after": {}, "after_unknown": {"public_key": true}}}]}
	found := deny_weak_key with input as doc
	count(found) == 0
}
