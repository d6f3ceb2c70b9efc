package plan_test

import (
	"testing"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// TestOwnElementsLeaveOthersAlone plans for a list of which only our own
// elements are ours.
func TestOwnElementsLeaveOthersAlone(t *testing.T) {
	t.Parallel()
	text := func(ss ...string) resource.List {
		out := resource.List{}
		for _, s := range ss {
			out = append(out, resource.String(s))
		}
		return out
	}
	toGroup := refTo("group", "a", "id")
	for name, c := range map[string]struct {
		applied, live, want, after resource.List
		renamed                    bool // the group that want refers to is replaced
		cause                      plan.Cause
		conflict                   bool
	}{
		"as wanted":                {applied: text("p"), live: text("theirs", "p"), want: text("p")},
		"one of ours is gone":      {applied: text("p"), live: text("theirs"), want: text("p"), after: text("theirs", "p"), cause: plan.CauseDrift},
		"another is wanted":        {applied: text("p"), live: text("theirs", "p"), want: text("q"), after: text("theirs", "q"), cause: plan.CauseSpec},
		"both":                     {applied: text("p", "r"), live: text("theirs", "r"), want: text("q", "p"), after: text("theirs", "q", "p"), cause: plan.CauseSpec, conflict: true},
		"one is known later":       {applied: text("group-1"), live: text("theirs", "group-1"), want: resource.List{toGroup}, after: append(text("theirs"), toGroup), renamed: true, cause: plan.CauseDependency},
		"theirs alone is no drift": {applied: text(), live: text("theirs"), want: text()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := plan.Input{Env: "prod", Estate: estate, Ledger: &ledger.State{}, Kinds: kinds(), Live: map[ledger.Key]plan.Reading{}}
			own := &resource.Field{Type: "string", Ref: "t.group"}
			in.Kinds["t.list"] = plan.Kind{Schema: "1", Marked: true, Descriptor: &resource.Descriptor{Kind: "t.list", Fields: []resource.Field{
				{Name: "members", Type: "list", Own: "element", Elem: own},
			}}}
			add := func(a resource.Address, token string, want, applied, live resource.Map) {
				in.Desired = append(in.Desired, resource.Desired{Address: a, Fields: want, Where: map[string]resource.Position{"members": {Line: 1}, "name": {Line: 2}}})
				rec := &ledger.Record{ID: resource.ID(a.Kind + "-" + token), Schema: "1", Applied: applied, Outs: resource.Map{"id": resource.String(a.Kind + "-" + token)}}
				if a.Kind == "list" && c.renamed {
					rec.Deps = []ledger.Dep{{Address: addr("group", "a"), Token: "1"}}
				}
				if err := in.Ledger.Apply(ledger.Event{Address: a, Token: token, Type: ledger.Adopted, Record: rec}); err != nil {
					t.Fatal(err)
				}
				in.Live[ledger.Key{Address: a, Token: token}] = plan.Reading{Seen: plan.Present, Object: resource.Object{
					ID: rec.ID, Fields: live, Mark: resource.Mark{Estate: estate, Env: "prod", Address: a, Token: token},
				}}
			}
			named := resource.Map{"name": resource.String("n1")}
			wanted := named
			if c.renamed {
				wanted = resource.Map{"name": resource.String("n2")}
			}
			add(addr("group", "a"), "1", wanted, named, named)
			add(addr("list", "a"), "2", resource.Map{"members": c.want}, resource.Map{"members": c.applied}, resource.Map{"members": c.live})
			p := plan.Build(in)
			var got *plan.Step
			for i := range p.Steps {
				if p.Steps[i].ID == "update t.list/a" {
					got = &p.Steps[i]
				}
			}
			if c.after == nil {
				if got != nil {
					t.Fatal(brief(p))
				}
				return
			}
			if got == nil || !resource.Equal(got.Changes[0].After, c.after) || !resource.Equal(got.Changes[0].Before, c.live) {
				t.Fatalf("want %s\n%s", resource.Encode(c.after), brief(p))
			}
			for _, ch := range p.Changes {
				if ch.Address.Kind == "list" && (ch.Fields[0].Cause != c.cause || ch.Fields[0].Conflict != c.conflict) {
					t.Errorf("cause %s, conflict %v", ch.Fields[0].Cause, ch.Fields[0].Conflict)
				}
			}
		})
	}
}
