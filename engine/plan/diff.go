package plan

import (
	"fmt"
	"slices"

	"isobar.dev/engine/resource"
)

// differ compares one object three ways: what is wanted (references resolved),
// what the ledger says we applied, and what is live.
type differ struct {
	item    *item
	changes []FieldChange
	applied resource.Map // what the ledger should say where spec and cloud agree
	unread  []resource.Path
	late    []string        // top-level fields that are as the ledger has them, and read as before our last write
	blind   []resource.Path // as the ledger has them, and not to be read: whether they were changed outside nobody knows
	refused []string
	kept    []keptDefault
	anew    bool                              // it is to be made anew: its defaults are what they are now
	told    func(resource.Ref) resource.Value // an output as it is before this plan; nil where its object does not stay
	fought  map[string]string                 // fields that are not put back, by FieldName
	spurned map[string]Refusal                // values that are not asked for again, by FieldName
	waits   []FieldChange                     // of them, those that the object has not
	paused  []resource.Path                   // of them, those that were changed outside
	grown   []FieldChange                     // of fields that can only grow, and were made larger outside
	foreign []resource.Path                   // that are wanted where another's data is
	swapped []resource.Path                   // that are wanted, and for which somebody put another one there
	untold  []FieldChange                     // that would replace the object, and may come out as it is: see leaveUntold
}

// object compares all top-level fields.
func (d *differ) object(want, applied, live resource.Map) {
	d.applied = applied
	for i := range d.item.kind.Fields {
		f := &d.item.kind.Fields[i]
		if f.Computed {
			continue
		}
		w, a := want[f.Name], d.item.landed(f, applied[f.Name], live[f.Name])
		if w == nil && a == nil {
			continue
		}
		if had, kept := d.keepsDefault(f, w, a, live[f.Name]); kept {
			d.kept = append(d.kept, keptDefault{f, w, had})
			w = had
		}
		n := d.node(resource.Path{f.Name}, f, trio{w, a, live[f.Name]}, f.Immutable)
		if !same(f, n, applied[f.Name]) || f.Data && !resource.Equal(n, applied[f.Name]) {
			d.correct(f.Name, n)
		}
	}
}

func (d *differ) correct(name string, v resource.Value) {
	next := make(resource.Map, len(d.applied)+1)
	for k, e := range d.applied {
		next[k] = e
	}
	if v == nil {
		delete(next, name)
	} else {
		next[name] = v
	}
	d.applied = next
}

// trio is one node seen three ways; nil is absent.
type trio struct{ want, applied, live resource.Value }

// node compares one node and returns what the ledger should hold of it without
// any call: the applied value, corrected where want and live agree.
func (d *differ) node(path resource.Path, f *resource.Field, t trio, immutable bool) resource.Value {
	if t.live == nil { // an empty list or map and none at all are the same in the cloud
		switch f.Type {
		case "list":
			t.live = resource.List{}
		case "map":
			t.live = resource.Map{}
		}
	}
	switch {
	case unstamped(t.want):
		return t.applied // whether it changed can't be told: the item is held
	case f.Unseen() && d.item.stray:
		return t.want // nobody can see it: it is taken as given
	case f.Setting && t.applied == nil && f.DefaultsTo != nil && same(f, t.want, f.DefaultsTo.Value):
		return t.want // of an object that was made elsewhere, or before the setting was known
	case f.Unseen():
		if !same(f, t.want, t.applied) {
			d.add(path, f, t, immutable)
		}
		return t.applied
	case unread(f, t):
		switch {
		case !same(f, t.want, t.applied):
			d.unread = append(d.unread, slices.Clone(path))
		case d.item.live.trails(path[0]):
			d.late = append(d.late, path[0])
		case t.want != nil || t.applied != nil:
			d.blind = append(d.blind, slices.Clone(path))
		}
		return t.applied
	case byKeys(f, t):
		return d.fields(path, f, t, immutable)
	case f.Type == "list" && f.Own == "element":
		return d.elements(path, f, t, immutable)
	case t.want == nil:
		if f.Default == "server" || resource.Empty(t.live) {
			return nil
		}
	case same(f, t.want, t.live):
		return t.want
	case same(f, t.want, t.applied) && d.ignored(path):
		return t.applied
	case d.spared(path, t):
		return t.want
	}
	d.add(path, f, t, immutable)
	return t.applied
}

// spared reports whether a node of an object that was found by its mark is left as
// it is: the spec ignores what others make of it, and the ledger, which would tell
// whether the spec changed since, does not know it.
func (d *differ) spared(path resource.Path, t trio) bool {
	return d.item.stray && t.applied == nil && t.want != nil && !resource.Empty(t.live) && d.ignored(path)
}

// unstamped reports whether a wanted value is a secret that could not be had.
func unstamped(want resource.Value) bool {
	s, ok := want.(resource.Secret)
	return ok && s.MAC == "" && s.Version == ""
}

// byKeys reports whether a node is compared key by key.
func byKeys(f *resource.Field, t trio) bool {
	return composite(f) && mapOrNil(t.want) && mapOrNil(t.applied) && mapOrNil(t.live) && t.live != nil
}

// unread reports whether nothing can be said of a node: what is compared as a
// whole must have been read as a whole.
func unread(f *resource.Field, t trio) bool {
	return !byKeys(f, t) && resource.HasUnread(t.live)
}

// fields compares structs field by field and maps key by key. Keys that are
// neither wanted nor applied are not ours.
func (d *differ) fields(path resource.Path, f *resource.Field, t trio, immutable bool) resource.Value {
	want, _ := t.want.(resource.Map)
	applied, _ := t.applied.(resource.Map)
	live, _ := t.live.(resource.Map)
	var out resource.Map
	for _, k := range unionKeys(want, applied) {
		sub := f.Elem
		if f.Type == "struct" {
			sub = fieldNamed(f.Fields, k)
		}
		if sub == nil {
			sub = &resource.Field{Name: k, Type: "string"}
		}
		of := trio{want[k], applied[k], live[k]}
		if sub.Computed || d.others(path, f, k, of) {
			continue
		}
		v := d.exchanged(path, f, k, of)
		if v == nil && !f.Exchanged(of.applied, of.live) {
			v = f.Identified(d.node(append(slices.Clone(path), k), sub, of, immutable || sub.Immutable), of.applied, of.live)
		}
		if v != nil {
			if out == nil {
				out = make(resource.Map, len(want))
			}
			out[k] = v
		}
	}
	if out == nil {
		if t.want == nil || t.applied == nil && len(want) > 0 {
			return nil
		}
		return resource.Map{}
	}
	return out
}

// elements compares a list of which only our own elements are ours.
func (d *differ) elements(path resource.Path, f *resource.Field, t trio, immutable bool) resource.Value {
	want, _ := t.want.(resource.List)
	applied, _ := t.applied.(resource.List)
	live, _ := t.live.(resource.List)
	gone := minus(f, applied, want)
	after := append(minus(f, live, append(slices.Clone(gone), want...)), want...)
	if same(f, after, live) {
		return t.want
	}
	switch {
	case same(f, t.want, t.applied) && d.ignored(path):
		return t.applied
	case d.spared(path, t):
		return t.want
	}
	ours := minus(f, live, minus(f, live, append(slices.Clone(applied), want...)))
	if !d.add(path, f, trio{t.want, t.applied, ours}, immutable) { // why is a matter of ours alone
		return t.applied
	}
	c := &d.changes[len(d.changes)-1]
	c.Before, c.After = t.live, after
	if len(after) == 0 && t.want == nil {
		c.After = nil
	}
	return t.applied
}

// minus gives the elements of a that are not among b.
func minus(f *resource.Field, a, b resource.List) resource.List {
	var out resource.List
	for _, e := range a {
		if !slices.ContainsFunc(b, func(o resource.Value) bool { return elemSame(f, e, o) }) {
			out = append(out, e)
		}
	}
	return out
}

func elemSame(f *resource.Field, a, b resource.Value) bool {
	if f.Elem == nil {
		return resource.Equal(a, b)
	}
	return same(f.Elem, a, b)
}

func (d *differ) ignored(path resource.Path) bool {
	return slices.ContainsFunc(d.item.want.Meta.IgnoreChanges, func(p resource.Path) bool { return path.HasPrefix(p) })
}

// add records a change of one node and why; it reports false for one that is
// left as it was changed outside.
func (d *differ) add(path resource.Path, f *resource.Field, t trio, immutable bool) bool {
	c := FieldChange{Path: slices.Clone(path), Before: t.live, After: t.want, Replaces: immutable && !d.goesAlong(f, t), Sensitive: f.Sensitive || f.WriteOnly}
	if f.Unseen() {
		c.Before = t.applied
	}
	at, placed := d.item.want.Place(path)
	c.At = at
	moved := !same(f, t.want, t.applied)
	switch {
	case resource.HasUnknown(t.want):
		c.Cause = CauseDependency
	case !moved:
		c.Cause, c.At = CauseDrift, resource.Position{}
	case d.item.ledBy(path[0]):
		c.Cause = CauseDependency
	case !placed && t.want != nil:
		c.Cause, c.At = CauseDefault, resource.Position{}
	default:
		c.Cause = CauseSpec
	}
	if _, fought := d.fought[FieldName(d.item.addr, path)]; fought && c.Cause == CauseDrift {
		d.paused = append(d.paused, c.Path)
		return false
	}
	if d.spurns(c) {
		return false
	}
	c.Conflict = moved && !f.Unseen() && t.applied != nil && !same(f, t.live, t.applied) && c.Cause != CauseDependency
	switch {
	case !f.GrowOnly || !shrinks(t.live, t.want):
	case c.Cause == CauseDrift:
		d.grown = append(d.grown, c)
		return false
	default:
		d.refused = append(d.refused, fmt.Sprintf("%s can only grow: it is %s, and the spec says %s", path, resource.Encode(t.live), resource.Encode(t.want)))
	}
	d.changes = append(d.changes, c)
	return true
}

func shrinks(live, want resource.Value) bool {
	l, ok := live.(resource.Int)
	w, ok2 := want.(resource.Int)
	return ok && ok2 && w < l
}

// Same reports whether two values of a field are the same: lists are sets
// unless the descriptor says that order matters, and which of several it is makes no
// difference. f may be nil.
func Same(f *resource.Field, a, b resource.Value) bool { return same(f, a, b) }

// same reports whether two values are the same under the field's descriptor:
// lists are sets unless ordered, and texts may have two spellings. Unknown equals
// nothing.
func same(f *resource.Field, a, b resource.Value) bool {
	if resource.Equal(a, b) {
		return true
	}
	if f == nil || !varies(f) {
		return false
	}
	return resource.Equal(canonical(f, a), canonical(f, b))
}

// varies reports whether one value may be written in several ways.
func varies(f *resource.Field) bool {
	switch f.Type {
	case "list":
		return !f.Ordered || f.Elem != nil && varies(f.Elem)
	case "map":
		return f.Elem != nil && varies(f.Elem)
	case "struct":
		return slices.ContainsFunc(f.Fields, func(s resource.Field) bool { return s.Identity || varies(&s) })
	}
	return f.Alike != nil
}

// canonical sorts the sets within v and gives each text its short spelling, once
// in a set.
func canonical(f *resource.Field, v resource.Value) resource.Value {
	if f == nil || !varies(f) {
		return v
	}
	switch x := v.(type) {
	case resource.String:
		if f.Alike != nil {
			return f.Alike.Short(x)
		}
	case resource.List:
		out := make(resource.List, len(x))
		for i, e := range x {
			out[i] = canonical(f.Elem, e)
		}
		if f.Ordered {
			return out
		}
		if out = resource.Sorted(out); f.Alike != nil {
			out = slices.CompactFunc(out, resource.Equal)
		}
		return out
	case resource.Map:
		out := make(resource.Map, len(x))
		for k, e := range x {
			sub := f.Elem
			if f.Type == "struct" {
				sub = fieldNamed(f.Fields, k)
			}
			if sub == nil || !sub.Identity {
				out[k] = canonical(sub, e)
			}
		}
		return out
	}
	return v
}

func composite(f *resource.Field) bool { return f.Type == "map" || f.Type == "struct" }

func mapOrNil(v resource.Value) bool {
	if v == nil {
		return true
	}
	_, ok := v.(resource.Map)
	return ok
}

func fieldNamed(fs []resource.Field, name string) *resource.Field {
	for i := range fs {
		if fs[i].Name == name {
			return &fs[i]
		}
	}
	return nil
}

func unionKeys(a, b resource.Map) []string {
	out := make([]string, 0, len(a)+len(b))
	for k := range a {
		out = append(out, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}
