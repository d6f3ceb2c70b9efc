package main

group(rule) := {"resource_changes": [{
	"address": "aws_security_group.web",
	"type": "aws_security_group",
	"change": {"actions": ["create"], "after": {"ingress": [rule]}},
}]}

tcp(from, to, cidr) := {"protocol": "tcp", "from_port": from, "to_port": to, "cidr_blocks": [cidr]}

ids(decisions) := {d.msg | some d in decisions}

test_ssh_to_the_world_is_denied if {
	found := deny_open_admin_port with input as group(tcp(22, 22, "0.0.0.0/0"))
	ids(found) == {"SSH (port 22) is open to the world"}
}

test_the_decision_names_object_and_field if {
	found := deny_open_admin_port with input as group(tcp(22, 22, "0.0.0.0/0"))
	some d in found
	d.address == "aws_security_group.web"
	d.path == "ingress"
}

test_a_range_over_all_ports_is_denied if {
	found := deny_open_admin_port with input as group(tcp(0, 65535, "0.0.0.0/0"))
	count(found) == 2
}

test_all_protocols_are_denied if {
	rule := {"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}
	found := deny_open_admin_port with input as group(rule)
	count(found) == 2
}

test_ipv6_is_denied if {
	rule := {"protocol": "tcp", "from_port": 3389, "to_port": 3389, "cidr_blocks": [], "ipv6_cidr_blocks": ["::/0"]}
	found := deny_open_admin_port with input as group(rule)
	ids(found) == {"RDP (port 3389) is open to the world"}
}

test_a_part_of_the_world_is_denied if {
	every cidr in ["128.0.0.0/1", "64.0.0.0/2", "8.0.0.0/7"] {
		found := deny_open_admin_port with input as group(tcp(22, 22, cidr))
		count(found) == 1
	}
	rule := {"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": [], "ipv6_cidr_blocks": ["2000::/3"]}
	found := deny_open_admin_port with input as group(rule)
	count(found) == 1
}

test_a_named_network_is_fine if {
	found := deny_open_admin_port with input as group(tcp(22, 22, "10.0.0.0/8"))
	count(found) == 0
}

test_https_to_the_world_is_fine if {
	doc := group(tcp(443, 443, "0.0.0.0/0"))
	admin := deny_open_admin_port with input as doc
	database := deny_open_database_port with input as doc
	count(admin) + count(database) == 0
}

test_udp_is_fine if {
	rule := {"protocol": "udp", "from_port": 22, "to_port": 22, "cidr_blocks": ["0.0.0.0/0"]}
	found := deny_open_admin_port with input as group(rule)
	count(found) == 0
}

test_an_unknown_block_is_fine if {
	rule := {"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": [null]}
	found := deny_open_admin_port with input as group(rule)
	count(found) == 0
}

test_what_is_deleted_is_fine if {
	doc := {"resource_changes": [{
		"address": "aws_security_group.web",
		"type": "aws_security_group",
		"change": {"actions": ["delete"], "before": {"ingress": [tcp(22, 22, "0.0.0.0/0")]}, "after": null},
	}]}
	found := deny_open_admin_port with input as doc
	count(found) == 0
}

test_each_database_port_is_denied if {
	every port, name in data.isobar.ports.database {
		found := deny_open_database_port with input as group(tcp(port, port, "0.0.0.0/0"))
		ids(found) == {sprintf("%s (port %d) is open to the world", [name, port])}
	}
}

test_a_database_in_the_network_is_fine if {
	found := deny_open_database_port with input as group(tcp(5432, 5432, "10.0.0.0/8"))
	count(found) == 0
}

test_several_database_ports_are_told_at_once if {
	found := deny_open_database_port with input as group(tcp(5000, 7000, "0.0.0.0/0"))
	ids(found) == {"2 database ports are open to the world: 5432, 6379"}
}

test_an_inner_port_is_denied if {
	found := deny_open_inner_port with input as group(tcp(445, 445, "0.0.0.0/0"))
	ids(found) == {"SMB (port 445) is open to the world"}
}

test_all_inner_ports_are_told_at_once if {
	rule := {"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}
	found := deny_open_inner_port with input as group(rule)
	ids(found) == {"12 inner ports are open to the world: 21, 23, 135, 139, 445, 2049, 2375, 2379, 5900, 5985, 5986, 10250"}
}

test_an_inner_port_in_the_network_is_fine if {
	found := deny_open_inner_port with input as group(tcp(2049, 2049, "10.0.0.0/8"))
	count(found) == 0
}

test_an_inner_port_by_udp_is_fine if {
	rule := {"protocol": "udp", "from_port": 2049, "to_port": 2049, "cidr_blocks": ["0.0.0.0/0"]}
	found := deny_open_inner_port with input as group(rule)
	count(found) == 0
}
