package main

import data.isobar.plan

admin_ports := {22: "SSH", 3389: "RDP"}

# METADATA
# title: SSH or RDP is open to the world
# description: >-
#   Ports 22 and 3389 give whoever gets past a password the whole machine, and
#   are tried by scanners within minutes of opening. Ranges, all protocols and
#   IPv6 count too.
# custom:
#   id: SG-001
#   mend: name the networks that need it, such as an office's or a VPN's block
deny_open_admin_port contains decision if {
	some group in plan.of_type("aws_security_group")
	some rule in plan.open_to_world(group)
	some port, name in admin_ports
	plan.covers(rule, port)
	decision := {
		"msg": sprintf("%s (port %d) is open to the world", [name, port]),
		"address": group.address,
		"path": "ingress",
	}
}

database_ports := {
	1433: "SQL Server",
	1521: "Oracle",
	3306: "MySQL",
	5432: "PostgreSQL",
	6379: "Redis",
	9042: "Cassandra",
	9200: "OpenSearch",
	11211: "memcached",
	27017: "MongoDB",
}

# METADATA
# title: A database port is open to the world
# description: >-
#   Databases belong behind their applications. Several of these listen without
#   a password by default.
# custom:
#   id: SG-002
#   mend: let in the application's security group or network instead
deny_open_database_port contains decision if {
	some group in plan.of_type("aws_security_group")
	some rule in plan.open_to_world(group)
	some port, name in database_ports
	plan.covers(rule, port)
	decision := {
		"msg": sprintf("%s (port %d) is open to the world", [name, port]),
		"address": group.address,
		"path": "ingress",
	}
}
