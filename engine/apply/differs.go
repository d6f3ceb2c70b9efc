package apply

import (
	"slices"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// longest is how many characters of a value are told.
const longest = 60

// difference says how a field is not what the plan saw: the first part of it
// that differs, what it was and what it is. What is sensitive is not told.
func (t *taking) difference(path resource.Path, was, is resource.Value) string {
	before, ok := was.(resource.Map)
	after, ok2 := is.(resource.Map)
	if (ok || was == nil) && (ok2 || is == nil) && (ok || ok2) {
		keys := append(before.Keys(), after.Keys()...)
		slices.Sort(keys)
		for _, k := range keys {
			sub := append(slices.Clone(path), k)
			if !plan.Same(t.fieldAt(sub), before[k], after[k]) {
				return t.difference(sub, before[k], after[k])
			}
		}
	}
	f := t.fieldAt(path)
	for i := range path {
		if over := t.fieldAt(path[:i+1]); over.Sensitive || over.WriteOnly {
			return path.String() + " changed"
		}
	}
	if f.Type == "struct" || f.Elem != nil && (f.Elem.Type == "struct" || f.Elem.Sensitive) {
		return path.String() + " changed" // a part of it may be sensitive
	}
	return path.String() + " was " + told(was) + " and is " + told(is)
}

// told writes a value in short.
func told(v resource.Value) string {
	if v == nil {
		return "not set"
	}
	text := []rune(string(resource.Encode(resource.Rewrite(v, func(e resource.Value) resource.Value {
		if _, secret := e.(resource.Secret); secret {
			return resource.String("(secret)")
		}
		return e
	}))))
	if len(text) > longest {
		return string(text[:longest]) + "…"
	}
	return string(text)
}
