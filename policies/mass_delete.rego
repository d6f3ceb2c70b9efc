package main

import data.isobar.plan

# most_deleted is how many objects one plan may delete or replace.
most_deleted := 10

# most_share is how many hundredths of the live objects it may; it counts from
# least_deleted objects on, so that small environments can be worked on.
most_share := 30

least_deleted := 4

# Who runs isobar destroy has said so by name.
meant if input.isobar.trigger == "destroy"

# METADATA
# scope: document
# title: Many objects are deleted at once
# description: >-
#   A moved folder, a renamed file or a bad merge looks like the wish to delete
#   everything. Replacements count, for they delete too.
# custom:
#   id: DEL-001
#   mend: delete in smaller steps, or waive it with an exception for mass_delete if it is meant
deny_mass_delete contains decision if {
	not meant
	gone := count(plan.going)
	gone > most_deleted
	decision := {"msg": sprintf("%d objects would be deleted or replaced at once; %d is the limit", [gone, most_deleted])}
}

deny_mass_delete contains decision if {
	not meant
	gone := count(plan.going)
	gone >= least_deleted
	gone <= most_deleted
	all := count(input.isobar.live)
	all > 0
	share := round((100 * gone) / all)
	share > most_share
	decision := {"msg": sprintf("%d of %d objects (%d %%) would be deleted or replaced at once; %d %% is the limit", [gone, all, share, most_share])}
}
