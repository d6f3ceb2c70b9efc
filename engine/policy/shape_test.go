package policy

import "testing"

func TestSnake(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"cidrBlock": "cidr_block", "numCPUs": "num_cpus", "memoryMB": "memory_mb", "vpcId": "vpc_id", "tags": "tags",
		"mapPublicIpOnLaunch": "map_public_ip_on_launch", "instanceUUID": "instance_uuid", "enableDNSSupport": "enable_dns_support",
		"cidrIpv4": "cidr_ipv4", "a_b": "a_b", "": "",
	} {
		if got := snake(in); got != want {
			t.Errorf("snake(%q) = %q, want %q", in, got, want)
		}
	}
}
