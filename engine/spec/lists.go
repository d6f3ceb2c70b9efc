package spec

import "isobar.dev/engine/resource"

// listed puts a value that stands alone where its kind has a list (T | [...T]
// in the schema) into a list of one, at any depth, so that all after it sees
// lists alone. It writes into m.
func listed(fields []resource.Field, m resource.Map) {
	for i := range fields {
		if v, ok := m[fields[i].Name]; ok {
			m[fields[i].Name] = listedValue(&fields[i], v)
		}
	}
}

func listedValue(f *resource.Field, v resource.Value) resource.Value {
	switch x := v.(type) {
	case resource.List:
		for i := range x {
			if f.Elem != nil {
				x[i] = listedValue(f.Elem, x[i])
			}
		}
	case resource.Map:
		if f.Type == "struct" {
			listed(f.Fields, x)
			return x
		}
		for k := range x {
			if f.Elem != nil {
				x[k] = listedValue(f.Elem, x[k])
			}
		}
	case nil, resource.Null:
	default:
		if f.Type == "list" {
			return resource.List{v}
		}
	}
	return v
}
