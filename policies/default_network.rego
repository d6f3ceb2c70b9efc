package main

import data.isobar.plan

# METADATA
# title: A virtual machine is on the default network
# description: >-
#   "VM Network" is the port group that the installer of ESXi makes, on the same
#   switch and by default in the same VLAN as the hosts' own management. What is
#   on it may reach the hosts.
# custom:
#   id: VS-001
#   mend: make a port group with a VLAN of its own, and name that
warn_default_network contains decision if {
	some rc in plan.of_type("vsphere_virtual_machine")
	some name, adapter in rc.change.after.network_interface
	adapter.network_id == "VM Network"
	decision := {
		"msg": sprintf("%s is on the default network, VM Network", [name]),
		"address": rc.address,
		"path": sprintf("network_interface.%s", [name]),
	}
}
