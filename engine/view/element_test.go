package view_test

import (
	"encoding/json"
	"strings"
	"testing"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/view"
)

// TestElementsAreNamedByTheirKey: a list is a set, so that a number in it says
// nothing to those who wrote it.
func TestElementsAreNamedByTheirKey(t *testing.T) {
	t.Parallel()
	kinds := resource.Descriptors{"aws.route_table": {Kind: "aws.route_table", Fields: []resource.Field{
		{Name: "routes", Type: "list", Key: []string{"v4", "v6"}, Elem: &resource.Field{Type: "struct", Fields: []resource.Field{
			{Name: "gatewayId", Type: "string"}, {Name: "natGatewayId", Type: "string"}, {Name: "v4", Type: "string"}, {Name: "v6", Type: "string"},
		}}},
	}}}
	route := func(of, to, field, target string) resource.Map {
		return resource.Map{of: resource.String(to), field: resource.String(target)}
	}
	stays := route("v4", "10.9.0.0/16", "gatewayId", "igw-9")
	p := view.Plan{Kinds: kinds, Plan: plan.Plan{Env: "prod", Changes: []plan.Change{{
		Address: resource.Address{Env: "prod", Provider: "aws", Kind: "route_table", Name: "t"}, Action: plan.Update,
		Fields: []plan.FieldChange{{
			Path: resource.Path{"routes"}, Cause: plan.CauseSpec,
			Before: resource.List{route("v4", "0.0.0.0/0", "gatewayId", "igw-1"), stays, route("v6", "::/0", "gatewayId", "igw-1")},
			After:  resource.List{route("v6", "::/0", "gatewayId", "igw-2"), stays, route("v4", "0.0.0.0/0", "natGatewayId", "nat-1"), route("v4", "10.8.0.0/16", "gatewayId", "igw-1")},
		}},
	}}}}
	for name, text := range map[string]string{"text": p.Text(view.Page{}), "markdown": view.Markdown([]*view.Plan{&p}, false)} {
		flat := strings.Join(strings.Fields(text), " ")
		for _, want := range []string{
			`routes + {gatewayId: igw-1, v4: 10.8.0.0/16}`, `routes."0.0.0.0/0".gatewayId - igw-1`,
			`routes."0.0.0.0/0".natGatewayId + nat-1`, `routes.::/0.gatewayId igw-1 → igw-2`,
		} {
			if !strings.Contains(flat, want) {
				t.Errorf("%s has no %q:\n%s", name, want, text)
			}
		}
		if strings.Contains(text, "igw-9") {
			t.Errorf("%s shows a route that stays:\n%s", name, text)
		}
	}
	got, err := json.Marshal(p.Report().Changes[0].Fields[0].Elements)
	want := `[{"key":"0.0.0.0/0","before":{"gatewayId":"igw-1","v4":"0.0.0.0/0"},"after":{"natGatewayId":"nat-1","v4":"0.0.0.0/0"}},` +
		`{"key":"::/0","before":{"gatewayId":"igw-1","v6":"::/0"},"after":{"gatewayId":"igw-2","v6":"::/0"}},` +
		`{"key":"10.8.0.0/16","after":{"gatewayId":"igw-1","v4":"10.8.0.0/16"}}]`
	if err != nil || string(got) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
}
