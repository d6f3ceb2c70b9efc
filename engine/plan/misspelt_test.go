package plan_test

import (
	"strings"
	"testing"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// An address block that a reference makes is told where it is written, and not by the
// provider once half of the plan is done.
func TestABlockThatAReferenceMisspellsIsHeld(t *testing.T) {
	t.Parallel()
	kinds := kinds()
	kinds["t.route"] = plan.Kind{Descriptor: &resource.Descriptor{Kind: "t.route", Fields: []resource.Field{
		{Name: "routes", Type: "list", Elem: &resource.Field{Type: "struct", Fields: []resource.Field{{Name: "to", Type: "string", CIDR: true}}}},
	}}}
	box, route := parseLocal(t, "t.box/b"), parseLocal(t, "t.route/r")
	key := ledger.Key{Address: box, Token: "0194a000-0000-7000-8000-000000000001"}
	for ip, want := range map[string]string{"10.0.0.5": "10.0.0.5/24 is kept as 10.0.0.0/24", "10.0.0.0": ""} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel()
			made := ledger.Record{ID: "box-1", Schema: "1", Outs: resource.Map{"id": resource.String("box-1"), "ip": resource.String(ip)}}
			state, err := ledger.Fold([]ledger.Event{{Address: box, Token: key.Token, Type: ledger.Adopted, Record: &made}})
			if err != nil {
				t.Fatal(err)
			}
			to := resource.Template{resource.Ref{Address: box, Out: "ip"}, resource.String("/24")}
			p := plan.Build(plan.Input{
				Env: "prod", Estate: estate, Kinds: kinds, Ledger: state,
				Desired: []resource.Desired{{Address: box}, {
					Address: route, Fields: resource.Map{"routes": resource.List{resource.Map{"to": to}}},
					Where: map[string]resource.Position{"routes.0.to": {File: "prod.cue", Line: 7, Col: 3}},
				}},
				Live: map[ledger.Key]plan.Reading{key: {Seen: plan.Present, Object: resource.Object{
					Address: box, ID: "box-1", Fields: resource.Map{"ip": resource.String(ip)}, Mark: resource.Mark{Estate: estate, Env: "prod", Address: box, Token: key.Token},
				}}},
			})
			held := ""
			for _, h := range p.Held {
				held += string(h.Why) + " " + h.Address.Local() + " " + h.Text + " | " + h.Mend
			}
			if (held == "") != (want == "") || !strings.Contains(held, want) || want != "" && !strings.Contains(held, "at prod.cue:7:3 write") {
				t.Errorf("held %q", held)
			}
		})
	}
}
