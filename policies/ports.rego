# METADATA
# title: What is open to the world
# description: Services by their TCP ports, and which of them security groups open.
package isobar.ports

import data.isobar.plan

admin := {22: "SSH", 3389: "RDP"}

database := {
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

inner := {
	21: "FTP",
	23: "Telnet",
	135: "RPC",
	139: "NetBIOS",
	445: "SMB",
	2049: "NFS",
	2375: "Docker",
	2379: "etcd",
	5900: "VNC",
	5985: "WinRM",
	5986: "WinRM",
	10250: "kubelet",
}

# doors are the security groups' rules that let anybody in.
doors contains {"address": group.address, "rule": rule} if {
	some group in plan.of_type("aws_security_group")
	some rule in plan.open_to_world(group)
}

# opened are the services' ports that a rule lets TCP through to, in order.
opened(rule, services) := [port | some port, _ in services] if rule.protocol == "-1"

opened(rule, services) := [port | port := rule.from_port; services[port]] if {
	rule.protocol in {"tcp", "6"}
	rule.from_port == rule.to_port
}

opened(rule, services) := [port | some port, _ in services; port >= rule.from_port; port <= rule.to_port] if {
	rule.protocol in {"tcp", "6"}
	rule.from_port < rule.to_port
}

# told says which ports are open; what names what they are of.
told(ports, services, _) := sprintf("%s (port %d) is open to the world", [services[ports[0]], ports[0]]) if count(ports) == 1

told(ports, _, what) := sprintf("%d %s ports are open to the world: %s", [count(ports), what, concat(", ", [format_int(p, 10) | some p in ports])]) if {
	count(ports) > 1
}
