package plan

import (
	"testing"

	"isobar.dev/engine/resource"
)

// TestSameSpelled compares texts that have two spellings, alone, within a set and
// within structs of a set.
func TestSameSpelled(t *testing.T) {
	t.Parallel()
	var alike resource.Alike
	if err := alike.UnmarshalText([]byte("^arn:aws[a-z-]*:iam::([0-9]{12}):root$")); err != nil {
		t.Fatal(err)
	}
	text := resource.Field{Name: "owner", Type: "string", Alike: &alike}
	set := resource.Field{Name: "owners", Type: "list", Alike: &alike, Elem: &resource.Field{Type: "string", Alike: &alike}}
	deep := resource.Field{Name: "statements", Type: "list", Elem: &resource.Field{Type: "struct", Fields: []resource.Field{set}}}
	const short, long, other = "123456789012", "arn:aws-cn:iam::123456789012:root", "210987654321"
	list := func(texts ...string) resource.List {
		out := resource.List{}
		for _, s := range texts {
			out = append(out, resource.String(s))
		}
		return out
	}
	in := func(l resource.List) resource.List { return resource.List{resource.Map{"owners": l}} }
	for name, c := range map[string]struct {
		f    *resource.Field
		a, b resource.Value
		want bool
	}{
		"alone":           {&text, resource.String(short), resource.String(long), true},
		"another":         {&text, resource.String(other), resource.String(long), false},
		"a role":          {&text, resource.String(short), resource.String("arn:aws:iam::123456789012:role/root"), false},
		"a set":           {&set, list(other, short), list(long, other), true},
		"both in a set":   {&set, list(long, short), list(long), true},
		"a larger set":    {&set, list(other, short), list(long), false},
		"deep":            {&deep, in(list(short)), in(list(long)), true},
		"deep, another":   {&deep, in(list(short)), in(list(other)), false},
		"no such field":   {nil, resource.String(short), resource.String(long), false},
		"plain text":      {&resource.Field{Type: "string"}, resource.String(short), resource.String(long), false},
		"nothing, a text": {&text, nil, resource.String(long), false},
	} {
		if got := Same(c.f, c.a, c.b); got != c.want {
			t.Errorf("%s: %s and %s: %v", name, resource.Encode(c.a), resource.Encode(c.b), got)
		}
	}
}
