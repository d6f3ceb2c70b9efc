package main

import data.isobar.limits
import data.isobar.plan
import data.isobar.sizes

# METADATA
# scope: document
# title: An instance is larger than the limit
# description: >-
#   The largest sizes cost thousands a month and are often a slip of the pen. The
#   rule speaks when a size is chosen, and leaves what runs alone.
# custom:
#   id: SIZE-001
#   mend: "choose a smaller size, or raise the limit for all: instance_xlarge := 24 in policies/limits.rego, after the line package isobar.limits"
deny_oversized_instance contains decision if {
	some rc in plan.of_type("aws_instance")
	plan.chosen(rc, "instance_type")
	size := sizes.xlarge(rc.change.after.instance_type)
	size > limits.instance_xlarge
	decision := {
		"msg": sprintf("%s is larger than %dxlarge, the limit", [rc.change.after.instance_type, limits.instance_xlarge]),
		"address": rc.address,
		"path": "instance_type",
	}
}

deny_oversized_instance contains decision if {
	not limits.bare_metal
	some rc in plan.of_type("aws_instance")
	plan.chosen(rc, "instance_type")
	sizes.metal(rc.change.after.instance_type)
	decision := {
		"msg": sprintf("%s is a whole machine, which the limits do not let through", [rc.change.after.instance_type]),
		"address": rc.address,
		"path": "instance_type",
		"mend": "choose a smaller size, or let them through for all: bare_metal := true in policies/limits.rego, after the line package isobar.limits",
	}
}

# METADATA
# scope: document
# title: A virtual machine is larger than the limit
# description: >-
#   A machine with more processors or memory than a host can give at once waits
#   for them, and slows down its neighbours. The rule speaks when a size is chosen,
#   and leaves what runs alone.
# custom:
#   id: SIZE-002
#   mend: "make it smaller, or raise the limit for all: vm_cpus := 64 or vm_memory_mb := 524288 in policies/limits.rego, after the line package isobar.limits"
deny_oversized_vm contains decision if {
	some rc in plan.of_type("vsphere_virtual_machine")
	some size in [["num_cpus", limits.vm_cpus, "processors"], ["memory", limits.vm_memory_mb, "MB of memory"]]
	plan.chosen(rc, size[0])
	rc.change.after[size[0]] > size[1]
	decision := {
		"msg": sprintf("%d %s are more than %d, the limit", [rc.change.after[size[0]], size[2], size[1]]),
		"address": rc.address,
		"path": size[0],
	}
}
