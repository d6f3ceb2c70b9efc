package main

import data.isobar.plan

# METADATA
# title: A new EBS volume is not encrypted
# description: >-
#   Encryption with the account's own key costs nothing and cannot be turned on
#   later: the volume has to be made anew and its data copied.
# custom:
#   id: EBS-001
#   source: CIS AWS Foundations Benchmark 3.0.0, 2.2.1
#   mend: "leave encrypted out, or write encrypted: true"
deny_unencrypted_volume contains decision if {
	some rc in plan.of_type("aws_ebs_volume")
	plan.made(rc)
	rc.change.after.encrypted == false
	decision := {
		"msg": "the volume would not be encrypted",
		"address": rc.address,
		"path": "encrypted",
	}
}

# METADATA
# title: A new machine's root disk is not encrypted
# description: >-
#   The root disk holds keys, logs and swapped memory, and its encryption cannot
#   be turned on later without making the machine anew.
# custom:
#   id: EBS-002
#   source: CIS AWS Foundations Benchmark 3.0.0, 2.2.1
#   mend: "leave rootVolume: encrypted out, or write rootVolume: encrypted: true"
deny_unencrypted_root_disk contains decision if {
	some rc in plan.of_type("aws_instance")
	plan.made(rc)
	some disk in rc.change.after.root_block_device
	disk.encrypted == false
	decision := {
		"msg": "the root disk would not be encrypted",
		"address": rc.address,
		"path": "root_block_device.encrypted",
	}
}

# METADATA
# scope: document
# title: A disk that stands already is not encrypted
# description: >-
#   It was made before isobar looked, or by somebody else. It holds up no other
#   change, for only a new disk and a copy of the data can mend it.
# custom:
#   id: EBS-003
#   source: CIS AWS Foundations Benchmark 3.0.0, 2.2.1
#   mend: copy it by way of an encrypted snapshot, or waive it until there is time
warn_unencrypted_disk contains decision if {
	some rc in plan.of_type("aws_ebs_volume")
	not plan.made(rc)
	rc.change.after.encrypted == false
	decision := {
		"msg": "the volume is not encrypted",
		"address": rc.address,
		"path": "encrypted",
	}
}

warn_unencrypted_disk contains decision if {
	some rc in plan.of_type("aws_instance")
	not plan.made(rc)
	some disk in rc.change.after.root_block_device
	disk.encrypted == false
	decision := {
		"msg": "the root disk is not encrypted",
		"address": rc.address,
		"path": "root_block_device.encrypted",
	}
}
