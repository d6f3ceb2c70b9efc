package main

vm_on(adapters) := {"resource_changes": [{
	"address": "vsphere_virtual_machine.db",
	"type": "vsphere_virtual_machine",
	"change": {"actions": ["create"], "after": {"network_interface": adapters}},
}]}

test_the_default_network_is_warned if {
	found := warn_default_network with input as vm_on({"ethernet0": {"network_id": "VM Network"}, "ethernet1": {"network_id": "shop"}})
	{d.path | some d in found} == {"network_interface.ethernet0"}
}

test_another_network_is_fine if {
	found := warn_default_network with input as vm_on({"ethernet0": {"network_id": "shop"}})
	count(found) == 0
}

test_a_network_known_after_apply_is_fine if {
	found := warn_default_network with input as vm_on({"ethernet0": {"adapter_type": "vmxnet3"}})
	count(found) == 0
}

test_a_vm_without_adapters_is_fine if {
	doc := {"resource_changes": [{"address": "vsphere_virtual_machine.db", "type": "vsphere_virtual_machine", "change": {"actions": ["create"], "after": {}}}]}
	found := warn_default_network with input as doc
	count(found) == 0
}

test_a_vm_that_leaves_the_default_network_is_fine if {
	doc := {"resource_changes": [{
		"address": "vsphere_virtual_machine.db",
		"type": "vsphere_virtual_machine",
		"change": {"actions": ["delete"], "before": {"network_interface": {"ethernet0": {"network_id": "VM Network"}}}, "after": null},
	}]}
	found := warn_default_network with input as doc
	count(found) == 0
}
