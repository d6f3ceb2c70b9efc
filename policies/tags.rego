# METADATA
# title: Tags
# description: What tags say of an object.
package isobar.tags

# owned holds for an object that names its owner.
owned(rc) if {
	some key, value in rc.change.after.tags
	lower(key) == "owner"
	value != ""
}

# A tag whose value only apply will tell is there all the same.
owned(rc) if {
	some key, _ in rc.change.after_unknown.tags
	lower(key) == "owner"
}

owned(rc) if rc.change.after_unknown.tags == true
