package plan_test

import (
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

const estate = "estate-1"

// kinds are the test provider's: one for each way in which a kind can behave.
func kinds() map[string]plan.Kind {
	str := func(name string) resource.Field { return resource.Field{Name: name, Type: "string"} }
	with := func(f resource.Field, set ...func(*resource.Field)) resource.Field {
		for _, s := range set {
			s(&f)
		}
		return f
	}
	ref := func(kind string) func(*resource.Field) { return func(f *resource.Field) { f.Ref = kind } }
	aspect := func(a string) func(*resource.Field) { return func(f *resource.Field) { f.Aspect = a } }
	immutable := func(f *resource.Field) { f.Immutable = true }
	required := func(f *resource.Field) { f.Required = true }
	unique := func(f *resource.Field) { f.Unique = true }
	list := func(name string, elem resource.Field) resource.Field {
		return resource.Field{Name: name, Type: "list", Elem: &elem}
	}
	mapped := func(name string) resource.Field {
		return resource.Field{Name: name, Type: "map", Elem: &resource.Field{Type: "string"}}
	}
	strukt := func(name string, fs ...resource.Field) resource.Field {
		return resource.Field{Name: name, Type: "struct", Fields: fs}
	}
	rules := func() resource.Field {
		return with(list("rules", strukt("", with(str("peer"), ref("t.group")), resource.Field{Name: "port", Type: "int"})), aspect("rules"))
	}
	outs := func(names ...string) []resource.Out {
		var out []resource.Out
		for _, n := range names {
			out = append(out, resource.Out{Name: n, Volatile: n == "ip"})
		}
		return out
	}
	computed := with(str("arn"), func(f *resource.Field) { f.Computed = true })
	descriptors := []*resource.Descriptor{
		{Kind: "t.net", Outs: outs("arn", "id"), Fields: []resource.Field{
			computed, with(str("cidr"), immutable, required), with(mapped("tags"), aspect("tags")),
			with(str("zone"), func(f *resource.Field) { f.Default = "server" }),
		}},
		{Kind: "t.sub", Outs: outs("arn", "id"), Fields: []resource.Field{
			computed, with(str("net"), immutable, required, ref("t.net")),
			{Name: "size", Type: "int", GrowOnly: true},
			with(mapped("tags"), aspect("tags")), list("zones", str("")),
		}},
		{Kind: "t.group", Outs: outs("id"), Fields: []resource.Field{
			with(list("allow", str("")), aspect("allow"), func(f *resource.Field) { f.Own = "element" }),
			with(str("name"), immutable, required, unique), with(str("net"), immutable, ref("t.net")),
			with(list("out", str("")), aspect("out"), func(f *resource.Field) { f.Default = "server" }), rules(),
		}},
		{Kind: "t.box", Outs: outs("id", "ip", "zone"), Fields: []resource.Field{
			list("groups", with(str(""), ref("t.group"))), with(str("image"), immutable, ref("t.image")),
			with(str("key"), func(f *resource.Field) { f.WriteOnly = true }),
			strukt("opts", str("a"), list("b", str(""))),
			with(list("steps", str("")), func(f *resource.Field) { f.Ordered = true }),
			with(str("sub"), required, ref("t.sub"), func(f *resource.Field) { f.Disruptive = true }),
			with(mapped("tags"), aspect("tags")), with(str("zone"), func(f *resource.Field) { f.Computed = true }),
		}},
		{Kind: "t.disk", Outs: outs("id"), Fields: []resource.Field{
			with(str("box"), aspect("box"), ref("t.box")), {Name: "size", Type: "int", GrowOnly: true}, with(str("zone"), immutable, required),
		}},
		{Kind: "t.rec", Outs: outs("id", "label"), Fields: []resource.Field{
			with(str("label"), immutable, required, unique), with(str("target"), required, ref("t.box")),
		}},
		{Kind: "t.image", Lookup: true, Outs: outs("id", "size"), Fields: []resource.Field{str("name"), list("owners", str(""))}},
		{Kind: "t.base", Outs: outs("id"), Fields: []resource.Field{with(str("net"), immutable, required, ref("t.net")), rules()}},
	}
	out := map[string]plan.Kind{}
	for _, d := range descriptors {
		out[d.Kind] = plan.Kind{Descriptor: d, Schema: "1", Marked: d.Kind != "t.rec" && !d.Lookup, Found: d.Kind == "t.base"}
	}
	return out
}
