package plan

import (
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// dependant is an item that refers to another by a field of an aspect.
type dependant struct {
	it    *item
	dep   ledger.Dep
	field string // the field that is seen to refer; "" where only the ledger says so
}

// dependants lists whose objects refer to it's present object: those that the
// ledger knows, and, where it goes, those that are seen to.
func (b *builder) dependants(it *item) []dependant {
	if it.entry == nil {
		return nil
	}
	if b.inverse == nil {
		b.bind()
	}
	var out []dependant
	for _, y := range b.inverse[it.entry.Address] {
		if y.it != it && (y.dep.Token == "" || y.dep.Token == it.entry.Token) {
			out = append(out, y)
		}
	}
	return out
}

// bind finds who refers to whom. What goes must be known by then.
func (b *builder) bind() {
	b.inverse = map[resource.Address][]dependant{}
	at := make(map[string]resource.Address, len(b.items)) // where each token lives now: a restored ledger may not know of a move
	for _, it := range b.items {
		if it.entry != nil {
			at[it.entry.Token] = it.entry.Address
		}
	}
	add := func(y dependant) {
		a, known := at[y.dep.Token]
		if !known {
			a = y.dep.Address
		}
		b.inverse[a] = append(b.inverse[a], y)
	}
	goers := map[string][]*item{}
	for _, y := range b.items {
		if y.entry == nil || y.lost {
			continue
		}
		for _, d := range y.entry.Record.Deps {
			add(dependant{it: y, dep: d})
		}
		if y.goes() {
			for _, name := range names(y) {
				goers[name] = append(goers[name], y)
			}
		}
	}
	if len(goers) == 0 {
		return
	}
	for _, y := range slices.Concat(b.items, b.left) {
		if y.live.Seen != Present || y.kind.Descriptor == nil {
			continue
		}
		for i := range y.kind.Fields {
			f := &y.kind.Fields[i]
			if f.Computed {
				continue
			}
			references(f, y.live.Object.Fields[f.Name], func(kind string, v resource.Value) {
				text, _ := v.(resource.String)
				for _, it := range goers[string(text)] {
					d := ledger.Dep{Address: it.entry.Address, Token: it.entry.Token, Aspect: f.Aspect}
					if it == y || it.addr.Type() != kind {
						continue
					}
					if it.kind.Lookup { // what it found stays where it is, and may be named by hand
						add(dependant{it: y, dep: d})
					} else {
						add(dependant{y, d, f.Name})
					}
				}
			})
		}
	}
}

// seen lists what an object is seen to refer to among what the ledger owns.
func (b *builder) seen(it *item) []ledger.Dep {
	if b.named == nil {
		b.named = map[string][]*item{}
		for _, y := range b.items {
			if y.entry == nil || y.lost {
				continue
			}
			for _, name := range names(y) {
				b.named[name] = append(b.named[name], y)
			}
		}
	}
	var out []ledger.Dep
	for i := range it.kind.Fields {
		f := &it.kind.Fields[i]
		if f.Computed {
			continue
		}
		references(f, it.live.Object.Fields[f.Name], func(kind string, v resource.Value) {
			text, _ := v.(resource.String)
			for _, y := range b.named[string(text)] {
				d := ledger.Dep{Address: y.addr, Token: y.entry.Token, Aspect: f.Aspect}
				if y.addr.Type() == kind && !slices.Contains(out, d) {
					out = append(out, d)
				}
			}
		})
	}
	return out
}

// names lists what a reference to the item's object may read: its id and its
// outputs.
func names(it *item) []string {
	out := []string{string(it.entry.Record.ID)}
	for _, name := range it.entry.Record.Outs.Keys() {
		if s, ok := it.entry.Record.Outs[name].(resource.String); ok && s != "" && string(s) != out[0] {
			out = append(out, string(s))
		}
	}
	return out
}

// references tells each text or reference in v that stands where f has a reference,
// with the kind that it refers to.
func references(f *resource.Field, v resource.Value, tell func(kind string, v resource.Value)) {
	if f == nil || v == nil {
		return
	}
	switch x := v.(type) {
	case resource.String, resource.Ref, resource.Template:
		if f.Ref != "" {
			tell(f.Ref, x)
		}
	case resource.List:
		for _, e := range x {
			references(elemOf(f), e, tell)
		}
	case resource.Map:
		for _, k := range x.Keys() {
			e := x[k]
			if f.Type == "struct" {
				references(fieldNamed(f.Fields, k), e, tell)
			} else {
				references(elemOf(f), e, tell)
			}
		}
	}
}

// elemOf gives the descriptor of a list's or map's elements; where the schema
// put the reference on the list itself, it holds for each element.
func elemOf(f *resource.Field) *resource.Field {
	if f.Ref != "" && (f.Elem == nil || f.Elem.Ref == "") {
		return &resource.Field{Type: "string", Ref: f.Ref}
	}
	return f.Elem
}
