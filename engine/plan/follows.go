package plan

import "isobar.dev/engine/resource"

// goesAlong reports whether a node names by a path what the object stands in, and
// goes on to: that is only renamed, or renamed with what it stands in itself.
func (d *differ) goesAlong(f *resource.Field, t trio) bool {
	u, ok := t.want.(resource.Unknown)
	return ok && f.Follows && t.live != nil && d.told != nil && resource.Equal(t.live, d.told(u.Because))
}

// told gives an output as it is live, of an object that stays; else nil.
func (b *builder) told(r resource.Ref) resource.Value {
	it := b.byAddr[r.Address]
	if it == nil || it.fresh || it.entry == nil || it.live.Seen != Present {
		return nil
	}
	return it.kind.Outputs(it.live.Object)[r.Out]
}
