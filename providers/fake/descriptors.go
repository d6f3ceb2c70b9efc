package fake

import "isobar.dev/engine/resource"

func networkDescriptor() *resource.Descriptor {
	return &resource.Descriptor{
		Kind: "fake.network", Doc: "A network, which others refer to.",
		Fields: []resource.Field{
			{Name: "cidr", Type: "string", Required: true, Immutable: true},
			{Name: "gateway", Type: "string", Computed: true},
			{Name: "label", Type: "string"},
			{Name: "serial", Type: "int", Computed: true, Volatile: true},
			{Name: "tags", Type: "map", Elem: &resource.Field{Type: "string"}},
		},
		Outs: []resource.Out{{Name: "gateway"}, {Name: "id"}, {Name: "serial", Volatile: true}},
	}
}

func diskDescriptor() *resource.Descriptor {
	return &resource.Descriptor{
		Kind: "fake.disk", Doc: "A disk; it may stand on its own.",
		Fields: []resource.Field{
			{Name: "kind", Type: "string", Immutable: true, Default: "server"},
			{Name: "networkId", Type: "string", Ref: "fake.network"},
			{Name: "passphrase", Type: "string", Sensitive: true, Secret: true},
			{Name: "policy", Type: "map", Elem: &resource.Field{Type: "string"}, Aspect: "policy"},
			{Name: "size", Type: "int", Required: true, GrowOnly: true},
		},
		Outs: []resource.Out{{Name: "id"}},
	}
}

func machineDescriptor() *resource.Descriptor {
	return &resource.Descriptor{
		Kind: "fake.machine", Doc: "A machine, which takes its time to come up.",
		Fields: []resource.Field{
			{Name: "cpus", Type: "int", Required: true, Disruptive: true},
			{Name: "diskIds", Type: "list", Aspect: "disks", Elem: &resource.Field{Type: "string", Ref: "fake.disk"}},
			{Name: "hostname", Type: "string", Required: true, Immutable: true, Unique: true},
			{Name: "imageId", Type: "string", Immutable: true, Ref: "fake.image"},
			{Name: "networkId", Type: "string", Required: true, Immutable: true, Ref: "fake.network"},
			{Name: "password", Type: "string", Sensitive: true, WriteOnly: true, Secret: true},
			{Name: "state", Type: "string", DefaultsTo: &resource.Constant{Value: resource.String("running")}},
		},
		Outs: []resource.Out{{Name: "id"}},
	}
}

func imageDescriptor() *resource.Descriptor {
	return &resource.Descriptor{
		Kind: "fake.image", Lookup: true, Doc: "An image that somebody published, which is looked up.",
		Fields: []resource.Field{
			{Name: "channel", Type: "string"},
			{Name: "name", Type: "string", Required: true},
		},
		Outs: []resource.Out{{Name: "id"}, {Name: "version"}},
	}
}

func groupDescriptor() *resource.Descriptor {
	return &resource.Descriptor{
		Kind: "fake.group", Doc: "A group with rules, which may name other groups.",
		Fields: []resource.Field{
			{Name: "networkId", Type: "string", Required: true, Immutable: true, Ref: "fake.network"},
			{Name: "notes", Type: "string", Default: "server"},
			{Name: "rules", Type: "list", Aspect: "rules", Elem: &resource.Field{Type: "struct", Fields: []resource.Field{
				{Name: "peer", Type: "string", Ref: "fake.group"},
				{Name: "port", Type: "int", Required: true},
			}}},
		},
		Outs: []resource.Out{{Name: "id"}},
	}
}

func recordDescriptor() *resource.Descriptor {
	return &resource.Descriptor{
		Kind: "fake.record", Doc: "A named list of values, which carries no mark.",
		Fields: []resource.Field{
			{Name: "name", Type: "string", Required: true, Immutable: true, Unique: true},
			{Name: "values", Type: "list", Ordered: true, Elem: &resource.Field{Type: "string"}},
		},
		Outs: []resource.Out{{Name: "id"}},
	}
}

// filled copies fields and adds the server's and the schema's defaults.
func (k *kind) filled(fields resource.Map) resource.Map {
	out := resource.Map{}
	for name, v := range fields {
		out[name] = v
	}
	for i := range k.desc.Fields {
		f := &k.desc.Fields[i]
		if out[f.Name] != nil {
			continue
		}
		if v := k.defaultOf(f); v != nil {
			out[f.Name] = v
		}
	}
	if k.fill != nil {
		k.fill(out, 1)
	}
	return out
}

// defaultOf is what the field holds when nobody sets it; nil is nothing.
func (k *kind) defaultOf(f *resource.Field) resource.Value {
	switch {
	case f.DefaultsTo != nil:
		return f.DefaultsTo.Value
	case k.Name == "disk" && f.Name == "kind":
		return resource.String("ssd")
	case k.Name == "group" && f.Name == "notes":
		return resource.String("none")
	}
	return nil
}
