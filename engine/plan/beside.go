package plan

import "isobar.dev/engine/resource"

// standBeside lets replacements that get another name make the new object before
// the old one goes: the two can stand side by side, and whether the new name is to
// be had is known only once it is taken. It makes nothing else go first, and a
// spec that says createBeforeDestroy: false has its way.
func (b *builder) standBeside() {
	for changed := true; changed; {
		changed = false
		for _, it := range b.items {
			if it.replaces() && !it.first && it.held == nil && it.renamed() && !it.want.Meta.DestroyBeforeCreate && b.firmGround(it) {
				it.first, it.beside, changed = true, true, true
			}
		}
	}
}

// renamed reports whether the item's kind has names, and each is another than its
// object has.
func (it *item) renamed() bool {
	named := false
	for i := range it.kind.Fields {
		f := &it.kind.Fields[i]
		if !f.Unique || !f.Immutable {
			continue
		}
		want := it.resolved[f.Name]
		if want == nil || resource.HasUnknown(want) || same(f, want, it.live.Object.Fields[f.Name]) || same(f, want, it.entry.Record.Applied[f.Name]) {
			return false
		}
		named = true
	}
	return named
}

// firmGround reports whether all that the item refers to is there when its new
// object is to be made, while the old one still is.
func (b *builder) firmGround(it *item) bool {
	for _, r := range it.refs {
		if t := b.byAddr[r.Address]; t != nil && t.replaces() && !t.first {
			return false
		}
	}
	return true
}

// backDown lets the old object go first again where the new one first would need
// itself: two that swap their names. It reports whether there was such.
func (b *builder) backDown(g *graph) bool {
	eager := false
	for _, it := range b.items {
		eager = eager || it.beside
	}
	if !eager {
		return false
	}
	found := false
	for _, ring := range g.rings() {
		in := make(map[string]bool, len(ring))
		for _, id := range ring {
			in[id] = true
		}
		for _, id := range ring {
			it := g.steps[id].it
			if it.beside && in[it.createID()] && in[it.deleteID()] {
				it.first, it.beside, found = false, false, true
			}
		}
	}
	return found
}
