package policy

import (
	"isobar.dev/engine/resource"
)

// inputSchema is a JSON schema of the documents that NewDocument makes, by which
// Open Policy Agent's type checker finds fields that none of them has. It says
// which names there are and what is a list, and leaves open what a value is.
// Without kinds the fields of objects are left open too.
func inputSchema(kinds resource.Descriptors) any {
	values, after, types := openSchema(), openSchema(), openSchema()
	if len(kinds) > 0 {
		values, after, types = anyKind(kinds, true), anyKind(kinds, false), kindsSchema(kinds)
	}
	about := fieldsSchema("address", "kind", "file", "line", "part")
	inventory := listSchema(resourceSchema(map[string]any{"values": values, "isobar": about}))
	return objectSchema(map[string]any{
		"format_version": openSchema(),
		"resource_changes": listSchema(resourceSchema(map[string]any{
			"change": objectSchema(map[string]any{
				"actions": listSchema(openSchema()), "before": after, "after": after, "after_unknown": openSchema(),
				"before_sensitive": openSchema(), "after_sensitive": openSchema(), "replace_paths": listSchema(openSchema()),
				"importing": fieldsSchema("id"),
			}),
			"isobar": fieldsSchema("action", "address", "kind", "disruptive", "deposed", "file", "line", "part"),
		})),
		"resource_drift": listSchema(resourceSchema(map[string]any{
			"change": fieldsSchema("actions", "before", "after", "before_sensitive", "after_sensitive"), "isobar": about,
		})),
		// rules that look through Terraform's modules as well stand on the root alone
		"planned_values": objectSchema(map[string]any{"root_module": objectSchema(map[string]any{
			"resources": listSchema(resourceSchema(map[string]any{"values": after})), "child_modules": openSchema(),
		})}),
		"isobar": objectSchema(map[string]any{
			"environment": openSchema(), "commit": openSchema(), "actor": openSchema(), "trigger": openSchema(), "mode": openSchema(),
			"digest": openSchema(), "spec": inventory, "live": inventory, "kinds": types,
			"held": listSchema(fieldsSchema("address", "action", "why")),
		}),
	})
}

// resourceSchema is what Terraform says of every resource, and more.
func resourceSchema(more map[string]any) any {
	for _, name := range []string{"address", "type", "name", "mode", "provider_name"} {
		more[name] = openSchema()
	}
	return objectSchema(more)
}

// anyKind is an object of any kind: one of their shapes, so that a field that no
// kind has is none. whole leaves the parts of objects in them, as the inventories
// do.
func anyKind(kinds resource.Descriptors, whole bool) any {
	var out []any
	for _, k := range kinds {
		if k.Lookup {
			continue
		}
		out = append(out, objectSchema(kindSchema(k, whole)))
		if whole {
			continue
		}
		for _, f := range partsOf(k) {
			part := map[string]any{"policy_document": openSchema()}
			for _, name := range partNames(f) {
				part[name] = openSchema()
			}
			out = append(out, objectSchema(part))
		}
	}
	return map[string]any{"anyOf": out}
}

// kindSchema are an object's fields with Terraform's names and structure, as
// Document.fields gives them, and its outputs.
func kindSchema(k *resource.Descriptor, whole bool) map[string]any {
	out := map[string]any{"id": openSchema()}
	for i := range k.Outs {
		out[snake(k.Outs[i].Name)] = openSchema()
	}
	for i := range k.Fields {
		f := &k.Fields[i]
		if f.TFType != "" && !whole {
			continue
		}
		s := fieldSchema(f)
		if f.Type == "struct" && k.TF != "" && k.TF != "aws_security_group" {
			s = listSchema(s)
		}
		out[tfName(f)] = s
		if f.Name == "tags" {
			out["tags_all"] = openSchema()
		}
	}
	return out
}

// fieldSchema is a field's structure as Document.convert leaves it.
func fieldSchema(f *resource.Field) any {
	switch {
	case f.Type == "list" && f.Elem != nil:
		s := fieldSchema(f.Elem)
		if len(f.Elem.Fields) > 0 {
			props := structSchema(f.Elem)
			props["self"] = openSchema() // see ruleShape
			s = objectSchema(props)
		}
		return listSchema(s)
	case f.Type == "struct" && len(f.Fields) > 0:
		return objectSchema(structSchema(f))
	}
	return openSchema()
}

func structSchema(f *resource.Field) map[string]any {
	out := map[string]any{}
	for i := range f.Fields {
		out[tfName(&f.Fields[i])] = fieldSchema(&f.Fields[i])
	}
	return out
}

// kindsSchema is the table of Document.kindTable.
func kindsSchema(kinds resource.Descriptors) any {
	out := map[string]any{}
	for _, name := range knownTypes(kinds) {
		out[name] = fieldsSchema("kind", "fields")
	}
	return objectSchema(out)
}

// knownTypes are the types under which rules know kinds and their parts.
func knownTypes(kinds resource.Descriptors) []string {
	var out []string
	for name, k := range kinds {
		out = append(out, Type(k, name))
		for _, f := range partsOf(k) {
			out = append(out, f.TFType)
		}
	}
	return out
}

func openSchema() any { return map[string]any{} }

func listSchema(of any) any { return map[string]any{"type": "array", "items": of} }

func objectSchema(fields map[string]any) any {
	return map[string]any{"type": "object", "properties": fields}
}

func fieldsSchema(names ...string) any {
	out := map[string]any{}
	for _, n := range names {
		out[n] = openSchema()
	}
	return objectSchema(out)
}
