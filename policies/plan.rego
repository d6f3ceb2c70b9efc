# METADATA
# title: What rules ask of a plan
# description: Helpers over the plan; any rule may import data.isobar.plan.
package isobar.plan

# living are the changes after which an object is there.
living contains rc if {
	some rc in input.resource_changes
	rc.change.after != null
}

# of_type are the living changes of one type.
of_type(type) := {rc | some rc in living; rc.type == type}

# made holds for a change that makes its object, anew or for the first time.
made(rc) if "create" in rc.change.actions

# chosen holds for a change that gives the object this value of a field: it
# makes the object, or the value was another one.
chosen(rc, _) if made(rc)

chosen(rc, field) if {
	is_object(rc.change.before)
	object.get(rc.change.before, field, null) != object.get(rc.change.after, field, null)
}

# unknown holds for a field of which apply will tell, wholly or in part.
unknown(rc, field) if rc.change.after_unknown[field]

# going are the changes that end an object, replacements among them. What
# Terraform has beside an object (a bucket's policy) is a part of it here and
# does not count by itself.
going contains rc if {
	some rc in input.resource_changes
	"delete" in rc.change.actions
	not rc.isobar.part
}

# meant holds for isobar destroy, which a person runs by the environment's name,
# and where a person named each object that is deleted.
meant if input.isobar.trigger in {"destroy", "confirm"}

# production holds where the environment's name says so: prod, live_eu.
production if regex.match(`(^|_)(prod|production|live)(_|$)`, input.isobar.environment)

# takes_tags tells whether a type has a tags field.
takes_tags(type) if "tags" in input.isobar.kinds[type].fields

# world holds for an address block that is larger than any that one holder has: a /8
# of IPv4, and a /16 of IPv6, of which 2000::/3 is all that is in use.
# https://www.iana.org/assignments/ipv4-address-space
# https://www.iana.org/assignments/ipv6-unicast-address-assignments
world(cidr) if {
	parts := split(cidr, "/")
	to_number(parts[1]) < narrowest(cidr)
}

narrowest(cidr) := 16 if contains(cidr, ":")

narrowest(cidr) := 8 if not contains(cidr, ":")

# open_to_world are the ingress rules of a security group that let anybody in.
open_to_world(group) := {rule |
	some rule in object.get(group.change.after, "ingress", [])
	some list in ["cidr_blocks", "ipv6_cidr_blocks"]
	some cidr in object.get(rule, list, [])
	is_string(cidr)
	world(cidr)
}

# covers holds for a rule that lets TCP through to the port.
covers(rule, _) if rule.protocol == "-1"

covers(rule, port) if {
	rule.protocol in {"tcp", "6"}
	rule.from_port <= port
	rule.to_port >= port
}
