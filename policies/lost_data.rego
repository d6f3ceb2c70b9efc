package main

import data.isobar.plan
import data.isobar.stored

# METADATA
# scope: document
# title: Something that holds data is deleted or made anew
# description: >-
#   What was on it goes with it, and a replacement starts empty. isobar destroy is
#   meant, and is not warned of.
# custom:
#   id: DATA-001
#   mend: "take a snapshot or a copy first; $meta: preventDestroy: true keeps what must stay"
warn_lost_data contains decision if {
	not plan.meant
	some rc in plan.going
	what := stored.held_by(rc)
	rc.change.after == null
	decision := {
		"msg": sprintf("%s would be deleted with the data on it", [what]),
		"address": rc.address,
	}
}

warn_lost_data contains decision if {
	not plan.meant
	some rc in plan.going
	what := stored.held_by(rc)
	rc.change.after != null
	decision := {
		"msg": sprintf("%s would be made anew, without the data on it", [what]),
		"address": rc.address,
	}
}

# METADATA
# title: A virtual machine loses a disk
# description: >-
#   vSphere destroys the disk's file with what it holds as soon as the disk is
#   taken out of the machine's spec.
# custom:
#   id: DATA-002
#   mend: copy what is needed off it first; put the disk back into the spec to keep it
warn_lost_disk contains decision if {
	some rc in plan.of_type("vsphere_virtual_machine")
	not plan.made(rc)
	some place, _ in rc.change.before.disks
	not rc.change.after.disks[place]
	not rc.change.after_unknown.disks
	decision := {
		"msg": sprintf("disk %s would be destroyed with the data on it", [place]),
		"address": rc.address,
		"path": "disks",
	}
}
