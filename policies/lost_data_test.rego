package main

losing(type, actions, before, after) := {
	"resource_changes": [{
		"address": sprintf("%s.db", [type]),
		"type": type,
		"change": {"actions": actions, "before": before, "after": after},
		"isobar": {"deposed": false},
	}],
	"isobar": {"trigger": "push"},
}

machine_disks := {"disks": {"scsi0:0": {"size": 8}, "scsi0:1": {"size": 8}}}

test_a_deleted_volume_is_warned if {
	found := warn_lost_data with input as losing("aws_ebs_volume", ["delete"], {"size": 8}, null)
	{d.msg | some d in found} == {"the volume would be deleted with the data on it"}
}

test_a_volume_made_anew_is_warned if {
	every actions in [["delete", "create"], ["create", "delete"]] {
		found := warn_lost_data with input as losing("aws_ebs_volume", actions, {"size": 8}, {"size": 8})
		{d.msg | some d in found} == {"the volume would be made anew, without the data on it"}
	}
}

test_a_deleted_bucket_and_machine_are_warned if {
	bucket := warn_lost_data with input as losing("aws_s3_bucket", ["delete"], {"force_destroy": true}, null)
	machine := warn_lost_data with input as losing("vsphere_virtual_machine", ["delete"], machine_disks, null)
	count(bucket) + count(machine) == 2
}

test_a_bucket_that_stays_unless_empty_is_fine if {
	found := warn_lost_data with input as losing("aws_s3_bucket", ["delete"], {"force_destroy": false}, null)
	count(found) == 0
}

test_a_machine_without_disks_is_fine if {
	found := warn_lost_data with input as losing("vsphere_virtual_machine", ["delete"], {}, null)
	count(found) == 0
}

test_what_holds_no_data_is_fine if {
	found := warn_lost_data with input as losing("aws_subnet", ["delete"], {}, null)
	count(found) == 0
}

test_what_is_released_is_fine if {
	found := warn_lost_data with input as losing("aws_ebs_volume", ["forget"], {"size": 8}, null)
	count(found) == 0
}

test_data_lost_by_destroy_is_meant if {
	doc := json.patch(losing("aws_ebs_volume", ["delete"], {}, null), [{"op": "add", "path": "/isobar/trigger", "value": "destroy"}])
	found := warn_lost_data with input as doc
	count(found) == 0
}

test_what_a_replacement_left_behind_is_fine if {
	doc := json.patch(losing("aws_ebs_volume", ["delete"], {}, null), [{"op": "add", "path": "/resource_changes/0/isobar/deposed", "value": true}])
	found := warn_lost_data with input as doc
	count(found) == 0
}

test_a_disk_taken_out_is_warned if {
	found := warn_lost_disk with input as losing("vsphere_virtual_machine", ["update"], machine_disks, {"disks": {"scsi0:0": {"size": 8}}})
	{d.msg | some d in found} == {"disk scsi0:1 would be destroyed with the data on it"}
}

test_all_disks_taken_out_are_warned if {
	found := warn_lost_disk with input as losing("vsphere_virtual_machine", ["update"], machine_disks, {})
	count(found) == 2
}

test_a_disk_that_grows_is_fine if {
	found := warn_lost_disk with input as losing("vsphere_virtual_machine", ["update"], machine_disks, {"disks": {"scsi0:0": {"size": 16}, "scsi0:1": {"size": 8}}})
	count(found) == 0
}

test_disks_of_a_machine_made_anew_are_told_once if {
	doc := losing("vsphere_virtual_machine", ["delete", "create"], machine_disks, {})
	disk := warn_lost_disk with input as doc
	machine := warn_lost_data with input as doc
	count(disk) == 0
	count(machine) == 1
}
