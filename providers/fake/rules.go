package fake

import (
	"fmt"
	"slices"

	"isobar.dev/engine/resource"
)

// fault builds a failure of the world's own rules.
func fault(class resource.Class, code, format string, args ...any) error {
	return &resource.Failure{Class: class, Op: Name, Code: code, Message: fmt.Sprintf(format, args...)}
}

// shape checks fields against the descriptor: known, settable, resolved, of the
// right type. No value is named in its errors: one may be a secret.
func (k *kind) shape(fields resource.Map) error {
	for _, name := range fields.Keys() {
		f, v := k.desc.Field(name), fields[name]
		switch {
		case f == nil:
			return fault(resource.Invalid, "UnknownField", "%s has no field %s", k.Name, name)
		case f.Computed:
			return fault(resource.Invalid, "ReadOnly", "%s.%s cannot be set", k.Name, name)
		case resource.Contains(v, unresolved):
			return fault(resource.Bug, "Unresolved", "%s.%s is not resolved", k.Name, name)
		case !typed(f, v):
			return fault(resource.Invalid, "WrongType", "%s.%s must be a %s", k.Name, name, f.Type)
		}
	}
	return nil
}

func unresolved(v resource.Value) bool {
	switch v.(type) {
	case resource.Ref, resource.Template, resource.Secret, resource.Unknown, resource.Unread:
		return true
	}
	return false
}

func typed(f *resource.Field, v resource.Value) bool {
	switch x := v.(type) {
	case resource.String:
		return f.Type == "string"
	case resource.Int:
		return f.Type == "int"
	case resource.List:
		return f.Type == "list" && !slices.ContainsFunc(x, func(e resource.Value) bool { return !typed(f.Elem, e) })
	case resource.Map:
		for name, e := range x {
			sub := f.Elem
			if f.Type == "struct" {
				sub = (&resource.Descriptor{Fields: f.Fields}).Field(name)
			}
			if sub == nil || !typed(sub, e) {
				return false
			}
		}
		return f.Type == "map" || f.Type == "struct"
	}
	return false
}

// whole checks what an object would be: required fields, the kind's own rule,
// unique values. self is the object's id, "" for a new one. The lock is held.
func (w *World) whole(k *kind, scope string, self resource.ID, fields resource.Map) error {
	for i := range k.desc.Fields {
		f := &k.desc.Fields[i]
		if f.Required && fields[f.Name] == nil {
			return fault(resource.Invalid, "Missing", "%s needs %s", k.Name, f.Name)
		}
		if f.Unique && fields[f.Name] != nil {
			for _, t := range w.all(scope, k.Name) {
				if t.id != self && !t.now().gone && resource.Equal(t.now().fields[f.Name], fields[f.Name]) {
					return fault(resource.Conflict, "AlreadyExists", "%s.%s is taken by %s", k.Name, f.Name, t.id)
				}
			}
		}
	}
	if k.check != nil {
		if wrong := k.check(fields); wrong != "" {
			return fault(resource.Invalid, "BadValue", "%s: %s", k.Name, wrong)
		}
	}
	return nil
}

// bound checks that what the given fields refer to lives. The lock is held.
func (w *World) bound(k *kind, scope string, fields resource.Map) error {
	for i := range k.desc.Fields {
		f := &k.desc.Fields[i]
		for _, id := range refsOf(f, fields[f.Name]) {
			to := kindOf(id.kind)
			if to == "image" {
				if !w.published(id.id) {
					return fault(resource.NotFound, "NoSuch", "%s.%s: there is no image %s", k.Name, f.Name, id.id)
				}
				continue
			}
			if t := w.find(scope, to, id.id); t == nil || t.pending != "" {
				return fault(resource.NotFound, "NoSuch", "%s.%s: there is no %s %s", k.Name, f.Name, to, id.id)
			}
		}
	}
	return nil
}

// refsOf lists the ids that a field refers to, with their full kinds.
func refsOf(f *resource.Field, v resource.Value) []key {
	var out []key
	switch x := v.(type) {
	case resource.String:
		if f.Ref != "" && x != "" {
			out = append(out, key{f.Ref, resource.ID(x)})
		}
	case resource.List:
		for _, e := range x {
			out = append(out, refsOf(f.Elem, e)...)
		}
	case resource.Map:
		if f.Type == "struct" {
			for i := range f.Fields {
				out = append(out, refsOf(&f.Fields[i], x[f.Fields[i].Name])...)
			}
		}
	}
	return out
}

func kindOf(full string) string { return full[len(Name)+1:] }

// userOf gives something living that refers to t, or nil. The lock is held.
func (w *World) userOf(t *thing) *thing {
	for i := range w.kinds {
		k := &w.kinds[i]
		for _, o := range w.all(t.scope, k.Name) {
			if o != t && !o.now().gone && k.refers(o.now().fields, t.key) {
				return o
			}
		}
	}
	return nil
}

// refers reports whether fields of the kind refer to the object at to.
func (k *kind) refers(fields resource.Map, to key) bool {
	for i := range k.desc.Fields {
		f := &k.desc.Fields[i]
		for _, r := range refsOf(f, fields[f.Name]) {
			if r.id == to.id && kindOf(r.kind) == to.kind {
				return true
			}
		}
	}
	return false
}
