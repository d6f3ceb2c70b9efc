package plan_test

import (
	"strings"
	"testing"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// TestNamesThatGoRound: two objects that are to swap their names wait for each other,
// and are told the way out, which is not that of references.
func TestNamesThatGoRound(t *testing.T) {
	t.Parallel()
	in := plan.Input{Env: "prod", Estate: estate, Ledger: &ledger.State{}, Kinds: kinds(), Live: map[ledger.Key]plan.Reading{}}
	in.Kinds["t.dir"] = plan.Kind{Schema: "1", Marked: true, Descriptor: &resource.Descriptor{Kind: "t.dir", Fields: []resource.Field{
		{Name: "name", Type: "string", Unique: true},
	}}}
	for name, to := range map[string]string{"a": "b", "b": "a"} {
		a := addr("dir", name)
		is := resource.Map{"name": resource.String(name)}
		in.Desired = append(in.Desired, resource.Desired{Address: a, Fields: resource.Map{"name": resource.String(to)}, Where: map[string]resource.Position{"name": {Line: 1}}})
		id := resource.ID("dir-" + name)
		if err := in.Ledger.Apply(ledger.Event{Address: a, Token: name, Type: ledger.Adopted, Record: &ledger.Record{ID: id, Schema: "1", Applied: is}}); err != nil {
			t.Fatal(err)
		}
		in.Live[ledger.Key{Address: a, Token: name}] = plan.Reading{Seen: plan.Present, Object: resource.Object{
			ID: id, Fields: is, Mark: resource.Mark{Estate: estate, Env: "prod", Address: a, Token: name},
		}}
	}
	p := plan.Build(in)
	if len(p.Held) != 2 || len(p.Steps) > 0 {
		t.Fatal(brief(p))
	}
	for _, h := range p.Held {
		if h.Why != plan.HeldCycle || !strings.HasPrefix(h.Mend, "give one of them another name first") {
			t.Errorf("%s: %s; %s", h.Address.Local(), h.Why, h.Mend)
		}
	}
}
