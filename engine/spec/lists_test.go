package spec

import (
	"testing"

	"isobar.dev/engine/resource"
)

// One value where a list belongs becomes a list of one, however deep, and
// nothing else changes.
func TestOneStandsForAListOfOne(t *testing.T) {
	t.Parallel()
	texts := resource.Field{Name: "texts", Type: "list", Elem: &resource.Field{Type: "string"}}
	byKey := resource.Field{Name: "byKey", Type: "map", Elem: &resource.Field{Type: "map", Elem: &texts}}
	within := resource.Field{Name: "within", Type: "struct", Fields: []resource.Field{byKey, texts}}
	fields := []resource.Field{texts, within, {Name: "parts", Type: "list", Elem: &within}, {Name: "plain", Type: "string"}}
	ref := resource.Ref{Address: resource.Address{Env: "e", Provider: "p", Kind: "k", Name: "n"}, Out: "id"}
	one, list := resource.String("x"), func(v resource.Value) resource.Value { return resource.List{v} }
	m := resource.Map{
		"texts": ref, "plain": one, "other": one, "gone": nil,
		"parts":  resource.List{resource.Map{"texts": one, "byKey": resource.Map{"k": resource.Map{"l": one}}}},
		"within": resource.Map{"texts": list(one)},
	}
	listed(fields, m)
	want := resource.Map{
		"texts": list(ref), "plain": one, "other": one, "gone": nil,
		"parts":  resource.List{resource.Map{"texts": list(one), "byKey": resource.Map{"k": resource.Map{"l": list(one)}}}},
		"within": resource.Map{"texts": list(one)},
	}
	if !resource.Equal(m, want) {
		t.Errorf("got %s", resource.Encode(m))
	}
}
