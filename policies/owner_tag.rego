package main

import data.isobar.plan

# METADATA
# title: No owner tag
# description: >-
#   Somebody has to be asked before a thing is stopped or paid for. The tag may
#   be spelt owner or Owner.
# custom:
#   id: TAG-001
#   mend: "add it, e.g. tags: owner: \"team-network\""
warn_missing_owner contains decision if {
	some rc in plan.living
	plan.takes_tags(rc.type)
	not has_owner(rc)
	decision := {
		"msg": "it has no owner tag",
		"address": rc.address,
		"path": "tags",
	}
}

has_owner(rc) if {
	some key, value in rc.change.after.tags
	lower(key) == "owner"
	value != ""
}

# A tag whose value only apply will tell is there all the same.
has_owner(rc) if {
	some key, _ in rc.change.after_unknown.tags
	lower(key) == "owner"
}

has_owner(rc) if rc.change.after_unknown.tags == true
