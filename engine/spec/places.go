package spec

import (
	"strconv"

	"cuelang.org/go/cue"

	"isobar.dev/engine/resource"
)

// places gives where the user wrote settings and resources, by path, and each
// resource's fields, by resource and path. They come from the user's own value
// before it is joined with the schema, so none of them is the schema's.
func (e *evaluation) places(w world) (map[string]resource.Position, map[string]map[string]resource.Position) {
	at, where := map[string]resource.Position{}, map[string]map[string]resource.Position{}
	for _, top := range fieldsOf(w.raw) {
		if !e.isProvider(top.name) {
			collect(at, resource.Path{top.name}, top.value)
			continue
		}
		for _, kind := range fieldsOf(top.value) {
			for _, r := range fieldsOf(kind.value) {
				key := localKey([]string{top.name, kind.name, r.name})
				at[key] = positionOf(r.value.Pos())
				m := map[string]resource.Position{}
				for _, f := range fieldsOf(r.value) {
					collect(m, resource.Path{f.name}, f.value)
				}
				where[key] = m
			}
		}
	}
	return at, where
}

func collect(into map[string]resource.Position, p resource.Path, v cue.Value) {
	if pos := positionOf(v.Pos()); pos.File != "" && !isSchema(pos.File) {
		into[p.String()] = pos
	}
	switch v.IncompleteKind() {
	case cue.StructKind:
		for _, f := range fieldsOf(v) {
			collect(into, append(p[:len(p):len(p)], f.name), f.value)
		}
	case cue.ListKind:
		it, err := v.List()
		if err != nil {
			return
		}
		for i := 0; it.Next(); i++ {
			collect(into, append(p[:len(p):len(p)], strconv.Itoa(i)), it.Value())
		}
	}
}
