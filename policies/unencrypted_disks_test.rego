package main

disk_change(type, actions, after) := {"resource_changes": [{
	"address": sprintf("%s.a", [type]),
	"type": type,
	"change": {"actions": actions, "before": null, "after": after},
}]}

volume(actions, encrypted) := disk_change("aws_ebs_volume", actions, {"encrypted": encrypted})

root_disk(actions, encrypted) := disk_change("aws_instance", actions, {"root_block_device": [{"encrypted": encrypted}]})

test_a_new_unencrypted_volume_is_denied if {
	found := deny_unencrypted_volume with input as volume(["create"], false)
	{d.address | some d in found} == {"aws_ebs_volume.a"}
	{d.path | some d in found} == {"encrypted"}
}

test_a_volume_made_anew_unencrypted_is_denied if {
	every actions in [["delete", "create"], ["create", "delete"]] {
		found := deny_unencrypted_volume with input as volume(actions, false)
		count(found) == 1
	}
}

test_a_new_unencrypted_root_disk_is_denied if {
	found := deny_unencrypted_root_disk with input as root_disk(["create"], false)
	{d.path | some d in found} == {"root_block_device.encrypted"}
}

test_encrypted_disks_are_fine if {
	every doc in [volume(["create"], true), root_disk(["create"], true), volume(["update"], true), root_disk(["update"], true)] {
		volumes := deny_unencrypted_volume with input as doc
		roots := deny_unencrypted_root_disk with input as doc
		standing := warn_unencrypted_disk with input as doc
		count(volumes) + count(roots) + count(standing) == 0
	}
}

test_unencrypted_disks_that_stand_are_warned if {
	every doc in [volume(["update"], false), root_disk(["no-op"], false)] {
		volumes := deny_unencrypted_volume with input as doc
		roots := deny_unencrypted_root_disk with input as doc
		standing := warn_unencrypted_disk with input as doc
		count(volumes) + count(roots) == 0
		count(standing) == 1
	}
}

test_encryption_known_after_apply_is_fine if {
	found := deny_unencrypted_volume with input as disk_change("aws_ebs_volume", ["create"], {"size": 8})
	count(found) == 0
}

test_an_unencrypted_volume_that_goes_is_fine if {
	doc := disk_change("aws_ebs_volume", ["delete"], null)
	volumes := deny_unencrypted_volume with input as doc
	standing := warn_unencrypted_disk with input as doc
	count(volumes) + count(standing) == 0
}
