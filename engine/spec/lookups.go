package spec

import (
	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// lookup refuses what a lookup cannot heed: values that are known only later,
// and how to treat an object that is not ours.
func (c *checker) lookup(d *resource.Desired) {
	for _, k := range d.Fields.Keys() {
		if resource.Contains(d.Fields[k], resolvedLater) {
			c.add(d, resource.Path{k}, diag.Finding{
				Code: codeLookup, Message: k + " holds a reference or a secret, and a lookup is asked before anything is resolved",
				Mend: "write the value itself",
			})
		}
	}
	m := d.Meta
	for _, e := range []struct {
		key string
		set bool
	}{{"preventDestroy", m.PreventDestroy}, {"createBeforeDestroy", m.CreateBeforeDestroy || m.DestroyBeforeCreate}, {"ignoreChanges", len(m.IgnoreChanges) > 0}} {
		if e.set {
			c.add(d, resource.Path{"$meta", e.key}, diag.Finding{
				Code: codeLookup, Message: e.key + " means nothing to " + d.Address.Type() + ", which is looked up and never made",
				Mend: "remove it, or set it on the resource that uses the lookup",
			})
		}
	}
}

// resolvedLater reports whether a value is known only once other resources or
// secrets are.
func resolvedLater(v resource.Value) bool {
	switch v.(type) {
	case resource.Ref, resource.Template, resource.Secret:
		return true
	}
	return false
}
