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
	e.generated(w, at, where)
	return at, where
}

// generated places the resources that only the joined value has, such as those
// under a condition on a schema's default: by the first of their fields that a
// user's file holds.
func (e *evaluation) generated(w world, at map[string]resource.Position, where map[string]map[string]resource.Position) {
	for _, top := range fieldsOf(w.joined) {
		if !e.isProvider(top.name) {
			continue
		}
		for _, kind := range fieldsOf(top.value) {
			for _, r := range fieldsOf(kind.value) {
				key := localKey([]string{top.name, kind.name, r.name})
				if where[key] != nil {
					continue
				}
				m, first := map[string]resource.Position{}, resource.Position{}
				for _, f := range fieldsOf(r.value) {
					p := userPosition(f.value)
					if p.IsZero() {
						continue
					}
					m[resource.Path{f.name}.String()] = p
					if first.IsZero() || p.Line < first.Line {
						first = p
					}
				}
				if first.IsZero() {
					first.File = e.job.Dir
				}
				at[key], where[key] = first, m
			}
		}
	}
}

// userPosition is where the user's part of a joined value stands.
func userPosition(v cue.Value) resource.Position {
	_, parts := v.Expr()
	for _, part := range append([]cue.Value{v}, parts...) {
		if p := positionOf(part.Pos()); p.File != "" && !isSchema(p.File) {
			return p
		}
	}
	return resource.Position{}
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
	default: // a scalar holds nothing further
	}
}
