package view

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// entry is one change, in words: what every face of a plan shows.
type entry struct {
	symbol  string
	risk    int // as plan.Change.Risk has it
	address string
	head    string // "replace: cidrBlock is immutable"
	tail    string // "disruptive", or where the spec has it
	rows    []row
}

// row is one field's line: a path, what becomes of it, and why.
type row struct {
	path string // "" continues the row above
	what string // the value, or the value that was
	to   string // the value that will be, or ""
	why  string
}

// fit writes the row's values within limit characters.
func (r *row) fit(limit int) string {
	if r.to == "" {
		return brief(r.what, limit)
	}
	const arrow = " → "
	half := (limit - wide(arrow)) / 2
	a, b := wide(r.what), wide(r.to)
	switch {
	case a+b+wide(arrow) <= limit:
		return r.what + arrow + r.to
	case a <= half:
		return r.what + arrow + brief(r.to, limit-wide(arrow)-a)
	case b <= half:
		return brief(r.what, limit-wide(arrow)-b) + arrow + r.to
	}
	what, to := apart(r.what, r.to, half)
	return brief(what, half) + arrow + brief(to, half)
}

// apart cuts off what two long texts begin with alike, so that where they differ is
// within the limit.
func apart(a, b string, limit int) (string, string) {
	const before = 12 // characters that stay, to find the place by
	x, y := []rune(a), []rune(b)
	n := 0
	for n < min(len(x), len(y)) && x[n] == y[n] {
		n++
	}
	if n -= before; n+2*before <= limit {
		return a, b
	}
	return "…" + string(x[n:]), "…" + string(y[n:])
}

// ordered gives the plan's changes by risk, then address.
func (p *Plan) ordered() []*plan.Change {
	out := make([]*plan.Change, len(p.Plan.Changes))
	for i := range p.Plan.Changes {
		out[i] = &p.Plan.Changes[i]
	}
	slices.SortStableFunc(out, func(a, b *plan.Change) int {
		return cmp.Or(cmp.Compare(a.Risk(), b.Risk()), a.Address.Compare(b.Address), strings.Compare(a.Token, b.Token))
	})
	return out
}

// createLines is how many lines the fields of what is created may take in a plan
// before they are left out: two screens or so. A plan of 300 creates would bury
// its deletions.
const createLines = 80

// listed are the plan's entries with the fields of creates, unless they are too
// many and nobody asked for them; hidden counts the lines left out.
func (p *Plan) listed(detail bool) (es []entry, hidden int) {
	es = p.entries(true)
	if detail {
		return es, 0
	}
	for i, c := range p.ordered() {
		if c.Action == plan.Create {
			hidden += len(es[i].rows)
		}
	}
	if hidden <= createLines {
		return es, 0
	}
	return p.entries(false), hidden
}

// entries puts the plan's changes into words, by risk.
func (p *Plan) entries(detail bool) []entry {
	out := make([]entry, 0, len(p.Plan.Changes))
	for _, c := range p.ordered() {
		out = append(out, p.entry(c, detail))
	}
	return out
}

func (p *Plan) entry(c *plan.Change, detail bool) entry {
	e := entry{symbol: symbol(c.Action), risk: c.Risk(), address: c.Address.Local()}
	e.head = join(": ", string(c.Action), why(c))
	switch {
	case c.Action == plan.Delete && c.ID != "":
		e.tail = clean(string(c.ID))
	case c.Disruptive || c.Action == plan.Replace && !c.First:
		e.tail = "disruptive"
	case c.Action == plan.Create || c.Action == plan.Adopt || c.Action == plan.Pin || c.Action == plan.Forget:
		e.tail = place(c.At)
	}
	if c.Action == plan.Delete || c.Action == plan.Create && !detail {
		return e
	}
	d := p.Kinds[c.Address.Type()]
	for i := range c.Fields {
		rs := rows(&c.Fields[i], d, c.Action == plan.Create || c.Action == plan.Pin && c.Before == nil)
		rs[0].why = cause(c, &c.Fields[i])
		e.rows = append(e.rows, rs...)
	}
	if c.Action == plan.Replace && c.ID != "" {
		e.rows = append(e.rows, row{path: "id", what: word(string(c.ID)), to: unknownText})
	}
	return e
}

// why says in words what makes the object change as a whole.
func why(c *plan.Change) string {
	var parts []string
	add := func(s string) {
		if s != "" && !slices.Contains(parts, s) {
			parts = append(parts, s)
		}
	}
	if c.Deposed {
		add("left over from an earlier replacement")
	}
	if c.Action == plan.Replace {
		for i := range c.Fields {
			if f := &c.Fields[i]; f.Replaces {
				add(clean(f.Path.String()) + " is immutable")
			}
		}
	}
	for _, r := range c.Reasons {
		add(reason(r, c.Action))
	}
	if c.First {
		add("the new one first")
	}
	return strings.Join(parts, ", ")
}

// drifter says who changed the object outside, as far as known.
func drifter(c *plan.Change) string {
	for _, r := range c.Reasons {
		if r.Cause == plan.CauseDrift && r.Text != "" {
			return clean(r.Text)
		}
	}
	return ""
}

func reason(r plan.Reason, a plan.Action) string {
	s := clean(r.Text)
	switch r.Cause {
	case plan.CauseDrift:
		switch {
		case (r.Text == plan.MarkGone || r.Text == plan.MarkChanged) && a == plan.Adopt:
			return s + ", put back"
		case r.Text == plan.MarkGone || r.Text == plan.MarkChanged:
			return s
		case a == plan.Update || a == plan.Replace:
			return "drift, put back"
		}
		return join(", ", "drift", s)
	case plan.CauseDependency:
		if s != "" {
			return s
		}
		if !r.Of.IsZero() {
			return r.Of.Local() + " is made anew"
		}
		return "a dependency is made anew"
	case plan.CauseDefault:
		return cmp.Or(s, "a default of the schema")
	case plan.CauseBroken:
		return cmp.Or(s, "an earlier run left it half made")
	case plan.CauseMark:
		return cmp.Or(s, "it bears our mark, but the ledger did not know it")
	case plan.CauseImport:
		return cmp.Or(s, "a person named it")
	case plan.CauseLookup:
		return cmp.Or(s, "looked up")
	case plan.CauseSpec:
		if a == plan.Delete || a == plan.Forget {
			return cmp.Or(s, "gone from the spec")
		}
	}
	return s
}

// rows writes one field's change: sets as the elements that come and go, maps
// key by key, other values as before → after.
func rows(f *plan.FieldChange, d *resource.Descriptor, created bool) []row {
	before, after := shown(f, d)
	n := node{clean(f.Path.String()), d.At(f.Path)}
	if created {
		return []row{{path: n.path, what: text(after)}}
	}
	return n.compare(before, after)
}

// node is a place within an object's fields, as it is shown, and what the schema
// says of it; the field is nil where that is unknown.
type node struct {
	path  string
	field *resource.Field
}

// key gives the node of a map's or a struct's key.
func (n node) key(k string) node {
	return node{n.path + "." + clean(resource.Path{k}.String()), n.field.Child(k)}
}

// element gives the node of one element of a list, by what tells it apart from
// the others, and else by its place among them.
func (n node) element(list resource.List, e resource.Value) node {
	var elem *resource.Field
	if n.field != nil {
		elem = n.field.Elem
	}
	if k := elementKey(n.field, e); k != "" {
		return node{n.path + "." + clean(resource.Path{k}.String()), elem}
	}
	at := slices.IndexFunc(list, func(o resource.Value) bool { return resource.Equal(o, e) })
	return node{n.path + "." + strconv.Itoa(at), elem}
}

// shown gives a field's values with what is sensitive masked.
func shown(f *plan.FieldChange, d *resource.Descriptor) (before, after resource.Value) {
	before, after = f.Before, f.After
	if d != nil {
		fd := d.At(f.Path)
		before, after = mask(fd, before), mask(fd, after)
	}
	if f.Sensitive {
		before, after = hide(before), hide(after)
	}
	return before, after
}

func (n node) compare(before, after resource.Value) []row {
	bl, ok1 := asList(before)
	al, ok2 := asList(after)
	if ok1 && ok2 && (before != nil || after != nil) {
		if out := n.elements(bl, al); len(out) > 0 {
			return out
		}
	}
	bm, ok1 := before.(resource.Map)
	am, ok2 := after.(resource.Map)
	if ok1 && ok2 {
		if out := n.keys(bm, am); len(out) > 0 {
			return out
		}
	}
	if ok1 && after == nil && len(bm) > 0 {
		return n.keys(bm, nil)
	}
	if ok2 && before == nil && len(am) > 0 {
		return n.keys(nil, am)
	}
	if sameSecret(before, after) {
		return []row{{path: n.path, what: text(after) + ", value changed"}}
	}
	return []row{{path: n.path, what: text(before), to: text(after)}}
}

// asList takes a list, and absence for the empty one.
func asList(v resource.Value) (resource.List, bool) {
	if v == nil {
		return nil, true
	}
	l, ok := v.(resource.List)
	return l, ok
}

// elements lists what comes to and goes from a list, and key by key what becomes of
// an element that stays; nothing where only the order differs.
func (n node) elements(before, after resource.List) []row {
	var gone, come, stay []row
	for _, p := range pairs(n.field, before, after) {
		if p.was != nil && p.is != nil && !n.whole(p) {
			stay = append(stay, n.element(before, p.was).keys(p.was.(resource.Map), p.is.(resource.Map))...)
			continue
		}
		if p.was != nil {
			gone = append(gone, row{what: "- " + element(p.was, n.path)})
		}
		if p.is != nil {
			come = append(come, row{what: "+ " + element(p.is, n.path)})
		}
	}
	out := slices.Concat(gone, come)
	if len(out) > 0 {
		out[0].path = n.path
	}
	return append(out, stay...)
}

// whole reports whether an element that becomes another one is shown as one that
// goes and one that comes: a network's rule is, which reads as a sentence, and
// what is short.
func (n node) whole(p pair) bool {
	_, ok1 := p.was.(resource.Map)
	_, ok2 := p.is.(resource.Map)
	_, rule := ruleText(p.was, n.path)
	return rule || !ok1 || !ok2 || elementKey(n.field, p.was) == "" && max(wide(text(p.was)), wide(text(p.is))) <= foldAt/2
}

func element(e resource.Value, path string) string {
	if s, ok := ruleText(e, path); ok {
		return s
	}
	return text(e)
}

func (n node) keys(before, after resource.Map) []row {
	all := resource.Map{}
	for k := range before {
		all[k] = nil
	}
	for k := range after {
		all[k] = nil
	}
	var out []row
	for _, k := range all.Keys() {
		b, a := before[k], after[k]
		if resource.Equal(b, a) {
			continue
		}
		at := n.key(k)
		switch {
		case b == nil:
			out = append(out, row{path: at.path, what: "+ " + text(a)})
		case a == nil:
			out = append(out, row{path: at.path, what: "- " + text(b)})
		default:
			out = append(out, at.compare(b, a)...)
		}
	}
	return out
}

// hide masks a sensitive field's value and keeps what tells versions apart.
func hide(v resource.Value) resource.Value {
	switch v.(type) {
	case nil, resource.Secret, resource.Unknown:
		return v
	}
	return resource.Secret{}
}

// schemaDefault is why a field has a value that nobody wrote.
const schemaDefault = "schema default"

// cause says in words why a field of c changes.
func cause(c *plan.Change, f *plan.FieldChange) string {
	switch f.Cause {
	case plan.CauseSpec:
		if f.Conflict {
			return join(", ", place(f.At), "changed outside too: the spec wins")
		}
		return place(f.At)
	case plan.CauseDrift:
		return cmp.Or(drifter(c), "changed outside")
	case plan.CauseDefault:
		return schemaDefault
	case plan.CauseDependency:
		if u, ok := f.After.(resource.Unknown); ok && !u.Because.Address.IsZero() {
			return "from " + u.Because.Short()
		}
		return join(", ", "dependency", place(f.At))
	case plan.CauseBroken:
		return "left half made"
	case plan.CauseMark, plan.CauseImport:
		return "as found"
	case plan.CauseLookup:
		return ""
	}
	return place(f.At)
}
