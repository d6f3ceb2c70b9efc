package spelling_test

import (
	"testing"

	"isobar.dev/engine/spelling"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"cidrBlock", "tags", "vpcId", "id"}
	for got, want := range map[string]string{
		"cidrBlok": "cidrBlock", "cidr_block": "cidrBlock", "CIDRBlock": "cidrBlock", "tgas": "tags", "vpcid": "vpcId", "idd": "id",
		"zone": "", "instanceType": "", "": "",
	} {
		if n := spelling.Nearest(got, names); n != want {
			t.Errorf("%q is nearest to %q, want %q", got, n, want)
		}
	}
	for got, want := range map[string]string{"instances": "instance", "db_instance": "", "eip": "", "vpcs": "vpc"} {
		if n := spelling.Within(got, []string{"instance", "vpc"}, 4); n != want {
			t.Errorf("%q is like %q, want %q", got, n, want)
		}
	}
}
