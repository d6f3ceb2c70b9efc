package main

import data.isobar.ports

# METADATA
# title: SSH or RDP is open to the world
# description: >-
#   Ports 22 and 3389 give whoever gets past a password the whole machine, and
#   are tried by scanners within minutes of opening. Ranges, all protocols and
#   IPv6 count too.
# custom:
#   id: SG-001
#   source: CIS AWS Foundations Benchmark 3.0.0, 5.2 and 5.3
#   mend: name the networks that need it, such as an office's or a VPN's block
deny_open_admin_port contains decision if {
	some door in ports.doors
	some port in ports.opened(door.rule, ports.admin)
	decision := {
		"msg": ports.told([port], ports.admin, "admin"),
		"address": door.address,
		"path": "ingress",
	}
}

# METADATA
# title: A database port is open to the world
# description: >-
#   Databases belong behind their applications. Several of these listen without
#   a password by default.
# custom:
#   id: SG-002
#   source: AWS Security Hub, EC2.19
#   mend: let in the application's security group or network instead
deny_open_database_port contains decision if {
	some door in ports.doors
	decision := {
		"msg": ports.told(ports.opened(door.rule, ports.database), ports.database, "database"),
		"address": door.address,
		"path": "ingress",
	}
}

# METADATA
# title: A port for files, remote control or a cluster is open to the world
# description: >-
#   File shares, remote control and the inner doors of Docker, etcd and
#   Kubernetes were made for networks whose members trust each other. Most have
#   been attacked at scale; several ask for no password at all.
# custom:
#   id: SG-004
#   source: AWS Security Hub, EC2.19
#   mend: name the networks that need it, or let in a security group instead
deny_open_inner_port contains decision if {
	some door in ports.doors
	decision := {
		"msg": ports.told(ports.opened(door.rule, ports.inner), ports.inner, "inner"),
		"address": door.address,
		"path": "ingress",
	}
}
