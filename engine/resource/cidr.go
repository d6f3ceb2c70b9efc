package resource

import (
	"net/netip"
	"strconv"
)

// CanonicalCIDR gives an address block in the spelling in which networks keep it:
// without host bits, IPv6 in the form of RFC 5952. ok is false for what is no block.
func CanonicalCIDR(s string) (kept string, ok bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return s, false
	}
	return p.Masked().String(), true
}

// Misspelt finds the address blocks within a field's value that are not in the
// spelling of CanonicalCIDR, and tells each with the path that leads to it.
func Misspelt(f *Field, at Path, v Value, tell func(at Path, block string)) {
	if f == nil {
		return
	}
	switch x := v.(type) {
	case String:
		if kept, ok := CanonicalCIDR(string(x)); f.CIDR && (!ok || kept != string(x)) {
			tell(at, string(x))
		}
	case List:
		for i, e := range x {
			Misspelt(f.Elem, append(at[:len(at):len(at)], strconv.Itoa(i)), e, tell)
		}
	case Map:
		for _, k := range x.Keys() {
			Misspelt(f.Child(k), append(at[:len(at):len(at)], k), x[k], tell)
		}
	}
}
