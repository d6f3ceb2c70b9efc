package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// Input is what rules judge: a plan and its surroundings. Nothing of it is
// written to.
type Input struct {
	Plan    *plan.Plan
	Kinds   resource.Descriptors // by full kind name
	Desired []resource.Desired   // the spec's inventory; it also places decisions
	Live    []resource.Object    // the live inventory, with addresses
	Commit  string               // the commit's hash, or ""
	Actor   string               // who asked: a committer, a user
	Trigger string               // what began the run: push, pull_request, drift, command, destroy, or confirm where a person named all that is deleted
	Mode    string               // observe, approve or auto
}

// Document is a plan in the form that rules see, parsed once. It is read-only,
// so safe for concurrent use.
type Document struct {
	value   ast.Value
	desired map[resource.Address]*resource.Desired
	kinds   resource.Descriptors
	names   map[string]resource.Address // every name that a rule may give an object
	parts   map[string]string           // of those, the names of parts: the field that each is
	adopted map[resource.Address]bool   // what the plan adopts and leaves as it is

	// Used while the document is built, and not after.
	keys      map[string]*ast.Term
	fieldKeys map[*resource.Field]*ast.Term
}

// NewDocument builds the rules' input: Terraform's plan JSON, format_version
// "1.2", with resource_changes, resource_drift and planned_values, and the
// object isobar.
//
// A kind with a Terraform type has that type, and its fields have Terraform's
// names (see Type and the shape functions for what differs in structure, and
// partShape for what Terraform has as resources of their own);
// another keeps its isobar name as type, "vsphere.vm", with its fields in
// snake_case, and its address is "vsphere.vm.db". Secrets and sensitive fields
// hold "(secret)" and are true in before_sensitive and after_sensitive; what
// only apply will tell is absent from after and true in after_unknown.
//
// Lookups are no resources: as in Terraform, whose data sources are in none of
// these, rules see what was found where it is used, in an instance's ami.
func NewDocument(in Input) *Document {
	d := &Document{
		desired: make(map[resource.Address]*resource.Desired, len(in.Desired)),
		kinds:   in.Kinds, names: map[string]resource.Address{}, parts: map[string]string{}, adopted: adoptions(in.Plan),
		keys: map[string]*ast.Term{}, fieldKeys: map[*resource.Field]*ast.Term{},
	}
	var spec, planned []*ast.Term
	for i := range in.Desired {
		w := &in.Desired[i]
		d.desired[w.Address] = w
		d.name(w.Address)
		if d.looksUp(w.Address) {
			continue
		}
		vals := d.fields(w.Address, w.Fields).known
		planned = append(planned, d.planned(w, vals)...)
		spec = append(spec, object(append(d.identity(w.Address), d.item("values", vals), d.item("isobar", d.about(w.Address)))...))
	}
	var changes, drift []*ast.Term
	for i := range in.Plan.Changes {
		c := &in.Plan.Changes[i]
		d.name(c.Address)
		if d.looksUp(c.Address) {
			continue
		}
		changes = append(changes, d.split(c)...)
		if t := d.drift(c); t != nil {
			drift = append(drift, t)
		}
		drift = append(drift, d.partDrift(c)...)
	}
	live := make([]*ast.Term, 0, len(in.Live))
	for i := range in.Live {
		live = append(live, d.live(&in.Live[i]))
	}
	iso := object(
		d.item("environment", text(in.Plan.Env)), d.item("commit", text(in.Commit)), d.item("actor", text(in.Actor)),
		d.item("trigger", text(in.Trigger)), d.item("mode", text(in.Mode)), d.item("digest", text(in.Plan.Digest)),
		d.item("spec", list(spec)), d.item("live", list(live)), d.item("kinds", d.kindTable()), d.item("held", d.held(in.Plan.Held)),
	)
	d.value = object(
		d.item("format_version", text("1.2")), d.item("resource_changes", list(changes)), d.item("resource_drift", list(drift)),
		d.item("planned_values", object(d.item("root_module", object(d.item("resources", list(planned)))))),
		d.item("isobar", iso),
	).Value
	d.keys, d.fieldKeys = nil, nil
	return d
}

// adoptions gives the objects on which the plan writes isobar's mark and
// nothing else. One that differs from the spec is among them if this plan
// leaves it so, as an import does.
func adoptions(p *plan.Plan) map[resource.Address]bool {
	out := map[resource.Address]bool{}
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Action == plan.Adopt {
			out[c.Address] = true
		}
	}
	for i := range p.Changes { // an address may have a deposed object beside it
		if c := &p.Changes[i]; c.Action != plan.Adopt {
			delete(out, c.Address)
		}
	}
	for i := range p.Steps {
		if s := &p.Steps[i]; s.Op != ledger.Adopt {
			delete(out, s.Address)
		}
	}
	return out
}

// looksUp reports whether an address is a lookup's.
func (d *Document) looksUp(a resource.Address) bool {
	k := d.kinds[a.Type()]
	return k != nil && k.Lookup
}

// JSON gives the document as rules see it, for people who write rules.
func (d *Document) JSON() (any, error) { return ast.JSON(d.value) }

// name records the names under which a rule may speak of an object.
func (d *Document) name(a resource.Address) {
	d.names[d.tfAddress(a)], d.names[a.Local()], d.names[a.String()] = a, a, a
	for _, f := range partsOf(d.kinds[a.Type()]) {
		d.names[f.TFType+"."+a.Name], d.parts[f.TFType+"."+a.Name] = a, f.Name
	}
}

// tfAddress is the object's address in Terraform's form.
func (d *Document) tfAddress(a resource.Address) string {
	return Type(d.kinds[a.Type()], a.Type()) + "." + a.Name
}

// identity is what Terraform says of every resource.
func (d *Document) identity(a resource.Address) [][2]*ast.Term {
	return [][2]*ast.Term{
		d.item("address", text(d.tfAddress(a))), d.item("type", text(Type(d.kinds[a.Type()], a.Type()))), d.item("name", text(a.Name)),
		d.item("mode", text("managed")), d.item("provider_name", text(a.Provider)),
	}
}

// about is what isobar says of it beside that.
func (d *Document) about(a resource.Address) *ast.Term {
	kv := [][2]*ast.Term{d.item("address", text(a.Local())), d.item("kind", text(a.Type()))}
	if w := d.desired[a]; w != nil {
		kv = append(kv, d.item("file", text(w.At.File)), d.item("line", ast.InternedTerm(w.At.Line)))
	}
	return object(kv...)
}

// planned is a wanted object in planned_values, and its parts beside it; vals
// are its fields with those of its parts.
func (d *Document) planned(w *resource.Desired, vals *ast.Term) []*ast.Term {
	parts := partsOf(d.kinds[w.Address.Type()])
	if len(parts) > 0 {
		vals = d.fields(w.Address, bare(parts, w.Fields)).known
	}
	out := []*ast.Term{object(append(d.identity(w.Address), d.item("values", vals))...)}
	for _, f := range parts {
		if m := partShape(f, w.Fields); m != nil {
			out = append(out, object(append(d.partIdentity(w.Address, f), d.item("values", d.partSide(m).known))...))
		}
	}
	return out
}

func (d *Document) change(c *plan.Change) *ast.Term {
	before, after := d.side(c, c.Before), d.side(c, c.After)
	if c.After != nil {
		d.foretell(c, &after)
	}
	var replaced []*ast.Term
	for i := range c.Fields {
		if c.Fields[i].Replaces {
			replaced = append(replaced, d.tfPath(c.Address, c.Fields[i].Path))
		}
	}
	kv := [][2]*ast.Term{
		d.item("actions", list(actions(c))), d.item("before", before.known), d.item("after", after.known),
		d.item("after_unknown", after.unknown), d.item("before_sensitive", before.sensitive), d.item("after_sensitive", after.sensitive),
	}
	if len(replaced) > 0 {
		kv = append(kv, d.item("replace_paths", list(replaced)))
	}
	if c.Action == plan.Adopt {
		kv = append(kv, d.item("importing", object(d.item("id", text(string(c.ID))))))
	}
	about := object(
		d.item("action", text(string(c.Action))), d.item("address", text(c.Address.Local())), d.item("kind", text(c.Address.Type())),
		d.item("disruptive", ast.InternedTerm(c.Disruptive)), d.item("deposed", ast.InternedTerm(c.Deposed)),
		d.item("file", text(c.At.File)), d.item("line", ast.InternedTerm(c.At.Line)),
	)
	return object(append(d.identity(c.Address), d.item("change", object(kv...)), d.item("isobar", about))...)
}

// side is one side of a change with the object's id; null where there is none.
func (d *Document) side(c *plan.Change, m resource.Map) sides {
	if m == nil {
		return sides{ast.NullTerm(), object(), object()}
	}
	s := d.fields(c.Address, m)
	if c.ID != "" && m["id"] == nil && c.Action != plan.Replace {
		s.known = with(s.known, d.key("id"), text(string(c.ID)))
	}
	return s
}

// foretell marks the outputs of what is made anew as known after apply.
func (d *Document) foretell(c *plan.Change, s *sides) {
	k := d.kinds[c.Address.Type()]
	if k == nil || c.Action != plan.Create && c.Action != plan.Replace {
		return
	}
	known, _ := s.known.Value.(ast.Object)
	for i := range k.Outs {
		name := snake(k.Outs[i].Name)
		if known.Get(d.key(name)) == nil && (k.Field(k.Outs[i].Name) == nil || k.Field(k.Outs[i].Name).Computed) {
			s.unknown = with(s.unknown, d.key(name), ast.InternedTerm(true))
		}
	}
}

// actions gives Terraform's words for an action.
func actions(c *plan.Change) []*ast.Term {
	switch c.Action {
	case plan.Create:
		return []*ast.Term{text("create")}
	case plan.Update:
		return []*ast.Term{text("update")}
	case plan.Delete:
		return []*ast.Term{text("delete")}
	case plan.Forget:
		return []*ast.Term{text("forget")}
	case plan.Replace:
		if c.Spares {
			return []*ast.Term{text("create"), text("forget")}
		}
		if c.First {
			return []*ast.Term{text("create"), text("delete")}
		}
		return []*ast.Term{text("delete"), text("create")}
	case plan.Adopt:
		if len(c.Fields) > 0 {
			return []*ast.Term{text("update")}
		}
	case plan.Pin: // a lookup's, which is in no list of changes
	}
	return []*ast.Term{text("no-op")}
}

// drift is the object's entry in resource_drift: before is what was applied,
// after what was found; nil where it did not drift.
func (d *Document) drift(c *plan.Change) *ast.Term {
	before, after := resource.Map{}, resource.Map{}
	parts := partsOf(d.kinds[c.Address.Type()])
	for i := range c.Fields {
		f := &c.Fields[i]
		if f.Cause == plan.CauseDrift && len(f.Path) > 0 && !slices.ContainsFunc(parts, func(p *resource.Field) bool { return p.Name == f.Path[0] }) {
			graft(before, f.Path, hide(f, f.After))
			graft(after, f.Path, hide(f, f.Before))
		}
	}
	action, gone := "update", c.Action == plan.Create && len(c.Reasons) > 0 && c.Reasons[0].Cause == plan.CauseDrift
	if gone {
		action, before = "delete", bare(parts, c.After)
	} else if len(before)+len(after) == 0 {
		return nil
	}
	was, is := d.fields(c.Address, before), sides{known: ast.NullTerm(), sensitive: object()}
	if !gone {
		is = d.fields(c.Address, after)
	}
	return object(append(d.identity(c.Address), d.item("change", object(
		d.item("actions", list([]*ast.Term{text(action)})), d.item("before", was.known), d.item("after", is.known),
		d.item("before_sensitive", was.sensitive), d.item("after_sensitive", is.sensitive),
	)), d.item("isobar", d.about(c.Address)))...)
}

func hide(f *plan.FieldChange, v resource.Value) resource.Value {
	if f.Sensitive && v != nil {
		return resource.Secret{}
	}
	return v
}

// graft sets the node at path within m, which is ours to write.
func graft(m resource.Map, path resource.Path, v resource.Value) {
	for _, e := range path[:len(path)-1] {
		next, ok := m[e].(resource.Map)
		if !ok {
			next = resource.Map{}
			m[e] = next
		}
		m = next
	}
	if v != nil {
		m[path[len(path)-1]] = v
	}
}

func (d *Document) live(o *resource.Object) *ast.Term {
	vals := with(d.fields(o.Address, o.Fields).known, d.key("id"), text(string(o.ID)))
	return object(append(d.identity(o.Address), d.item("values", vals), d.item("isobar", d.about(o.Address)))...)
}

// kindTable tells which fields each kind takes, by the type that rules see.
func (d *Document) kindTable() *ast.Term {
	kv := make([][2]*ast.Term, 0, len(d.kinds))
	for kind, k := range d.kinds {
		var fs []*ast.Term
		for i := range k.Fields {
			if !k.Fields[i].Computed {
				fs = append(fs, text(tfName(&k.Fields[i])))
			}
		}
		kv = append(kv, d.item(Type(k, kind), object(d.item("kind", text(kind)), d.item("fields", list(fs)))))
		for _, f := range partsOf(k) {
			kv = append(kv, d.item(f.TFType, object(d.item("kind", text(kind)), d.item("fields", list(texts(partNames(f)))))))
		}
	}
	return object(kv...)
}

func (d *Document) held(hs []plan.Held) *ast.Term {
	out := make([]*ast.Term, len(hs))
	for i, h := range hs {
		out[i] = object(d.item("address", text(h.Address.Local())), d.item("action", text(string(h.Action))), d.item("why", text(string(h.Why))))
	}
	return list(out)
}

// place finds where an object, and the field of it that path names, stand in
// the spec. The path may use isobar's or Terraform's names; what cannot be
// found is left out, from the end.
func (d *Document) place(a resource.Address, path string) diag.Place {
	w := d.desired[a]
	if w == nil {
		return diag.Place{}
	}
	at := w.At
	if p, ok := w.Place(d.ownPath(a, path)); ok {
		at = p
	}
	return diag.Place{File: at.File, Line: at.Line, Col: at.Col}
}

// ownPath turns a path with Terraform's names and list indices into the
// spec's own.
func (d *Document) ownPath(a resource.Address, path string) resource.Path {
	var out resource.Path
	k := d.kinds[a.Type()]
	var fs []resource.Field
	if k != nil {
		fs = k.Fields
	}
	for _, e := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' || r == '"' }) {
		name := e
		for i := range fs {
			if fs[i].Name == e || tfName(&fs[i]) == e {
				name, fs = fs[i].Name, fs[i].Fields
				break
			}
		}
		out = append(out, name)
	}
	return out
}
