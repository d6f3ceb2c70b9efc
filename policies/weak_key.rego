package main

import data.isobar.plan

# METADATA
# title: An SSH key is too short
# description: >-
#   RSA keys below 2,048 bits have not been held safe since 2013. An Ed25519 key is
#   shorter and stronger than any of them.
# custom:
#   id: KEY-001
#   source: NIST SP 800-131A
#   mend: make another one with ssh-keygen -t ed25519, and let the old one go
deny_weak_key contains decision if {
	some rc in plan.of_type("aws_key_pair")
	plan.made(rc)
	startswith(rc.change.after.public_key, "ssh-rsa ")

	# The length in base64 of a key of 2,048 bits; one of 1,024 has 204.
	count(split(rc.change.after.public_key, " ")[1]) < 368
	decision := {
		"msg": "the RSA key has fewer than 2,048 bits",
		"address": rc.address,
		"path": "public_key",
	}
}
