package spec

import (
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// settings checks everything of a package that is no resource: fields that do
// not exist, fields that are missing, and what CUE says of each.
func (e *evaluation) settings(w world) {
	known, required := map[string]bool{}, []string{}
	it, err := w.def.Fields(cue.Optional(true))
	if err != nil {
		return
	}
	var names []string
	for it.Next() {
		n := it.Selector().Unquoted()
		known[n] = true
		names = append(names, n)
		if it.FieldType()&cue.RequiredConstraint != 0 {
			required = append(required, n)
		}
	}
	for _, f := range fieldsOf(w.raw) {
		n := f.name
		switch {
		case !known[n]:
			e.add(diag.Finding{
				Code: codeUnknownField, Severity: diag.Error, Where: f.place(),
				Message: "field not allowed: " + n, Mend: didYouMean(n, names, "write helpers as hidden fields (_"+identOf(n)+"), definitions or let"),
			})
		case !e.isProvider(n):
			e.deeper(w, f, w.joined, n)
			e.allowed(f, w.def.LookupPath(cue.MakePath(cue.Str(n).Optional())))
		}
	}
	for _, n := range required {
		if !hasField(w.raw, n) && !isSet(w.joined, n) {
			e.add(diag.Finding{
				Code: codeMissingField, Severity: diag.Error, Where: e.packagePlace(w),
				Message: "field missing: " + n, Mend: "write " + n + ": " + sample(w.def.LookupPath(cue.MakePath(cue.Str(n).Required())), e.job.Env),
			})
		}
	}
}

// allowed finds fields within a setting that its definition does not have, and
// in a server's file those that it asks for; CUE does not tell of them where a
// field beside them is wrong.
func (e *evaluation) allowed(f field, def cue.Value, at ...string) {
	if !def.Exists() || def.IncompleteKind() != cue.StructKind {
		return
	}
	at = append(at[:len(at):len(at)], f.name)
	if e.job.Server {
		e.lacking(f, def, at)
	}
	for _, sub := range fieldsOf(f.value) {
		sel := cue.Str(sub.name)
		if def.Allows(sel) {
			e.allowed(sub, memberOf(def, sel), at...)
			continue
		}
		e.add(diag.Finding{
			Code: codeUnknownField, Severity: diag.Error, Where: sub.place(),
			Message: "field not allowed: " + sub.name, Mend: didYouMean(sub.name, namesIn(def, sub.name), "remove it"),
		})
	}
}

// memberOf is the definition of a field, that of a pattern where it has no other.
func memberOf(def cue.Value, sel cue.Selector) cue.Value {
	for _, s := range []cue.Selector{sel.Optional(), sel.Required(), cue.AnyString} {
		if v := def.LookupPath(cue.MakePath(s)); v.Exists() {
			return v
		}
	}
	return cue.Value{}
}

// lacking finds the required fields that a setting does not have.
func (e *evaluation) lacking(f field, def cue.Value, at []string) {
	it, err := def.Fields(cue.Optional(true))
	if err != nil || f.value.IncompleteKind() != cue.StructKind {
		return
	}
	for it.Next() {
		name := it.Selector().Unquoted()
		if it.FieldType()&cue.RequiredConstraint != 0 && !hasField(f.value, name) {
			e.add(diag.Finding{
				Code: codeMissingField, Severity: diag.Error, Where: f.place(), Message: "field missing: " + strings.Join(append(at, name), "."),
				Mend: "add it: " + oneLine(docOf(it.Value())),
			})
		}
	}
}

func identOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, s)
}

// sample is something that may stand in a field.
func sample(v cue.Value, env string) string {
	if k := v.IncompleteKind(); k != cue.StringKind {
		return k.String()
	}
	if env != "" {
		return fmt.Sprintf("%q", env)
	}
	return "a text"
}

func (e *evaluation) isProvider(name string) bool {
	for kind := range e.kinds {
		if strings.HasPrefix(kind, name+".") {
			return true
		}
	}
	return false
}

// resources checks each resource on its own and returns the local addresses
// of those with faults of their own, apart from those that another's fault
// keeps from being seen whole.
func (e *evaluation) resources(w world, stubs map[string]bool) (faulty, masked []string) {
	for _, p := range fieldsOf(w.raw) {
		if !e.isProvider(p.name) {
			continue
		}
		e.wantStruct(w, p, p.name)
		for _, k := range fieldsOf(p.value) {
			d := e.kinds[p.name+"."+k.name]
			if d == nil {
				e.add(diag.Finding{
					Code: codeUnknownKind, Severity: diag.Error, Where: k.place(), Subject: p.name + "." + k.name,
					Message: fmt.Sprintf("%s has no kind %s", p.name, k.name), Mend: didYouMean(k.name, e.kindsOf(p.name), "see the kinds in the reference"),
				})
				continue
			}
			e.wantStruct(w, k, p.name, k.name)
			for _, r := range fieldsOf(k.value) {
				key := localKey([]string{p.name, k.name, r.name})
				if stubs[key] {
					continue
				}
				switch own, foreign := e.resource(w, d, r, []string{p.name, k.name, r.name}); {
				case own && foreign:
					masked = append(masked, key)
				case own:
					faulty = append(faulty, key)
				}
			}
		}
	}
	return faulty, masked
}

// wantStruct explains what stands in the place of a provider's kinds, or of a
// kind's resources, and is no struct.
func (e *evaluation) wantStruct(w world, f field, at ...string) {
	if f.value.IncompleteKind() != cue.StructKind {
		e.explain(w, w.joined.LookupPath(pathOf(at)).Validate(cue.Concrete(true), cue.Final()), at...)
	}
}

func (e *evaluation) kindsOf(provider string) []string {
	var out []string
	for kind := range e.kinds {
		if k, ok := strings.CutPrefix(kind, provider+"."); ok {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// resource checks one resource; it reports whether it has faults of its own and
// whether another resource's show through it.
func (e *evaluation) resource(w world, d *resource.Descriptor, r field, at []string) (own, foreign bool) {
	joined := w.joined.LookupPath(pathOf(at))
	err := joined.Validate(cue.Concrete(true), cue.Final())
	if err == nil {
		return false, false
	}
	count := len(e.found)
	c := &structCheck{e: e, subject: localKey(at)}
	c.fields(d.Fields, r, joined, true)
	own, foreign = e.explain(w, err, at...)
	for _, f := range fieldsOf(r.value) {
		ownField, foreignField := e.deeper(w, f, joined, at...)
		own, foreign = own || ownField, foreign || foreignField
	}
	return own || len(e.found) > count, foreign
}

// deeper explains a field and, where something is wrong with it, each field
// within it: one fault hides others beside it.
func (e *evaluation) deeper(w world, f field, parent cue.Value, at ...string) (own, foreign bool) {
	v := parent.LookupPath(cue.MakePath(cue.Str(f.name)))
	err := v.Validate(cue.Concrete(true), cue.Final())
	if err == nil {
		return false, false
	}
	own, foreign = e.explain(w, err, at...)
	for _, sub := range fieldsOf(f.value) {
		o, fo := e.deeper(w, sub, v, at...)
		own, foreign = own || o, foreign || fo
	}
	return own, foreign
}

// structCheck compares what a user wrote with a kind's fields.
type structCheck struct {
	e       *evaluation
	subject string
}

func (c *structCheck) fields(known []resource.Field, r field, joined cue.Value, top bool) {
	var names []string
	for _, f := range known {
		if !f.Computed {
			names = append(names, f.Name)
		}
	}
	have := fieldsOf(r.value)
	if len(have) == 0 && r.value.IncompleteKind() != cue.StructKind {
		return // CUE says what is wrong with it
	}
	for _, h := range have {
		i := slices.IndexFunc(known, func(f resource.Field) bool { return f.Name == h.name })
		switch {
		case i >= 0 && !known[i].Computed:
			c.value(&known[i], h, joined.LookupPath(cue.MakePath(cue.Str(h.name))))
		case top && h.name == "$meta":
		default:
			c.e.add(diag.Finding{
				Code: codeUnknownField, Severity: diag.Error, Where: h.place(), Subject: c.subject,
				Message: "field not allowed: " + h.name, Mend: didYouMean(h.name, names, "fields: "+strings.Join(names, ", ")),
			})
		}
	}
	for _, f := range known {
		if f.Required && !hasField(r.value, f.Name) && !isSet(joined, f.Name) {
			c.e.add(diag.Finding{
				Code: codeMissingField, Severity: diag.Error, Where: r.place(), Subject: c.subject,
				Message: "field missing: " + f.Name, Mend: "add " + f.Name + ": " + oneLine(f.Doc),
			})
		}
	}
}

func (c *structCheck) value(f *resource.Field, h field, joined cue.Value) {
	switch {
	case f.Secret && h.value.IncompleteKind() == cue.StructKind:
		c.secretKeys(h)
	case f.Type == "struct":
		c.fields(f.Fields, h, joined, false)
	case f.Type == "list" && f.Elem != nil && f.Elem.Type == "struct":
		it, err := h.value.List()
		if err != nil {
			return
		}
		for i := 0; it.Next(); i++ {
			elem := field{name: h.name, value: it.Value()}
			c.fields(f.Elem.Fields, elem, joined.LookupPath(cue.MakePath(cue.Index(i))), false)
		}
	}
}

// field is one regular field of a user's value.
type field struct {
	name  string
	value cue.Value
}

func (f field) place() diag.Place { return placeOf(f.value.Pos()) }

// fieldsOf lists the regular fields of a struct; none where it is none.
func fieldsOf(v cue.Value) []field {
	it, err := v.Fields()
	if err != nil {
		return nil
	}
	var out []field
	for it.Next() {
		out = append(out, field{name: it.Selector().Unquoted(), value: it.Value()})
	}
	return out
}

func hasField(v cue.Value, name string) bool {
	return slices.ContainsFunc(fieldsOf(v), func(f field) bool { return f.name == name })
}

// isSet reports whether a joined value has a field, not merely asks for it.
func isSet(v cue.Value, name string) bool { return v.LookupPath(cue.MakePath(cue.Str(name))).Exists() }

func pathOf(at []string) cue.Path {
	sel := make([]cue.Selector, len(at))
	for i, p := range at {
		sel[i] = cue.Str(p)
	}
	return cue.MakePath(sel...)
}

// packagePlace is the start of the user's package.
func (e *evaluation) packagePlace(w world) diag.Place {
	for _, f := range fieldsOf(w.raw) {
		if p := f.place(); p.File != "" {
			return diag.Place{File: p.File, Line: 1, Col: 1}
		}
	}
	return diag.Place{File: e.job.Dir}
}
