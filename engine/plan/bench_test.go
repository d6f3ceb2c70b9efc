package plan_test

import (
	"fmt"
	"maps"
	"testing"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// estateOf makes an input of n objects that refer to each other (a twentieth
// nets, a fifth subnets and groups each, the rest boxes), all as wanted.
func estateOf(tb testing.TB, n int) plan.Input {
	tb.Helper()
	in := plan.Input{Env: "prod", Estate: estate, Ledger: &ledger.State{}, Kinds: kinds(), Live: map[ledger.Key]plan.Reading{}}
	outs := map[resource.Address]resource.Map{}
	add := func(kind string, i int, fields resource.Map) {
		d := resource.Desired{Address: addr(kind, fmt.Sprintf("x%d", i)), Fields: fields, At: resource.Position{File: "prod.cue", Line: i + 1}}
		d.Where = make(map[string]resource.Position, len(fields))
		for name := range fields {
			d.Where[name] = d.At
		}
		in.Desired = append(in.Desired, d)
		key := ledger.Key{Address: d.Address, Token: fmt.Sprintf("token-%s-%d", kind, i)}
		rec := &ledger.Record{ID: resource.ID(fmt.Sprintf("%s-%d", kind, i)), Schema: "1"}
		k := in.Kinds[d.Address.Type()]
		applied, _ := resource.Rewrite(fields, func(v resource.Value) resource.Value {
			if r, ok := v.(resource.Ref); ok {
				return outs[r.Address][r.Out]
			}
			return v
		}).(resource.Map)
		rec.Applied = applied
		for _, name := range fields.Keys() {
			for _, r := range resource.Refs(fields[name]) {
				rec.Deps = append(rec.Deps, ledger.Dep{Address: r.Address, Token: "token-" + r.Address.Kind + "-" + r.Address.Name[1:], Aspect: k.Field(name).Aspect})
			}
		}
		live := maps.Clone(applied)
		for _, o := range k.Outs {
			if o.Name != "id" {
				live[o.Name] = resource.String(o.Name + " of " + string(rec.ID))
			}
		}
		o := resource.Object{Address: d.Address, ID: rec.ID, Fields: live, Mark: resource.Mark{Estate: estate, Env: "prod", Address: d.Address, Token: key.Token}}
		rec.Outs = k.Outputs(o)
		outs[d.Address] = rec.Outs
		if err := in.Ledger.Apply(ledger.Event{Address: d.Address, Token: key.Token, Type: ledger.Adopted, Record: rec}); err != nil {
			tb.Fatal(err)
		}
		in.Live[key] = plan.Reading{Seen: plan.Present, Object: o}
	}
	text := func(format string, i int) resource.Value { return resource.String(fmt.Sprintf(format, i)) }
	tags := func(i int) resource.Value {
		return resource.Map{"Name": text("object %d", i), "Owner": resource.String("team-a"), "Cost": text("c%d", i%7)}
	}
	nets, subs := max(n/20, 1), max(n/5, 1)
	for i := range nets {
		add("net", i, resource.Map{"cidr": text("10.%d", i), "tags": tags(i)})
	}
	for i := range subs {
		add("sub", i, resource.Map{"net": refTo("net", fmt.Sprintf("x%d", i%nets), "id"), "size": resource.Int(3), "tags": tags(i), "zones": resource.List{text("z%d", i%3)}})
	}
	for i := range subs {
		rules := resource.List{}
		for j := range 4 {
			rules = append(rules, resource.Map{"port": resource.Int(80 + j), "peer": refTo("group", fmt.Sprintf("x%d", i/2), "id")})
		}
		if i == 0 {
			rules = resource.List{}
		}
		add("group", i, resource.Map{"name": text("g%d", i), "net": refTo("net", fmt.Sprintf("x%d", i%nets), "id"), "rules": rules})
	}
	for i := range n - nets - 2*subs {
		add("box", i, resource.Map{
			"sub": refTo("sub", fmt.Sprintf("x%d", i%subs), "id"), "groups": resource.List{refTo("group", fmt.Sprintf("x%d", i%subs), "id")},
			"opts": resource.Map{"a": resource.String("1"), "b": resource.List{}}, "steps": resource.List{resource.String("1"), resource.String("2")}, "tags": tags(i),
		})
	}
	return in
}

// drifted changes the tags of every hundredth live object.
func drifted(in plan.Input) plan.Input {
	live := maps.Clone(in.Live)
	n := 0
	for _, d := range in.Desired {
		if d.Fields["tags"] == nil {
			continue
		}
		if n++; n%100 != 0 {
			continue
		}
		key := in.Ledger.Current(d.Address).Key
		r := live[key]
		r.Object.Fields = maps.Clone(r.Object.Fields)
		r.Object.Fields["tags"] = resource.Map{"Name": resource.String("by hand")}
		live[key] = r
	}
	in.Live = live
	return in
}

func fresh(in plan.Input) plan.Input {
	in.Ledger, in.Live = &ledger.State{}, nil
	return in
}

func gone(in plan.Input) plan.Input {
	in.Desired = nil
	return in
}

func TestEstates(t *testing.T) {
	t.Parallel()
	in := estateOf(t, 400)
	for name, c := range map[string]struct {
		in                     plan.Input
		steps, changes, ledger int
	}{
		"as wanted":  {in, 0, 0, 0},
		"drifted":    {drifted(in), 3, 3, 0},
		"all to do":  {fresh(in), 400 + 20 + 80 + 79 + 220, 400, 0}, // and tags and rules, but for the one without
		"all to go":  {gone(in), 400, 400, 0},
		"spec lost":  {func() plan.Input { g := gone(in); g.Lost = true; return g }(), 0, 0, 0},
		"unreadable": {func() plan.Input { g := in; g.Live = nil; return g }(), 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan.Build(c.in)
			if len(p.Steps) != c.steps || len(p.Changes) != c.changes || len(p.Ledger) != c.ledger {
				t.Errorf("%d steps, %d changes, %d corrections", len(p.Steps), len(p.Changes), len(p.Ledger))
			}
		})
	}
}

// BenchmarkBuild10k plans for 10,000 objects. Aims: 300 ms and 100 MB allocated.
func BenchmarkBuild10k(b *testing.B) {
	in := estateOf(b, 10_000)
	for _, c := range []struct {
		name string
		in   plan.Input
	}{{"noop", in}, {"drift1pc", drifted(in)}, {"create", fresh(in)}, {"delete", gone(in)}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				plan.Build(c.in)
			}
		})
	}
}
