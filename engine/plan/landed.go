package plan

import (
	"slices"

	"isobar.dev/engine/resource"
)

// landed gives what of one field is ours: what the ledger holds, and what calls
// that were settled as not done set after all, where the object shows just that.
func (it *item) landed(f *resource.Field, applied, live resource.Value) resource.Value {
	for _, sent := range it.live.Sent {
		applied = landed(f, applied, sent[f.Name], live)
	}
	return applied
}

func landed(f *resource.Field, applied, sent, live resource.Value) resource.Value {
	switch {
	case sent == nil || live == nil || f.Unseen():
		return applied
	case composite(f) && mapOrNil(sent) && mapOrNil(applied) && mapOrNil(live):
		return landedKeys(f, applied, sent, live)
	case f.Type == "list" && f.Own == "element":
		return landedElements(f, applied, sent, live)
	case same(f, sent, live):
		return sent
	}
	return applied
}

// landedKeys looks at a struct field by field and at a map key by key.
func landedKeys(f *resource.Field, applied, sent, live resource.Value) resource.Value {
	a, _ := applied.(resource.Map)
	s, _ := sent.(resource.Map)
	l, _ := live.(resource.Map)
	out := make(resource.Map, len(a))
	for k, v := range a {
		out[k] = v
	}
	for k, v := range s {
		sub := f.Elem
		if f.Type == "struct" {
			sub = fieldNamed(f.Fields, k)
		}
		if sub == nil {
			sub = &resource.Field{Name: k, Type: "string"}
		}
		if got := landed(sub, a[k], v, l[k]); got != nil {
			out[k] = got
		}
	}
	if len(out) == 0 {
		return applied
	}
	return out
}

// landedElements looks at a list of which only our own elements are ours.
func landedElements(f *resource.Field, applied, sent, live resource.Value) resource.Value {
	a, _ := applied.(resource.List)
	s, _ := sent.(resource.List)
	l, _ := live.(resource.List)
	more := minus(f, minus(f, s, minus(f, s, l)), a) // sent, and there, and not known
	if len(more) == 0 {
		return applied
	}
	return append(slices.Clone(a), more...)
}
