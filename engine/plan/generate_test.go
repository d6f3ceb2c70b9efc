package plan_test

import (
	"slices"

	"pgregory.net/rapid"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

func addr(kind, name string) resource.Address {
	return resource.Address{Env: "prod", Provider: "t", Kind: kind, Name: name}
}

func refTo(kind, name, out string) resource.Value {
	return resource.Ref{Address: addr(kind, name), Out: out}
}

// spec draws what is wanted: some of a small universe of addresses, whose
// references name only what is there.
type spec struct {
	t    *rapid.T
	have map[string][]string // kind → names
}

func (s *spec) chance(label string, percent int) bool {
	return rapid.IntRange(0, 99).Draw(s.t, label) < percent
}

func (s *spec) pick(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(s.t, label)
}

func drawDesired(t *rapid.T) []resource.Desired {
	s := &spec{t: t, have: map[string][]string{}}
	for _, u := range []struct {
		kind  string
		names []string
		needs string
	}{
		{"net", []string{"a", "b"}, ""},
		{"sub", []string{"a", "b", "c"}, "net"},
		{"group", []string{"a", "b", "c"}, ""},
		{"image", []string{"a", "b"}, ""},
		{"box", []string{"a", "b"}, "sub"},
		{"disk", []string{"a", "b"}, "box"},
		{"rec", []string{"a", "b"}, "box"},
		{"base", []string{"a"}, "net"},
	} {
		for _, n := range u.names {
			if (u.needs == "" || len(s.have[u.needs]) > 0) && s.chance(u.kind+" "+n, 65) {
				s.have[u.kind] = append(s.have[u.kind], n)
			}
		}
	}
	free := map[string][]string{}
	for _, kind := range []string{"group", "rec"} {
		free[kind] = rapid.Permutation([]string{"n1", "n2", "n3"}).Draw(t, "unique names")
	}
	var out []resource.Desired
	for _, kind := range []string{"net", "sub", "group", "image", "box", "disk", "rec", "base"} {
		for i, name := range s.have[kind] {
			d := resource.Desired{Address: addr(kind, name), At: resource.Position{File: "prod.cue", Line: 10 + len(out), Col: 1}}
			unique := ""
			if len(free[kind]) > 0 {
				unique = free[kind][i]
			}
			d.Fields = s.fields(kind, unique)
			d.Meta = s.meta(kind, name)
			d.Where = map[string]resource.Position{}
			for _, f := range d.Fields.Keys() {
				if f != "opts" { // as if its schema gave it
					d.Where[f] = resource.Position{File: "prod.cue", Line: 10 + len(out), Col: 5}
				}
			}
			out = append(out, d)
		}
	}
	return out
}

func (s *spec) fields(kind, unique string) resource.Map {
	m := resource.Map{}
	one := func(k, out string) resource.Value { return refTo(k, s.pick(k, s.have[k]...), out) }
	maybe := func(name string, v func() resource.Value) {
		if s.chance(name, 60) {
			m[name] = v()
		}
	}
	switch kind {
	case "net":
		m["cidr"] = resource.String(s.pick("cidr", "10.0", "10.1"))
		maybe("zone", func() resource.Value { return resource.String(s.pick("zone", "z1", "z2")) })
	case "sub":
		m["net"] = one("net", s.pick("out", "id", "id", "arn"))
		maybe("size", func() resource.Value { return resource.Int(rapid.IntRange(1, 2).Draw(s.t, "size")) })
		maybe("zones", func() resource.Value { return s.set("zone", "x", "y", "z") })
	case "group":
		m["name"] = resource.String(unique)
		if len(s.have["net"]) > 0 {
			maybe("net", func() resource.Value { return one("net", "id") })
		}
		maybe("allow", func() resource.Value { return s.set("allow", "p", "q") })
		maybe("rules", func() resource.Value { return s.rules(one) })
	case "box":
		m["sub"] = one("sub", "id")
		maybe("key", func() resource.Value {
			return resource.Secret{Name: "db", Version: s.pick("version", "1", "2"), MAC: s.pick("mac", "aa", "bb")}
		})
		maybe("steps", func() resource.Value { return s.set("step", "1", "2", "3") })
		maybe("opts", func() resource.Value { return s.opts() })
		if len(s.have["image"]) > 0 {
			maybe("image", func() resource.Value { return one("image", "id") })
		}
		if len(s.have["group"]) > 0 {
			maybe("groups", func() resource.Value {
				return resource.List{one("group", "id")}
			})
		}
	case "image":
		m["name"] = resource.String(s.pick("image name", "old", "new", "new", "old", "none"))
		maybe("owners", func() resource.Value { return s.set("owner", "me", "them") })
	case "disk":
		m["zone"] = resource.String("z1")
		if s.chance("zone of a box", 70) {
			m["zone"] = one("box", "zone")
		}
		maybe("box", func() resource.Value { return one("box", "id") })
		maybe("size", func() resource.Value { return resource.Int(rapid.IntRange(1, 2).Draw(s.t, "size")) })
	case "rec":
		m["label"], m["target"] = resource.String(unique), one("box", s.pick("target", "ip", "id"))
	case "base":
		m["net"] = one("net", "id")
		maybe("rules", func() resource.Value { return s.rules(one) })
	}
	if kind == "net" || kind == "sub" || kind == "box" {
		maybe("tags", func() resource.Value { return s.tags() })
	}
	return m
}

func (s *spec) set(label string, from ...string) resource.Value {
	out := resource.List{}
	for _, e := range rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, len(from), rapid.ID[string]).Draw(s.t, label) {
		out = append(out, resource.String(e))
	}
	return out
}

func (s *spec) tags() resource.Value {
	out := resource.Map{}
	for _, k := range []string{"Name", "a.b"} {
		if s.chance("tag "+k, 60) {
			out[k] = resource.String(s.pick("tag", "u", "v"))
		}
	}
	return out
}

func (s *spec) opts() resource.Value {
	out := resource.Map{"a": resource.String(s.pick("a", "1", "2"))}
	if s.chance("b", 50) {
		out["b"] = s.set("b", "x", "y")
	}
	return out
}

func (s *spec) rules(one func(k, out string) resource.Value) resource.Value {
	out := resource.List{}
	for i := range rapid.IntRange(0, 2).Draw(s.t, "rules") {
		r := resource.Map{"port": resource.Int(80 + i)}
		if len(s.have["group"]) > 0 {
			r["peer"] = one("group", "id")
		}
		out = append(out, r)
	}
	return out
}

func (s *spec) meta(kind, name string) resource.Lifecycle {
	var m resource.Lifecycle
	m.CreateBeforeDestroy = s.chance("createBeforeDestroy", 20)
	m.DestroyBeforeCreate = !m.CreateBeforeDestroy && s.chance("destroyBeforeCreate", 20)
	m.PreventDestroy = s.chance("preventDestroy", 4)
	if s.chance("ignoreChanges", 10) {
		m.IgnoreChanges = []resource.Path{{"tags"}, {"steps"}}
	}
	if from := s.pick("movedFrom", "a", "b", "c"); from != name && s.chance("moved", 10) {
		a := addr(kind, from)
		m.MovedFrom = &a
	}
	return m
}

// disturb changes the world outside isobar's knowledge.
func disturb(t *rapid.T, w *world) {
	s := &spec{t: t}
	for _, name := range []string{"old", "new"} {
		if s.chance("a newer image "+name, 30) {
			w.images[name]++
		}
	}
	w.anew = s.chance("looked up anew", 30)
	for _, id := range w.ids() {
		o := w.objects[id]
		if o == nil || !s.chance("disturb "+string(id), 20) {
			continue
		}
		kind := o.kind
		switch what := rapid.IntRange(0, 5).Draw(t, "how"); {
		case what == 0 && kind != "t.base":
			_ = w.delete(id) // refused where something refers to it
		case what == 1 && o.fields["size"] != nil:
			o.fields["size"] = resource.Int(rapid.IntRange(1, 3).Draw(t, "size"))
		case what == 2 && kind == "t.group":
			l, _ := o.fields["allow"].(resource.List)
			o.fields["allow"] = append(slices.Clone(l), resource.String("foreign"))
		case what == 3 && kind == "t.box":
			o.fields["steps"], o.fields["opts"] = s.set("step", "1", "2", "3"), s.opts()
		case what == 4 && (kind == "t.group" || kind == "t.base"):
			peers := slices.DeleteFunc(w.ids(), func(p resource.ID) bool { return w.objects[p].kind != "t.group" })
			o.fields["rules"] = resource.List{}
			if _, ours := w.appliedOf(id)["rules"]; ours && len(peers) > 0 {
				o.fields["rules"] = resource.List{resource.Map{"port": resource.Int(22), "peer": resource.String(rapid.SampledFrom(peers).Draw(t, "peer"))}}
			}
		case w.kinds[kind].Field("tags") != nil:
			m, _ := s.tags().(resource.Map)
			m["foreign"] = resource.String("x")
			o.fields["tags"] = m
		}
	}
}

func (w *world) appliedOf(id resource.ID) resource.Map {
	for _, e := range w.state.Entries {
		if e.Record.ID == id {
			return e.Record.Applied
		}
	}
	return nil
}

// order draws which of the ready steps goes next.
func order(t *rapid.T) func(int) int {
	return func(n int) int {
		if n == 1 {
			return 0
		}
		return rapid.IntRange(0, n-1).Draw(t, "next")
	}
}

// settled draws a world that some runs, whole or broken off, and some
// disturbance have left behind.
func settled(t *rapid.T, rounds int) *world {
	w := newWorld()
	for range rounds {
		p := plan.Build(w.input(drawDesired(t)))
		if err := w.correct(p); err != nil {
			t.Fatal(err)
		}
		limit := len(p.Steps)
		if rapid.IntRange(0, 3).Draw(t, "broken off") == 0 {
			limit = rapid.IntRange(0, len(p.Steps)).Draw(t, "after")
		}
		if err := w.execute(p, limit, order(t)); err != nil {
			t.Fatalf("%v\n%s", err, brief(p))
		}
		disturb(t, w)
		lose(t, w)
	}
	return w
}

// lose makes the ledger older than the cloud, or copies an object with a mark.
func lose(t *rapid.T, w *world) {
	for _, e := range w.state.Sorted() {
		if k := w.kinds[e.Address.Type()]; e.Made && (k.Marked || k.Lookup) && rapid.IntRange(0, 24).Draw(t, "forget "+e.Address.Local()) == 0 {
			if err := w.forget(e.Token); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, token := range endedOf(w).Keys() {
		if rapid.IntRange(0, 9).Draw(t, "copy") == 0 {
			id := w.put("t.net", resource.Map{"cidr": resource.String("10.0")})
			w.objects[id].mark = resource.Mark{Estate: estate, Env: "prod", Address: addr("net", "copy"), Token: token}
		}
	}
}

func endedOf(w *world) resource.Map {
	out := resource.Map{}
	for token := range w.state.Ended {
		out[token] = resource.Null{}
	}
	return out
}
