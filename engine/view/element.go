package view

import (
	"strings"

	"isobar.dev/engine/resource"
)

// pair is what becomes of one element of a list; nil is none.
type pair struct{ was, is resource.Value }

// pairs gives the elements of two lists that differ, in the order of those that
// were: each beside the one that has its key now. Where the list has no key, one
// alone that went is beside one alone that came.
func pairs(f *resource.Field, before, after resource.List) []pair {
	gone, come := lacking(before, after), lacking(after, before)
	if len(gone) == 1 && len(come) == 1 && elementKey(f, gone[0]) == elementKey(f, come[0]) {
		return []pair{{gone[0], come[0]}}
	}
	out := make([]pair, 0, len(gone)+len(come))
	byKey := map[string]int{}
	for i, e := range gone {
		out = append(out, pair{was: e})
		if k := elementKey(f, e); k != "" {
			byKey[k] = i
		}
	}
	for _, e := range come {
		if i, ok := byKey[elementKey(f, e)]; ok && out[i].is == nil {
			out[i].is = e
			continue
		}
		out = append(out, pair{is: e})
	}
	return out
}

// lacking gives the elements of a that b does not have, counting repeats.
func lacking(a, b resource.List) []resource.Value {
	have := map[string]int{}
	for _, e := range b {
		have[string(resource.Encode(e))]++
	}
	var out []resource.Value
	for _, e := range a {
		k := string(resource.Encode(e))
		if have[k] > 0 {
			have[k]--
			continue
		}
		out = append(out, e)
	}
	return out
}

// elementKey names an element of a list by the values of its key, "0.0.0.0/0" of a
// route, in the order in which the schema names the fields; "" where it has none.
func elementKey(f *resource.Field, e resource.Value) string {
	key := f.KeyOf(e)
	var parts []string
	for _, name := range keyFields(f) {
		if v := key[name]; v != nil {
			parts = append(parts, plain(v))
		}
	}
	return strings.Join(parts, " ")
}

func keyFields(f *resource.Field) []string {
	if f == nil {
		return nil
	}
	return f.Key
}

// plain writes a value as text does, and a text without quotes.
func plain(v resource.Value) string {
	if s, ok := v.(resource.String); ok {
		return clean(string(s))
	}
	return text(v)
}
