# METADATA
# title: Buckets
# description: What buckets, their policies and public access blocks say.
package isobar.buckets

import data.isobar.plan

blocks := {
	"block_public_acls": "blockPublicAcls",
	"block_public_policy": "blockPublicPolicy",
	"ignore_public_acls": "ignorePublicAcls",
	"restrict_public_buckets": "restrictPublicBuckets",
}

# open are the parts of a public access block that are off, in order.
open(rc) := [field |
	some field, _ in blocks
	rc.change.after[field] == false
]

# statements are those of a bucket's policy: of its text, or else of what is
# known of it while a name in it waits for apply.
statements(rc) := listed(rc.change.after.policy_document.Statement)

statements(rc) := listed(json.unmarshal(rc.change.after.policy).Statement) if {
	not rc.change.after.policy_document
	json.is_valid(rc.change.after.policy)
}

# listed is a list of what may be written without one.
listed(x) := x if is_array(x)

listed(x) := [x] if {
	x != null
	not is_array(x)
}

# anybody holds for a statement that allows something to everybody.
anybody(statement) if {
	statement.Effect == "Allow"
	everybody(statement)
	not narrowed(statement)
}

# narrowed holds for a statement whose condition says who or from where: that TLS is
# used does not, nor does a value that anything has.
narrowed(statement) if {
	some keys in statement.Condition
	some key, value in keys
	lower(key) != "aws:securetransport"
	every v in listed(value) {
		not anything(v)
	}
}

anything("*")

anything(v) if {
	is_string(v)
	contains(v, "/")
	plan.world(v)
}

everybody(statement) if statement.Principal == "*"

everybody(statement) if "*" in listed(statement.Principal.AWS)

everybody(statement) if statement.NotPrincipal

# versioned are the names of buckets that keep older versions of objects.
versioned contains rc.name if {
	some rc in plan.of_type("aws_s3_bucket_versioning")
	some versioning in rc.change.after.versioning_configuration
	versioning.status == "Enabled"
}

# guarded holds for a policy that denies requests without TLS to everybody.
guarded(rc) if {
	some statement in statements(rc)
	statement.Effect == "Deny"
	everybody(statement)
	some operator in ["Bool", "BoolIfExists"]
	"false" in listed(statement.Condition[operator]["aws:SecureTransport"])
}
