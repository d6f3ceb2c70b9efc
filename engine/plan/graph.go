package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// graph is the steps and what each needs.
type graph struct {
	steps map[string]*node
	b     *builder
}

type node struct {
	Step
	it    *item
	needs map[string]need
}

// need is one edge. A breakable one is between deletions and can be served by
// clearing the aspect that holds the reference.
type need struct {
	breakable bool
	by        *item // whose aspect
	aspect    string
	of        *item  // what it refers to
	named     string // the unique field whose value is waited for; "" for none
}

func (it *item) createID() string {
	if it.creates == "" {
		it.creates = "create " + it.addr.Local()
		if it.kind.Lookup {
			it.creates = "pin " + it.addr.Local()
		}
	}
	return it.creates
}

func (it *item) updateID(aspect string) string {
	return strings.TrimSuffix("update "+it.addr.Local()+" "+aspect, " ")
}

func (it *item) deleteID() string {
	verb := "delete "
	switch {
	case it.kind.Lookup:
		verb = "forget "
	case it.releases():
		verb = "release "
	}
	if it.entry.Role == ledger.Deposed {
		return verb + it.addr.Local() + " " + it.entry.Token
	}
	return verb + it.addr.Local()
}

// steps makes the graph of all items, held ones too: what follows from them is
// found through it.
func (b *builder) steps() *graph {
	g := &graph{steps: make(map[string]*node, 2*b.acting()), b: b}
	for _, it := range b.items {
		g.add(it)
	}
	for _, it := range b.items {
		if it.want != nil {
			g.linkMaking(it)
		}
		if it.goes() {
			g.linkGoing(it)
		}
	}
	g.linkUnique()
	g.linkFound()
	g.linkLast()
	return g
}

// linkLast lets the deletion in a replacement wait for what the new object needs: where
// that can't be made, the old one is still there. What itself waits for the deletion
// can't come before it.
func (g *graph) linkLast() {
	var after map[string][]string // by step: those that need it
	for _, it := range g.b.items {
		if !it.replaces() || it.first {
			continue
		}
		if after == nil {
			after = g.inverse()
		}
		del := g.steps[it.deleteID()]
		for _, id := range slices.Sorted(maps.Keys(g.steps[it.createID()].needs)) {
			if id != del.ID && !follows(after, id, del.ID) {
				del.need(id)
				after[id] = append(after[id], del.ID)
			}
		}
	}
}

// inverse gives, by step, those that need it.
func (g *graph) inverse() map[string][]string {
	out := make(map[string][]string, len(g.steps))
	for id, n := range g.steps {
		for need := range n.needs {
			out[need] = append(out[need], id)
		}
	}
	return out
}

// follows reports whether a step comes after another.
func follows(after map[string][]string, id, first string) bool {
	seen := map[string]bool{first: true}
	for queue := []string{first}; len(queue) > 0; queue = queue[1:] {
		for _, next := range after[queue[0]] {
			if next == id {
				return true
			}
			if !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	return false
}

func (g *graph) put(it *item, s Step) *node {
	s.Address = it.addr
	n := &node{Step: s, it: it}
	g.steps[s.ID] = n
	return n
}

func (n *node) need(id string) { n.needVia(id, need{}) }

func (n *node) needVia(id string, by need) {
	if n.needs == nil {
		n.needs = map[string]need{}
	}
	n.needs[id] = by
}

// add makes an item's own steps.
func (g *graph) add(it *item) {
	if it.fresh && it.action != "" {
		if it.refersTo(it.addr, "") {
			it.hold(HeldCycle, "it needs itself: "+it.addr.Local()+" → "+it.addr.Local(), "take the reference out, or move it to a field that is set after creation")
		}
		bare := bareFields(it)
		g.put(it, Step{ID: it.createID(), Op: ledger.Create, Want: bare, Meta: it.want.Meta, Deps: depsOf(g.b, it), Deposes: it.replaces() && it.first})
		for _, aspect := range it.kind.Aspects() {
			if ch := aspectChanges(it, aspect); len(ch) > 0 {
				n := g.put(it, Step{ID: it.updateID(aspect), Op: ledger.Update, Aspect: aspect, Want: aspectFields(it, aspect), Changes: ch, Meta: it.want.Meta, Deps: depsOf(g.b, it)})
				n.need(it.createID())
			}
		}
	}
	if it.goes() {
		op := ledger.Delete
		switch {
		case it.kind.Lookup:
			op = ledger.Forget
		case it.releases():
			op = ledger.Release
		}
		g.put(it, Step{ID: it.deleteID(), Op: op, Token: it.entry.Token, Live: it.entry.Record.ID, Meta: it.entry.Record.Meta, Want: it.manner(op)})
	}
	switch it.action {
	case Update:
		g.addUpdates(it)
	case Pin:
		g.put(it, pinStep(it))
	case Create, Replace, Delete, Adopt, Forget:
	}
	if it.want != nil && it.entry != nil && it.kind.Marked && it.live.Seen == Present && !it.replaces() && (it.moves() || it.misnamed() || it.unmarked() || g.b.returns(it) || g.b.retokened(it)) {
		s := it.markStep()
		if g.b.returns(it) || g.b.retokened(it) {
			s.Over = it.live.Object.Mark.Token
		}
		g.put(it, s)
	}
}

// manner is what the ledger has of isobar's own settings on an object that is
// deleted: they say how, and so what a person consents to.
func (it *item) manner(op ledger.Op) resource.Map {
	var out resource.Map
	for i := range it.kind.Fields {
		f := &it.kind.Fields[i]
		v := it.entry.Record.Applied[f.Name]
		if op != ledger.Delete || !f.Setting || v == nil || f.DefaultsTo != nil && same(f, v, f.DefaultsTo.Value) {
			continue
		}
		if out == nil {
			out = resource.Map{}
		}
		out[f.Name] = v
	}
	return out
}

func (g *graph) addUpdates(it *item) {
	aspects := map[string]bool{}
	for _, c := range it.diff.changes {
		aspects[it.aspectOf(c.Path)] = true
	}
	for aspect := range aspects {
		s := Step{
			ID: it.updateID(aspect), Op: ledger.Update, Token: it.entry.Token, Aspect: aspect, Live: it.live.Object.ID,
			Want: aspectFields(it, aspect), Before: resource.Map{}, Meta: it.want.Meta, Deps: depsOf(g.b, it),
		}
		for _, p := range it.diff.leftAlone() {
			if it.aspectOf(p) == aspect {
				s.Left = append(s.Left, p)
			}
		}
		for _, c := range it.diff.changes {
			if it.aspectOf(c.Path) != aspect {
				continue
			}
			s.Changes = append(s.Changes, resource.Change{Path: c.Path, Before: c.Before, After: rawAt(it.want.Fields, c)})
			if v := it.live.Object.Fields[c.Path[0]]; v != nil {
				s.Before[c.Path[0]] = v
			}
		}
		g.put(it, s)
	}
}

// rawAt gives what a change sets, with references as the spec has them.
func rawAt(fields resource.Map, c FieldChange) resource.Value {
	if c.After == nil {
		return nil
	}
	var v resource.Value = fields
	for _, e := range c.Path {
		m, ok := v.(resource.Map)
		if !ok {
			return c.After
		}
		v = m[e]
	}
	if !resource.HasUnknown(c.After) {
		return c.After
	}
	raw, ok := v.(resource.List)
	if after, ok2 := c.After.(resource.List); ok && ok2 && len(after) > len(raw) {
		// elements that are not ours come first: they stay
		return append(slices.Clone(after[:len(after)-len(raw)]), raw...)
	}
	return v
}

func (it *item) aspectOf(p resource.Path) string {
	if f := it.kind.Field(p[0]); f != nil {
		return f.Aspect
	}
	return ""
}

func bareFields(it *item) resource.Map { return aspectFields(it, "") }

// aspectFields gives the wanted fields of an aspect, references unresolved.
func aspectFields(it *item, aspect string) resource.Map {
	out := resource.Map{}
	for name, v := range it.want.Fields {
		if f := it.kind.Field(name); f != nil && f.Aspect == aspect && !f.Computed {
			out[name] = v
		}
	}
	return out
}

func aspectChanges(it *item, aspect string) []resource.Change {
	var out []resource.Change
	fields := aspectFields(it, aspect)
	for _, name := range fields.Keys() {
		// A new object has none, but what the provider fills in must be taken out.
		if !resource.Empty(fields[name]) || it.kind.Field(name).Default == "server" {
			out = append(out, resource.Change{Path: resource.Path{name}, After: fields[name]})
		}
	}
	return out
}

// depsOf lists what a wanted item refers to, once an aspect.
func depsOf(b *builder, it *item) []ledger.Dep {
	if len(it.refs) == 0 {
		return nil
	}
	out := make([]ledger.Dep, 0, len(it.refs))
	for _, r := range it.refs {
		d := ledger.Dep{Address: r.Address, Aspect: r.aspect}
		if t := b.byAddr[r.Address]; t != nil && !t.fresh && t.entry != nil {
			d.Token = t.entry.Token
		}
		if !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

// linkMaking joins an item's creating and updating steps to those that make
// what they refer to.
func (g *graph) linkMaking(it *item) {
	for _, r := range it.refs {
		t := g.b.byAddr[r.Address]
		if t == nil || t == it && r.aspect == "" && !it.fresh {
			continue
		}
		for _, id := range []string{it.createID(), it.updateID(r.aspect)} {
			n := g.steps[id]
			if n == nil || n.Aspect != r.aspect {
				continue
			}
			if c := g.steps[t.createID()]; c != nil && c.ID != n.ID {
				n.need(c.ID)
			}
			if t.touched && volatile(t.kind.Descriptor, r.Out) {
				for _, aspect := range append(t.kind.Aspects(), "") {
					if u := g.steps[t.updateID(aspect)]; u != nil && u.it != it {
						n.need(u.ID)
					}
				}
			}
		}
	}
	if it.replaces() {
		if it.first {
			g.steps[it.deleteID()].need(it.createID())
		} else {
			g.steps[it.createID()].need(it.deleteID())
		}
	}
}

// linkGoing joins an item's deletion to whatever must let go of it first.
func (g *graph) linkGoing(it *item) {
	if it.letGo() {
		return // it stays, and so may what refers to it
	}
	del := g.steps[it.deleteID()]
	if it.spared != "" {
		g.turnAway(it, del)
		return
	}
	for _, y := range g.b.dependants(it) {
		update := g.steps[y.it.updateID(y.dep.Aspect)]
		if update != nil && update.it != y.it { // another object's of the same address
			update = nil
		}
		switch {
		case y.field != "" && !y.it.goes() && y.it.held == nil && !y.it.changes(y.field):
			it.hold(HeldFollows, y.it.addr.Local()+" refers to it by "+y.field+", and nothing here changes that", "take the reference out by hand")
		case y.it.letGo() || y.it.spared != "":
			it.hold(HeldFollows, y.it.addr.Local()+" refers to it, and is let go of as it is",
				fmt.Sprintf("let go of both: isobar forget %s %s, or delete both", g.b.in.Env, Named))
		case y.it.goes():
			if y.it.releases() && y.dep.Aspect != "" { // letting go of it takes no reference away
				if c := g.clear(y.it, y.dep.Aspect, it); c != nil {
					del.need(c.ID)
					g.steps[y.it.deleteID()].need(c.ID)
				}
			}
			del.needVia(y.it.deleteID(), need{breakable: y.dep.Aspect != "", by: y.it, aspect: y.dep.Aspect, of: it})
		case y.field == "" && it.replaces() && y.it.valued(it.addr, y.dep.Aspect) && !y.it.clearable(y.dep.Aspect):
			// what it has of it is a value, which stays as it is till another is told
		case it.replaces() && !it.first && y.it.refersTo(it.addr, y.dep.Aspect):
			c := g.clear(y.it, y.dep.Aspect, it)
			if c == nil {
				it.hold(HeldFollows, y.it.addr.Local()+" refers to it and cannot let go", "")
				continue
			}
			del.need(c.ID)
			if update != nil {
				update.need(c.ID)
			}
		case update != nil:
			del.need(update.ID)
		case y.it.held != nil:
			it.hold(HeldFollows, y.it.addr.Local()+" still refers to it, and is held: "+string(y.it.held.Why), "")
		}
	}
}

// changes reports whether a top-level field of the item's object is changed.
func (it *item) changes(field string) bool {
	return it.diff != nil && slices.ContainsFunc(it.diff.changes, func(c FieldChange) bool { return c.Path[0] == field })
}

// clear gives the step that takes references to of out of an aspect of y,
// making it where there is none yet.
func (g *graph) clear(y *item, aspect string, of *item) *node {
	if y.live.Seen != Present {
		return nil
	}
	id := strings.TrimSuffix("clear "+y.addr.Local()+" "+aspect, " ")
	if y.entry.Role == ledger.Deposed {
		id += " " + y.entry.Token
	}
	n := g.steps[id]
	if n == nil {
		n = g.put(y, Step{
			ID: id, Op: ledger.Clear, Token: y.entry.Token, Aspect: aspect, Live: y.live.Object.ID,
			Want: resource.Map{}, Before: resource.Map{}, Meta: y.entry.Record.Meta, Deps: y.entry.Record.Deps,
		})
		for i := range y.kind.Fields {
			f := &y.kind.Fields[i]
			v := y.live.Object.Fields[f.Name]
			if v == nil || f.Aspect != aspect || f.Computed || f.Immutable {
				continue
			}
			if y.goes() || y.entry.Record.Applied[f.Name] != nil || y.want.Fields[f.Name] != nil {
				n.Want[f.Name], n.Before[f.Name] = v, v
			}
		}
	}
	n.Changes = nil
	n.Deps = slices.DeleteFunc(slices.Clone(n.Deps), func(d ledger.Dep) bool {
		return d.Aspect == aspect && d.Address == of.entry.Address && (d.Token == "" || d.Token == of.entry.Token)
	})
	for _, name := range n.Before.Keys() {
		before, after := n.Before[name], n.Want[name]
		if after = without(after, of.entry.Record); after == nil {
			delete(n.Want, name)
		} else {
			n.Want[name] = after
		}
		if !resource.Equal(before, after) {
			n.Changes = append(n.Changes, resource.Change{Path: resource.Path{name}, Before: before, After: after})
		}
	}
	return n
}

// without takes out of v what refers to a record's object by id or output.
func without(v resource.Value, r ledger.Record) resource.Value {
	names := func(e resource.Value) bool {
		s, ok := e.(resource.String)
		if !ok || s == "" {
			return false
		}
		if string(s) == string(r.ID) {
			return true
		}
		for _, out := range r.Outs {
			if out == e {
				return true
			}
		}
		return false
	}
	if l, ok := v.(resource.List); ok {
		return slices.DeleteFunc(slices.Clone(l), func(e resource.Value) bool { return resource.Contains(e, names) })
	}
	if resource.Contains(v, names) {
		return nil
	}
	return v
}
