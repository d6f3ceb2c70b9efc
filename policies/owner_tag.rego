package main

import data.isobar.plan
import data.isobar.tags

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
	not tags.owned(rc)
	decision := {
		"msg": "it has no owner tag",
		"address": rc.address,
		"path": "tags",
	}
}
