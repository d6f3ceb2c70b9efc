package spec

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/literal"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// Sketch writes live objects (Fields are what was read, and of Meta the alias
// alone is used) as a spec may say them: a block of CUE an object, formatted, to
// be put into their environment. What the schema or the provider is known to
// fill in by itself is left out, but lists and references are not, nor an empty
// list where leaving it out means another one; so is what only the provider sets,
// what could not be read, what the provider chose and the schema refuses, and what
// is sensitive, which is named in a comment, as is what can't be read. refer gives
// the resource of a kind whose output is a text; where ok is false the text is
// written as it is. Pure.
func Sketch(objects []resource.Desired, kinds resource.Descriptors, refer Refer) ([]byte, error) {
	var text strings.Builder
	var takes taker
	for i, o := range objects {
		d := kinds[o.Address.Type()]
		if d == nil {
			continue
		}
		if i > 0 {
			text.WriteString("\n")
		}
		s := sketch{refer: refer, env: o.Address.Env, beyond: refer.beyond(o, kinds)}
		s.takes = func(at resource.Path, v resource.Value) bool { return takes.value(d.Kind, at, v) }
		s.unread(d.Fields, resource.Path{})
		text.WriteString(label(o.Address.Provider) + ": " + label(o.Address.Kind) + ": " + label(o.Address.Name) + ": {\n")
		if a := o.Meta.Alias; a != "" && a != o.Address.Provider {
			text.WriteString("$meta: provider: " + literal.String.Quote(a) + "\n")
		}
		text.WriteString(s.fields(d.Fields, o.Fields, resource.Path{}))
		for _, line := range s.notes {
			text.WriteString("// " + line + "\n")
		}
		text.WriteString("}\n")
	}
	if takes.err != nil {
		return nil, takes.err
	}
	simple, err := format.Source([]byte(text.String()), format.Simplify())
	if err != nil {
		return nil, err
	}
	return format.Source(simple) // which aligns what became shorter
}

// beyond finds the parents of an object whose own block does not hold the
// object's: a network may have further blocks, which its spec does not name, and
// blocks would refuse the reference.
func (refer Refer) beyond(o resource.Desired, kinds resource.Descriptors) map[string]resource.Address {
	var out map[string]resource.Address
	d := kinds[o.Address.Type()]
	for _, f := range d.Fields {
		p, err := netip.ParsePrefix(o.Fields.Text(f.Name))
		parent := d.Field(f.Block)
		if err != nil || parent == nil {
			continue
		}
		up, ok := refer(parent.Ref, cmp.Or(parent.RefOut, "id"), o.Fields.Text(parent.Name))
		if !ok || kinds[up.Address.Type()] == nil {
			continue
		}
		if outer, ok := ownBlock(kinds[up.Address.Type()], up.Fields); ok && !holds(outer, p) {
			if out == nil {
				out = map[string]resource.Address{}
			}
			out[parent.Name] = up.Address
		}
	}
	return out
}

// Refer finds the resource of a kind with an output of that value: its address,
// and the fields that the spec gives it, or is about to.
type Refer func(kind, out, text string) (resource.Desired, bool)

// sketch is one object on its way into CUE.
type sketch struct {
	env    string
	refer  Refer
	beyond map[string]resource.Address // field → the resource that it may not refer to, since the block lies in another one of its blocks
	takes  func(at resource.Path, v resource.Value) bool
	notes  []string // comments on fields that are not written
}

// fields writes the fields of a struct, a line each, the required ones first.
func (s *sketch) fields(fs []resource.Field, live resource.Map, under resource.Path) string {
	var b strings.Builder
	for _, f := range slices.SortedStableFunc(each(fs), requiredFirst) {
		v := live[f.Name]
		path := append(under[:len(under):len(under)], f.Name)
		switch {
		case !f.Computed && !f.WriteOnly && resource.HasUnread(v):
			s.notes = append(s.notes, path.String()+" could not be read ("+cmp.Or(resource.WhyUnread(v), "nobody says why")+"): write it as the object is")
			continue
		case f.Computed || f.WriteOnly || v == nil || !f.Required && filledIn(f, v, live):
			continue
		case f.Sensitive:
			s.notes = append(s.notes, path.String()+" is set and not shown")
			continue
		case f.Default == "server" && f.Type != "list" && f.Ref == "" && !s.takes(path, v):
			s.notes = append(s.notes, path.String()+" is "+string(resource.Encode(v))+", which a spec may not say: it stays as it is")
			continue
		}
		if text := s.value(f, v, path); text != "{}" || f.Required || f.Type == "map" {
			b.WriteString(label(f.Name) + ": " + text + "\n")
		}
	}
	return b.String()
}

// unread notes the fields of which no read tells whether they are set.
func (s *sketch) unread(fs []resource.Field, under resource.Path) {
	for i := range fs {
		f := &fs[i]
		path := append(under[:len(under):len(under)], f.Name)
		switch {
		case f.Setting || f.Computed:
		case f.WriteOnly && f.Immutable:
			s.notes = append(s.notes, path.String()+" can't be read: if the spec is to have it, write it before the adoption; later it replaces the object")
		case f.WriteOnly:
			s.notes = append(s.notes, path.String()+" can't be read: write it here if isobar is to set it")
		default:
			s.unread(f.Fields, path)
		}
	}
}

// each gives pointers to the elements.
func each(fs []resource.Field) iter.Seq[*resource.Field] {
	return func(yield func(*resource.Field) bool) {
		for i := range fs {
			if !yield(&fs[i]) {
				return
			}
		}
	}
}

func requiredFirst(a, b *resource.Field) int {
	switch {
	case a.Required == b.Required:
		return 0
	case a.Required:
		return -1
	}
	return 1
}

// filledIn reports whether a field has its value without the spec's doing: the
// schema's default, what the provider is known to choose with the fields beside it
// as they are, or, where neither fills it in, nothing at all or a switch that is off.
func filledIn(f *resource.Field, v resource.Value, beside resource.Map) bool {
	switch {
	case v == resource.Value(resource.Null{}):
		return true
	case f.DefaultsTo != nil:
		return plan.Same(f, f.DefaultsTo.Value, v)
	case f.Default == "server":
		return f.IsUsual(v, beside)
	}
	return resource.Empty(v) || v == resource.Value(resource.Bool(false))
}

// value writes one value.
func (s *sketch) value(f *resource.Field, v resource.Value, path resource.Path) string {
	switch x := v.(type) {
	case resource.String:
		if up, ok := s.beyond[f.Name]; ok && len(path) == 1 {
			s.notes = append(s.notes, f.Name+" is "+up.Local()+", by its id, since the block lies in another block of it than the one in its file")
		} else if f.Ref != "" {
			out := cmp.Or(f.RefOut, "id")
			if to, ok := s.refer(f.Ref, out, string(x)); ok && to.Address.Env == s.env {
				a := to.Address
				return a.Type() + index(a.Name) + ".#out." + out
			}
		}
		return literal.String.WithOptionalTabIndent(len(path) + 1).Quote(string(x))
	case resource.List:
		var b strings.Builder
		for _, e := range x {
			b.WriteString(s.value(element(f), e, path) + ",\n")
		}
		if len(x) == 0 {
			return "[]"
		}
		if _, plain := x[0].(resource.String); plain || len(x) == 1 {
			return "[" + strings.TrimSuffix(strings.ReplaceAll(b.String(), ",\n", ", "), ", ") + "]"
		}
		return "[\n" + b.String() + "]"
	case resource.Map:
		if f.Type == "struct" {
			return braces(s.fields(f.Fields, x, path))
		}
		var b strings.Builder
		for _, k := range x.Keys() {
			if x[k] != nil {
				b.WriteString(label(k) + ": " + s.value(element(f), x[k], append(path[:len(path):len(path)], k)) + "\n")
			}
		}
		return braces(b.String())
	case resource.Int:
		return strconv.FormatInt(int64(x), 10)
	case resource.Bool:
		return strconv.FormatBool(bool(x))
	}
	return string(resource.Encode(v))
}

func braces(body string) string {
	if body == "" {
		return "{}"
	}
	return "{\n" + body + "}"
}

// element describes a list's or map's elements; a reference that the schema puts
// on the whole holds for each.
func element(f *resource.Field) *resource.Field {
	switch {
	case f.Elem == nil:
		return &resource.Field{Type: "string", Ref: f.Ref, RefOut: f.RefOut}
	case f.Ref != "" && f.Elem.Ref == "":
		e := *f.Elem
		e.Ref, e.RefOut = f.Ref, f.RefOut
		return &e
	}
	return f.Elem
}

// label writes a field's name, quoted where CUE wants it.
func label(name string) string {
	if ast.StringLabelNeedsQuoting(name) {
		return literal.Label.Quote(name)
	}
	return name
}

// index selects a field of that name.
func index(name string) string {
	if ast.StringLabelNeedsQuoting(name) {
		return "[" + literal.String.Quote(name) + "]"
	}
	return "." + name
}
