package spec

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// checker makes the checks that span resources, or that CUE cannot express.
type checker struct {
	env   *Environment
	kinds resource.Descriptors
	at    map[string]resource.Position
	byKey map[resource.Address]*resource.Desired
	found diag.List
}

// check looks at a decoded environment.
func (l *Loader) check(env *Environment, o outcome) diag.List {
	c := &checker{env: env, kinds: l.kinds, at: o.At, byKey: map[resource.Address]*resource.Desired{}}
	for i := range env.Desired {
		c.byKey[env.Desired[i].Address] = &env.Desired[i]
	}
	if dir := path.Base(env.Dir); env.Name != dir {
		c.found = append(c.found, diag.Finding{
			Code: codePackage, Severity: diag.Error, Where: diag.Place(o.At["name"]), Subject: dir,
			Message: "the name is " + env.Name + ", the directory " + dir, Mend: fmt.Sprintf("write name: %q", dir),
		})
	}
	c.providers()
	c.sources()
	for i := range env.Desired {
		d := &env.Desired[i]
		desc := c.kinds[d.Address.Type()]
		if desc == nil {
			continue // the joined definition lets no unknown kind through
		}
		c.alias(d)
		c.meta(d, desc)
		c.oneOf(d, &resource.Field{OneOf: desc.OneOf}, nil, d.Fields)
		if desc.Lookup {
			c.lookup(d)
			continue
		}
		for _, k := range d.Fields.Keys() {
			c.value(d, desc.Field(k), resource.Path{k}, d.Fields[k])
			c.misspelt(d, desc.Field(k), k)
		}
	}
	c.moves()
	c.blocks()
	c.unique()
	return c.found
}

func (c *checker) add(d *resource.Desired, p resource.Path, f diag.Finding) {
	if f.Severity == "" {
		f.Severity = diag.Error
	}
	pos, _ := d.Place(p)
	f.Where, f.Subject = diag.Place(pos), d.Address.Local()
	if f.Where.File == "" {
		f.Where.File = c.env.Dir
	}
	c.found = append(c.found, f)
}

// providers refuses references and secrets in settings: they are needed before
// anything is resolved.
func (c *checker) providers() {
	for _, alias := range slices.Sorted(maps.Keys(c.env.Providers)) {
		p := c.env.Providers[alias]
		for _, k := range p.Settings.Keys() {
			if !resource.Contains(p.Settings[k], resolvedLater) {
				continue
			}
			at, ok := c.at[resource.Path{"providers", alias, k}.String()]
			if !ok {
				at = p.At
			}
			c.found = append(c.found, diag.Finding{
				Code: codeRefMisplaced, Severity: diag.Error, Where: diag.Place(at), Subject: "providers." + alias,
				Message: k + " holds a reference, and providers are set up before anything is resolved",
				Mend:    "write the value itself",
			})
		}
	}
}

func (c *checker) alias(d *resource.Desired) {
	alias := d.Meta.Alias
	if alias == "" {
		if _, ok := c.env.Providers[d.Address.Provider]; !ok {
			c.add(d, nil, diag.Finding{
				Code: codeAlias, Message: "no provider says where it lives",
				Mend: fmt.Sprintf("add providers: %s: …, or name an alias in $meta: provider", d.Address.Provider),
			})
		}
		return
	}
	at := resource.Path{"$meta", "provider"}
	p, ok := c.env.Providers[alias]
	switch {
	case !ok:
		names := slices.Sorted(maps.Keys(c.env.Providers))
		c.add(d, at, diag.Finding{
			Code: codeAlias, Message: "there is no provider " + alias,
			Mend: didYouMean(alias, names, "providers here: "+strings.Join(names, ", ")),
		})
	case p.Type != d.Address.Provider:
		c.add(d, at, diag.Finding{
			Code: codeAlias, Message: fmt.Sprintf("provider %s is %s, the resource %s", alias, p.Type, d.Address.Provider),
			Mend: "name a provider of type " + d.Address.Provider,
		})
	}
}

func (c *checker) meta(d *resource.Desired, desc *resource.Descriptor) {
	for _, p := range d.Meta.IgnoreChanges {
		if desc.At(p) != nil {
			continue
		}
		var names []string
		for _, f := range desc.Fields {
			names = append(names, f.Name)
		}
		c.add(d, resource.Path{"$meta", "ignoreChanges"}, diag.Finding{
			Code: codeIgnore, Message: fmt.Sprintf("ignoreChanges: %s has no field %s", d.Address.Type(), p),
			Mend: didYouMean(p[0], names, "fields: "+strings.Join(names, ", ")),
		})
	}
}

// moves refuses former addresses that are of another kind, still in use, or
// claimed twice.
func (c *checker) moves() {
	claimed := map[resource.Address]*resource.Desired{}
	for i := range c.env.Desired {
		d := &c.env.Desired[i]
		from := d.Meta.MovedFrom
		if from == nil {
			continue
		}
		f := diag.Finding{Code: codeMovedFrom, Mend: "name the address that this resource had before"}
		switch {
		case from.Env != d.Address.Env && from.Env != c.env.MovedFrom:
			f.Message = fmt.Sprintf("movedFrom: %s is another environment's, and a resource is renamed within its own", from)
			f.Mend = fmt.Sprintf("to give its object to this one: isobar forget %s %s, take it out there and apply that, then isobar import %s %s ID",
				from.Env, from.Local(), d.Address.Env, d.Address.Local())
		case from.Type() != d.Address.Type():
			f.Message = fmt.Sprintf("movedFrom: %s is no %s", from, d.Address.Type())
		case c.byKey[*from] != nil:
			f.Message, f.Mend = fmt.Sprintf("movedFrom: %s is still here", from.Local()), "remove that resource, or movedFrom"
		case claimed[*from] != nil:
			f.Message = fmt.Sprintf("movedFrom: %s says it came from %s too", claimed[*from].Address.Local(), from)
		default:
			claimed[*from] = d
			continue
		}
		c.add(d, resource.Path{"$meta", "movedFrom"}, f)
	}
}

// value checks one value against its field: references, secrets, and groups of
// which exactly one field is set.
func (c *checker) value(d *resource.Desired, f *resource.Field, at resource.Path, v resource.Value) {
	switch x := v.(type) {
	case resource.Ref:
		c.ref(d, f, at, x)
	case resource.Template:
		for _, e := range x {
			if r, ok := e.(resource.Ref); ok {
				c.ref(d, nil, at, r)
			}
		}
	case resource.Secret:
		c.secret(d, f, at, x)
	case resource.List:
		for i, e := range x {
			c.value(d, elemOf(f), append(at[:len(at):len(at)], strconv.Itoa(i)), e)
		}
		c.keys(d, f, at, x)
	case resource.Map:
		c.oneOf(d, f, at, x)
		c.needs(d, f, at, x)
		for _, k := range x.Keys() {
			c.value(d, f.Child(k), append(at[:len(at):len(at)], k), x[k])
		}
	}
}

func elemOf(f *resource.Field) *resource.Field {
	if f == nil {
		return nil
	}
	return f.Elem
}

// ref checks that a reference leads to an output of a resource of the right
// kind. Another environment's resources are resolved later, from its ledger.
func (c *checker) ref(d *resource.Desired, f *resource.Field, at resource.Path, r resource.Ref) {
	desc := c.kinds[r.Address.Type()]
	switch {
	case desc == nil:
		c.add(d, at, diag.Finding{Code: codeReference, Message: "there is no kind " + r.Address.Type(), Mend: "refer to a resource's #out"})
		return
	case !slices.ContainsFunc(desc.Outs, func(o resource.Out) bool { return o.Name == r.Out }):
		var names []string
		for _, o := range desc.Outs {
			names = append(names, o.Name)
		}
		c.add(d, at, diag.Finding{
			Code: codeReference, Message: fmt.Sprintf("%s has no output %s", r.Address.Local(), r.Out),
			Mend: didYouMean(r.Out, names, "outputs: "+strings.Join(names, ", ")),
		})
	case f != nil && f.Ref != "" && (r.Address.Type() != f.Ref || r.Out != cmp.Or(f.RefOut, "id")):
		c.add(d, at, diag.Finding{
			Code: codeRefMisplaced, Message: fmt.Sprintf("%s wants the %s of %s, got %s", at[0], cmp.Or(f.RefOut, "id"), f.Ref, r.Short()),
			Mend: "refer to " + f.Ref + ".NAME.#out." + cmp.Or(f.RefOut, "id"),
		})
	}
	if r.Address.Env == c.env.Name && c.byKey[r.Address] == nil {
		c.add(d, at, diag.Finding{
			Code: codeReference, Message: r.Address.Local() + " does not exist", Mend: "define it, or refer to one that does",
		})
	}
	if own := c.kinds[d.Address.Type()]; r.Address == d.Address && (own == nil || own.Field(at[0]) == nil || own.Field(at[0]).Aspect == "") { // what is set after it is made may
		c.add(d, at, diag.Finding{Code: codeReference, Message: "it refers to itself", Mend: "refer to another resource, or write the value"})
	}
}

func (c *checker) oneOf(d *resource.Desired, f *resource.Field, at resource.Path, m resource.Map) {
	if f == nil {
		return
	}
	of := ""
	if len(at) > 0 {
		of = at.String() + ": "
	}
	for _, group := range f.OneOf {
		var set []string
		for _, name := range group {
			if m[name] != nil {
				set = append(set, name)
			}
		}
		switch len(set) {
		case 1:
		case 0:
			c.add(d, at, diag.Finding{Code: codeOneOf, Message: of + "none of " + strings.Join(group, ", ") + " is set", Mend: "set one of them"})
		default:
			c.add(d, at, diag.Finding{Code: codeOneOf, Message: of + strings.Join(set, " and ") + " exclude each other", Mend: "keep one of them"})
		}
	}
}

// needs wants of one field what another one asks for, where both are known.
func (c *checker) needs(d *resource.Desired, f *resource.Field, at resource.Path, m resource.Map) {
	if f == nil {
		return
	}
	for _, n := range f.Needs {
		is, known := n.If.Holds(m)
		has, told := n.Then.Holds(m)
		if !is || !known || has || !told {
			continue
		}
		of, want, mend := n.If.Field, n.Then.Field+" beside it", "set "+n.Then.Field
		if len(n.If.Is) > 0 {
			of += " " + m.Text(n.If.Field)
		}
		if len(n.Then.Is) > 0 {
			want = n.Then.Field + " to be " + strings.Join(n.Then.Is, ", ")
			mend = "write another " + n.Then.Field
		}
		if len(n.If.Is) == 0 {
			mend += ", or leave " + n.If.Field + " out"
		}
		c.add(d, append(at[:len(at):len(at)], n.If.Field), diag.Finding{
			Code: codeNeeds, Message: fmt.Sprintf("%s: %s needs %s", at, of, want), Mend: mend,
		})
	}
}

// misspelt refuses address blocks that the provider would keep in another spelling:
// they would differ from what is read back for ever.
func (c *checker) misspelt(d *resource.Desired, f *resource.Field, name string) {
	resource.Misspelt(f, resource.Path{name}, d.Fields[name], func(at resource.Path, block string) {
		c.add(d, at, blockFinding(at.String(), block))
	})
}

// keyText writes an element's key, "destinationCidrBlock \"0.0.0.0/0\"".
func keyText(f *resource.Field, key resource.Map) string {
	var parts []string
	for _, name := range f.Key {
		if v := key[name]; v != nil {
			parts = append(parts, name+" "+string(resource.Encode(v)))
		}
	}
	return strings.Join(parts, ", ")
}

// keys refuses two elements of a keyed list with the same key.
func (c *checker) keys(d *resource.Desired, f *resource.Field, at resource.Path, l resource.List) {
	seen := map[string]bool{}
	for i, e := range l {
		of := f.KeyOf(e)
		if of == nil {
			continue
		}
		k := string(resource.Encode(of))
		if seen[k] {
			c.add(d, append(at[:len(at):len(at)], strconv.Itoa(i)), diag.Finding{
				Code: codeDuplicate, Message: fmt.Sprintf("%s: %s stands twice", at, keyText(f, of)), Mend: "keep one of them",
			})
		}
		seen[k] = true
	}
}
