package main

import data.isobar.limits
import data.isobar.plan

# METADATA
# scope: document
# title: Many objects are deleted at once
# description: >-
#   A moved folder, a renamed file or a bad merge looks like the wish to delete
#   everything. Replacements count, for they delete too.
# custom:
#   id: DEL-001
#   mend: delete in smaller steps, or waive DEL-001 if it is meant
deny_mass_delete contains decision if {
	not plan.meant
	gone := count(plan.going)
	gone > limits.most_deleted
	decision := {"msg": sprintf("%d objects would be deleted or replaced at once; %d is the limit", [gone, limits.most_deleted])}
}

deny_mass_delete contains decision if {
	not plan.meant
	gone := count(plan.going)
	gone >= limits.least_deleted
	gone <= limits.most_deleted
	all := count(input.isobar.live)
	all > 0
	share := round((100 * gone) / all)
	share > limits.most_share
	decision := {"msg": sprintf("%d of %d objects (%d %%) would be deleted or replaced at once; %d %% is the limit", [gone, all, share, limits.most_share])}
}
