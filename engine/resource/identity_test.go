package resource_test

import (
	"testing"

	"isobar.dev/engine/resource"
)

// disks is a field whose elements the provider tells apart.
func disks() *resource.Field {
	return &resource.Field{Name: "disks", Type: "map", Data: true, Elem: &resource.Field{Type: "struct", Fields: []resource.Field{
		{Name: "size", Type: "int"}, {Name: "uuid", Type: "string", Computed: true, Identity: true},
	}}}
}

func oneOf(id string) resource.Map {
	out := resource.Map{"size": resource.Int(1)}
	if id != "" {
		out["uuid"] = resource.String(id)
	}
	return out
}

// TestExchanged: only where both tell is one known to be another.
func TestExchanged(t *testing.T) {
	unread := oneOf("")
	unread["uuid"] = resource.Unread{Why: "hidden"}
	for what, c := range map[string]struct {
		applied, live resource.Value
		want          bool
	}{
		"another":       {oneOf("a"), oneOf("b"), true},
		"the same":      {oneOf("a"), oneOf("a"), false},
		"not known yet": {oneOf(""), oneOf("b"), false},
		"not told":      {oneOf("a"), oneOf(""), false},
		"not read":      {oneOf("a"), unread, false},
		"gone":          {oneOf("a"), nil, false},
		"new":           {nil, oneOf("b"), false},
	} {
		if got := disks().Exchanged(c.applied, c.live); got != c.want {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
	}
}

// TestIdentified: what is known stays, what is not is learned from what is live, and
// what is not there tells nothing.
func TestIdentified(t *testing.T) {
	d := &resource.Descriptor{Fields: []resource.Field{*disks(), {Name: "name", Type: "string"}}}
	fields := resource.Map{"name": resource.String("n"), "disks": resource.Map{"0": oneOf(""), "1": oneOf(""), "2": oneOf("")}}
	before := resource.Encode(fields)
	got := d.Identified(fields,
		resource.Map{"disks": resource.Map{"1": oneOf("b"), "2": oneOf("c")}},
		resource.Map{"disks": resource.Map{"0": oneOf("a"), "1": oneOf("x"), "9": oneOf("z")}})
	want := resource.Map{"name": resource.String("n"), "disks": resource.Map{"0": oneOf("a"), "1": oneOf("b"), "2": oneOf("")}}
	if !resource.Equal(got, want) {
		t.Errorf("%s, want %s", resource.Encode(got), resource.Encode(want))
	}
	if after := resource.Encode(fields); string(after) != string(before) {
		t.Errorf("the fields themselves became %s", after)
	}
}
