package observe

import (
	"maps"
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// An aspect may cost a call an object, so a look asks for those of a kind in
// which the environment sets or has set a field, and for the bare fields.

// uses notes the aspects of the fields that are set.
func (k *kindLook) uses(d *resource.Descriptor, set resource.Map) {
	if d == nil {
		return
	}
	for name := range set {
		if f := d.Field(name); f != nil {
			k.aspects[f.Aspect] = true
		}
	}
}

// usesEntry notes those of what the ledger says is, or may be, applied.
func (k *kindLook) usesEntry(d *resource.Descriptor, e *ledger.Entry) {
	k.uses(d, e.Record.Applied)
	if e.Open != nil {
		k.uses(d, e.Open.Record.Applied)
	}
}

// asked lists the aspects that a want names.
func (k *kindLook) asked() []string { return slices.Sorted(maps.Keys(k.aspects)) }

// trim drops what is unread in the aspects that nobody asked for: nothing in
// the environment has to do with it, so that it must not hold anything up.
func (k *kindLook) trim(d *resource.Descriptor, o resource.Object) resource.Object {
	var fields resource.Map
	for name, v := range o.Fields {
		f := d.Field(name)
		if f == nil || k.aspects[f.Aspect] || !resource.HasUnread(v) {
			continue
		}
		if fields == nil {
			fields = maps.Clone(o.Fields)
		}
		delete(fields, name)
	}
	if fields != nil {
		o.Fields = fields
	}
	return o
}
