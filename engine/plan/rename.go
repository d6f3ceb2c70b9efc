package plan

import (
	"fmt"

	"isobar.dev/engine/resource"
)

// renames notes of what is made that something which goes looks just the same:
// a new name in the spec is a new object unless it says where it came from.
func (b *builder) renames() []Note {
	going := map[string][]*item{}
	for _, it := range b.items {
		if it.want == nil && it.action == Delete && !it.named && !b.replaced(it) {
			going[it.addr.Type()] = append(going[it.addr.Type()], it)
		}
	}
	var out []Note
	for _, it := range b.items {
		old := going[it.addr.Type()]
		if it.want == nil || it.action != Create || it.entry != nil || it.blocked != nil {
			continue
		}
		for i, y := range old {
			if y == nil || !looksLike(it, y) {
				continue
			}
			old[i] = nil // it became one thing only
			out = append(out, Note{Address: it.addr, Text: fmt.Sprintf(
				"%s goes and looks the same: to keep that object under the new name, write $meta: movedFrom: %q", y.addr.Local(), y.addr.Local())})
			break
		}
	}
	return out
}

// looksLike reports whether every field of what is made has the value that was
// applied to what goes.
func looksLike(it, old *item) bool {
	if len(it.resolved) == 0 {
		return false
	}
	for i := range it.kind.Fields {
		f := &it.kind.Fields[i]
		want, had := it.resolved[f.Name], old.entry.Record.Applied[f.Name]
		if !f.Computed && !(resource.Empty(want) && resource.Empty(had)) && !same(f, want, had) {
			return false
		}
	}
	return true
}
