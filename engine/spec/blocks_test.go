package spec

import (
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"isobar.dev/engine/resource"
)

// TestDisjointLaw: whatever the blocks, those that are not reported are
// disjoint, and each that is reported overlaps one that is not.
func TestDisjointLaw(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var bs []block
		owners := map[string]netip.Prefix{}
		for i := range rapid.IntRange(1, 12).Draw(t, "count") {
			addr := netip.AddrFrom4([4]byte{10, 0, rapid.Byte().Draw(t, "third"), rapid.Byte().Draw(t, "fourth")})
			p := netip.PrefixFrom(addr, rapid.IntRange(16, 28).Draw(t, "bits")).Masked()
			d := &resource.Desired{Address: resource.Address{Env: "e", Provider: "aws", Kind: "subnet", Name: fmt.Sprint("s", i)}}
			owners[d.Address.Local()] = p
			bs = append(bs, block{owner: d, field: "cidrBlock", prefix: p})
		}
		c := &checker{env: &Environment{Dir: "environments/e"}}
		c.disjoint(bs)
		kept := map[string]netip.Prefix{}
		for name, p := range owners {
			kept[name] = p
		}
		for _, f := range c.found {
			delete(kept, f.Subject)
		}
		for a, p := range kept {
			for b, q := range kept {
				if a != b && p.Overlaps(q) {
					t.Fatalf("%s %v and %s %v overlap, and neither is reported", a, p, b, q)
				}
			}
		}
		for _, f := range c.found {
			hit := false
			for _, q := range kept {
				hit = hit || q.Overlaps(owners[f.Subject])
			}
			if !hit {
				t.Fatalf("%v overlaps nothing that is kept", f)
			}
		}
	})
}
