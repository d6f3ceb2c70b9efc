# METADATA
# title: Where data lies
# description: Which objects hold data that goes with them.
package isobar.stored

# held_by names what would be lost with an object. What a replacement left
# behind was warned of when it was replaced.
held_by(rc) := "the volume" if {
	rc.type == "aws_ebs_volume"
	not rc.isobar.deposed
}

# A bucket that holds something stays, unless it is told to go with it.
held_by(rc) := "the bucket" if {
	rc.type == "aws_s3_bucket"
	rc.change.before.force_destroy == true
	not rc.isobar.deposed
}

held_by(rc) := "the machine" if {
	rc.type == "vsphere_virtual_machine"
	count(object.get(rc.change.before, "disks", {})) > 0
	not rc.isobar.deposed
}
