package main

sized(type, actions, before, after) := {"resource_changes": [{
	"address": sprintf("%s.db", [type]),
	"type": type,
	"change": {"actions": actions, "before": before, "after": after},
}]}

instance_of(type) := sized("aws_instance", ["create"], null, {"instance_type": type})

test_a_large_instance_is_denied if {
	found := deny_oversized_instance with input as instance_of("m7i.16xlarge")
	{d.msg | some d in found} == {"m7i.16xlarge is larger than 12xlarge, the limit"}
	{d.path | some d in found} == {"instance_type"}
}

test_a_whole_machine_is_denied if {
	every type in ["m7i.metal-24xl", "c5.metal"] {
		found := deny_oversized_instance with input as instance_of(type)
		{d.msg | some d in found} == {sprintf("%s is a whole machine, which the limits do not let through", [type])}
	}
}

test_instances_within_the_limit_are_fine if {
	every type in ["t3.micro", "m7i.large", "m7i.xlarge", "m7i.12xlarge"] {
		found := deny_oversized_instance with input as instance_of(type)
		count(found) == 0
	}
}

test_the_limits_can_be_raised if {
	large := deny_oversized_instance with input as instance_of("m7i.16xlarge") with data.isobar.limits.instance_xlarge as 16
	metal := deny_oversized_instance with input as instance_of("c5.metal") with data.isobar.limits.bare_metal as true
	count(large) + count(metal) == 0
}

test_growing_above_the_limit_is_denied if {
	found := deny_oversized_instance with input as sized("aws_instance", ["update"], {"instance_type": "m7i.large"}, {"instance_type": "m7i.48xlarge"})
	count(found) == 1
}

test_a_large_instance_that_runs_is_left_alone if {
	found := deny_oversized_instance with input as sized("aws_instance", ["update"], {"instance_type": "m7i.48xlarge"}, {"instance_type": "m7i.48xlarge"})
	count(found) == 0
}

test_an_instance_that_goes_is_fine if {
	found := deny_oversized_instance with input as sized("aws_instance", ["delete"], {"instance_type": "m7i.48xlarge"}, null)
	count(found) == 0
}

test_a_large_vm_is_denied if {
	found := deny_oversized_vm with input as sized("vsphere_virtual_machine", ["create"], null, {"num_cpus": 33, "memory": 262148})
	{[d.path, d.msg] | some d in found} == {
		["num_cpus", "33 processors are more than 32, the limit"],
		["memory", "262148 MB of memory are more than 262144, the limit"],
	}
}

test_a_vm_within_the_limits_is_fine if {
	found := deny_oversized_vm with input as sized("vsphere_virtual_machine", ["create"], null, {"num_cpus": 32, "memory": 262144})
	count(found) == 0
}

test_a_vm_whose_size_apply_will_tell_is_fine if {
	found := deny_oversized_vm with input as sized("vsphere_virtual_machine", ["create"], null, {})
	count(found) == 0
}

test_a_large_vm_that_runs_is_left_alone if {
	found := deny_oversized_vm with input as sized("vsphere_virtual_machine", ["update"], {"num_cpus": 64, "memory": 1024}, {"num_cpus": 64, "memory": 2048})
	count(found) == 0
}
