package resource

import "slices"

// identity gives the field that tells the elements of a map apart from others at
// their keys, "" where there is none. f may be nil.
func (f *Field) identity() string {
	if f == nil || f.Type != "map" || f.Elem == nil {
		return ""
	}
	if i := slices.IndexFunc(f.Elem.Fields, func(s Field) bool { return s.Identity }); i >= 0 {
		return f.Elem.Fields[i].Name
	}
	return ""
}

// Exchanged reports whether the element that is live at a key of a map is another one
// than the one that was applied there. Where either does not tell, it is taken for the
// same.
func (f *Field) Exchanged(applied, live Value) bool {
	name := f.identity()
	a, l := identityIn(applied, name), identityIn(live, name)
	return a != nil && l != nil && !Equal(a, l)
}

// Identified gives an element of a map with what is known to tell it from others, and
// where nothing is, with what tells the live one. One that is not there has no such.
func (f *Field) Identified(elem, known, live Value) Value {
	name := f.identity()
	m, _ := elem.(Map)
	if name == "" || m == nil || live == nil {
		return elem
	}
	id := identityIn(known, name)
	if id == nil {
		id = identityIn(live, name)
	}
	if id == nil || Equal(m[name], id) {
		return elem
	}
	out := make(Map, len(m)+1)
	for k, v := range m {
		out[k] = v
	}
	out[name] = id
	return out
}

// identityIn is the value of that field in an element; nil where it has none that
// was read.
func identityIn(elem Value, name string) Value {
	m, _ := elem.(Map)
	if v := m[name]; name != "" && !HasUnread(v) {
		return v
	}
	return nil
}

// Identified gives fields with what tells their elements from others.
func (d *Descriptor) Identified(fields, known, live Map) Map {
	out := fields
	for i := range d.Fields {
		f := &d.Fields[i]
		elems, _ := fields[f.Name].(Map)
		had, _ := known[f.Name].(Map)
		seen, _ := live[f.Name].(Map)
		if f.identity() == "" || elems == nil || seen == nil {
			continue
		}
		next := make(Map, len(elems))
		for k, e := range elems {
			next[k] = f.Identified(e, had[k], seen[k])
		}
		grown := make(Map, len(out))
		for k, v := range out {
			grown[k] = v
		}
		grown[f.Name] = next
		out = grown
	}
	return out
}
