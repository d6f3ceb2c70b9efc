package plan

import (
	"fmt"

	"isobar.dev/engine/resource"
)

// keptDefault is a field that stays as it is though its default is another now.
type keptDefault struct {
	field     *resource.Field
	want, had resource.Value
}

// keepsDefault reports whether a field is as it was when its object was made
// though its default has changed since: one that goes by the resource's name
// after a move, or by another version of the schemas. Nobody wrote that the object
// is to be replaced. Where it is not known who wrote what, nothing is kept.
func (d *differ) keepsDefault(f *resource.Field, want, applied, live resource.Value) (resource.Value, bool) {
	had := applied
	if had == nil {
		had = live
	}
	if !f.Immutable || d.anew || d.item.want.Where == nil || want == nil || had == nil || resource.HasUnknown(want) || resource.HasUnread(had) || same(f, want, had) {
		return nil, false
	}
	if _, placed := d.item.want.Place(resource.Path{f.Name}); placed {
		return nil, false
	}
	return had, true
}

// ofDefaults notes of what has another default now than the object was made with
// that it stays.
func (it *item) ofDefaults() []Note {
	if it.diff == nil || it.fresh {
		return nil
	}
	var out []Note
	for _, k := range it.diff.kept {
		text := fmt.Sprintf("%s stays %s: its default is now %s, and no default replaces an object; to have it replaced, or to say that it stays, write %s", k.field.Name, resource.Encode(k.had), resource.Encode(k.want), k.field.Name)
		if k.field.Sensitive || k.field.WriteOnly {
			text = k.field.Name + " stays as it is: its default has changed, and no default replaces an object"
		}
		out = append(out, Note{Address: it.addr, Text: text})
	}
	return out
}

// standing gives the wanted fields with what stays in the place of its default.
func (d *differ) standing(want resource.Map) resource.Map {
	out := make(resource.Map, len(want))
	for k, v := range want {
		out[k] = v
	}
	for _, k := range d.kept {
		out[k.field.Name] = k.had
	}
	return out
}
