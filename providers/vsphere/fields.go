package vsphere

import (
	"isobar.dev/engine/resource"
)

// intOr gives a number, or what stands for one that is unset.
func intOr(f resource.Map, field string, unset int64) int64 {
	if n, ok := f[field].(resource.Int); ok {
		return int64(n)
	}
	return unset
}

// boolOr gives a truth value, or what stands for one that is unset.
func boolOr(f resource.Map, field string, unset bool) bool {
	if b, ok := f[field].(resource.Bool); ok {
		return bool(b)
	}
	return unset
}

// unread says why a property did not come.
func (n *node) unread(prop string) resource.Value {
	for missing, why := range n.missing {
		if prop == missing || len(prop) > len(missing) && prop[:len(missing)+1] == missing+"." {
			return resource.Unread{Why: "the vCenter does not show " + prop + ": " + why}
		}
	}
	return resource.Unread{Why: "the vCenter does not show " + prop + " now"}
}

// text gives a property that is text or a word of the API.
func (n *node) text(prop string) (string, bool) {
	v, ok := n.props[prop].(string)
	return v, ok
}
