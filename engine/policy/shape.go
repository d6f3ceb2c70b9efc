package policy

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/open-policy-agent/opa/v1/ast"

	"isobar.dev/engine/resource"
)

// sides are an object's fields as rules see them, and beside them what is not
// known and what is sensitive, each true at its place.
type sides struct{ known, unknown, sensitive *ast.Term }

// Type is the type under which rules know a kind: Terraform's where it has
// one, else the kind's own name.
func Type(k *resource.Descriptor, kind string) string {
	if k != nil && k.TF != "" {
		return k.TF
	}
	return kind
}

// fields turns an object's fields into Terraform's names and structure.
func (d *Document) fields(a resource.Address, m resource.Map) sides {
	k := d.kinds[a.Type()]
	if k != nil {
		m = shape(k, m)
	}
	s := d.convertMap(m, func(key string) (*resource.Field, *ast.Term) {
		var f *resource.Field
		if k != nil {
			f = k.Field(key)
		}
		return f, d.fieldKey(f, key)
	})
	if k == nil || k.TF == "" {
		return s
	}
	if known, ok := s.known.Value.(ast.Object); ok {
		if tags := known.Get(d.key("tags")); tags != nil {
			s.known = with(s.known, d.key("tags_all"), tags)
		}
	}
	return s
}

// shape changes the structure of the kinds that Terraform cuts otherwise; it
// leaves m alone and shares what it keeps.
//
// aws.security_group: a rule's one peer becomes the list that Terraform has
// for its sort (cidr_blocks, ipv6_cidr_blocks, security_groups,
// prefix_list_ids; the other lists are empty, self is false), and where a
// protocol has no ports, from_port and to_port are 0.
//
// Other kinds with a Terraform type: a struct, which Terraform writes as a
// block (metadata_options, root_block_device), becomes a list of one, as in
// its plans.
func shape(k *resource.Descriptor, m resource.Map) resource.Map {
	switch k.TF {
	case "":
		return m
	case "aws_security_group":
	default:
		return blocks(k, m)
	}
	out := make(resource.Map, len(m))
	for key, v := range m {
		l, ok := v.(resource.List)
		if !ok || key != "ingress" && key != "egress" {
			out[key] = v
			continue
		}
		rules := make(resource.List, len(l))
		for i, r := range l {
			rules[i] = ruleShape(r)
		}
		out[key] = rules
	}
	return out
}

func blocks(k *resource.Descriptor, m resource.Map) resource.Map {
	var out resource.Map
	for i := range k.Fields {
		f := &k.Fields[i]
		v, ok := m[f.Name].(resource.Map)
		if !ok || f.Type != "struct" {
			continue
		}
		if out == nil {
			out = maps.Clone(m)
		}
		out[f.Name] = resource.List{v}
	}
	if out == nil {
		return m
	}
	return out
}

func ruleShape(v resource.Value) resource.Value {
	r, ok := v.(resource.Map)
	if !ok {
		return v
	}
	out := make(resource.Map, len(r)+6)
	for k, e := range r {
		out[k] = e
	}
	for _, peer := range []string{"cidrIpv4", "cidrIpv6", "referencedGroupId", "prefixListId"} {
		switch e := r[peer].(type) {
		case nil, resource.Null:
			out[peer] = resource.List{}
		case resource.List:
		default:
			out[peer] = resource.List{e}
		}
	}
	for _, port := range []string{"fromPort", "toPort"} {
		if r[port] == nil {
			out[port] = resource.Int(0)
		}
	}
	out["self"] = resource.Bool(false)
	return out
}

// tfName is a field's name in Terraform.
func tfName(f *resource.Field) string { return cmp.Or(f.TF, snake(f.Name)) }

// snake turns lowerCamel into snake_case: cidrBlock to cidr_block, memoryMB to
// memory_mb, numCPUs to num_cpus.
func snake(s string) string {
	var b strings.Builder
	r := []rune(s)
	for i, c := range r {
		if unicode.IsUpper(c) && i > 0 && r[i-1] != '_' {
			next := i+1 < len(r) && unicode.IsLower(r[i+1])
			plural := i+2 == len(r) && r[i+1] == 's'
			if !unicode.IsUpper(r[i-1]) || next && !plural {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// namer finds a key's descriptor and the name under which rules know it.
type namer func(key string) (*resource.Field, *ast.Term)

func (d *Document) convertMap(m resource.Map, name namer) sides {
	known := make([][2]*ast.Term, 0, len(m))
	var unknown, sensitive [][2]*ast.Term
	for key, v := range m {
		f, n := name(key)
		if f != nil && (f.Sensitive || f.WriteOnly) && v != nil && !isUnknown(v) {
			v = resource.Secret{}
		}
		s := d.convert(f, v)
		if s.known != nil {
			known = append(known, ast.Item(n, s.known))
		}
		if s.unknown != nil {
			unknown = append(unknown, ast.Item(n, s.unknown))
		}
		if s.sensitive != nil {
			sensitive = append(sensitive, ast.Item(n, s.sensitive))
		}
	}
	return sides{object(known...), object(unknown...), object(sensitive...)}
}

func isUnknown(v resource.Value) bool {
	_, ok := v.(resource.Unknown)
	return ok
}

// convert turns one value; a nil side is absent. References that are not
// resolved, and what could not be read, are not known.
func (d *Document) convert(f *resource.Field, v resource.Value) sides {
	yes := ast.InternedTerm(true)
	switch x := v.(type) {
	case nil:
		return sides{}
	case resource.Null:
		return sides{known: ast.NullTerm()}
	case resource.Bool:
		return sides{known: ast.InternedTerm(bool(x))}
	case resource.Int:
		return sides{known: ast.InternedTerm(int(x))}
	case resource.Float:
		return sides{known: ast.NumberTerm(json.Number(strconv.FormatFloat(float64(x), 'g', -1, 64)))}
	case resource.String:
		return sides{known: text(string(x))}
	case resource.Secret:
		return sides{known: text(resource.Hidden), sensitive: yes}
	case resource.Map:
		return d.convertNested(f, x)
	case resource.List:
		return d.convertList(f, x)
	case resource.Template:
		if slices.ContainsFunc(x, func(e resource.Value) bool { _, ok := e.(resource.Secret); return ok }) {
			return sides{known: text(resource.Hidden), sensitive: yes}
		}
	case resource.Ref, resource.Unknown, resource.Unread:
	}
	return sides{unknown: yes}
}

// convertNested turns a struct, whose fields are renamed, or a map, whose keys
// are the user's.
func (d *Document) convertNested(f *resource.Field, m resource.Map) sides {
	s := d.convertMap(m, func(key string) (*resource.Field, *ast.Term) {
		switch {
		case f == nil:
			return nil, d.key(key)
		case f.Type == "map":
			return f.Elem, d.key(key)
		}
		for i := range f.Fields {
			if f.Fields[i].Name == key {
				return &f.Fields[i], d.fieldKey(&f.Fields[i], key)
			}
		}
		return nil, d.fieldKey(nil, key)
	})
	return s.trim()
}

func (d *Document) convertList(f *resource.Field, l resource.List) sides {
	var elem *resource.Field
	switch {
	case f == nil:
	case f.Type == "struct": // a block
		elem = f
	default:
		elem = f.Elem
	}
	known := make([]*ast.Term, 0, len(l))
	var unknown, sensitive []*ast.Term
	some, secret := false, false
	for _, e := range l {
		if elem != nil && (elem.Sensitive || elem.WriteOnly) && !isUnknown(e) {
			e = resource.Secret{}
		}
		s := d.convert(elem, e)
		some, secret = some || s.unknown != nil, secret || s.sensitive != nil
		known = append(known, orNull(s.known))
		unknown = append(unknown, orFalse(s.unknown))
		sensitive = append(sensitive, orFalse(s.sensitive))
	}
	out := sides{known: list(known)}
	if some {
		out.unknown = list(unknown)
	}
	if secret {
		out.sensitive = list(sensitive)
	}
	return out
}

// trim drops sides in which nothing is true.
func (s sides) trim() sides {
	if o, ok := s.unknown.Value.(ast.Object); ok && o.Len() == 0 {
		s.unknown = nil
	}
	if o, ok := s.sensitive.Value.(ast.Object); ok && o.Len() == 0 {
		s.sensitive = nil
	}
	return s
}

func orNull(t *ast.Term) *ast.Term {
	if t == nil {
		return ast.NullTerm()
	}
	return t
}

func orFalse(t *ast.Term) *ast.Term {
	if t == nil {
		return ast.InternedTerm(false)
	}
	return t
}

// tfPath is a field's path as Terraform writes it: a list of names.
func (d *Document) tfPath(a resource.Address, p resource.Path) *ast.Term {
	k := d.kinds[a.Type()]
	out := make([]*ast.Term, len(p))
	for i, e := range p {
		out[i] = text(e)
		if k == nil {
			continue
		}
		if f := k.At(p[:i+1]); f != nil && f.Name == e {
			out[i] = text(tfName(f))
		}
	}
	return list(out)
}

func text(s string) *ast.Term { return ast.InternedTerm(s) }

// key is an object's key; equal ones share one term, since a document has few
// of them, many times over.
func (d *Document) key(s string) *ast.Term {
	t := d.keys[s]
	if t == nil {
		t = text(s)
		d.keys[s] = t
	}
	return t
}

// fieldKey is the key under which rules know a field; f is nil for a field
// that no descriptor has.
func (d *Document) fieldKey(f *resource.Field, name string) *ast.Term {
	if f == nil {
		return d.key(snake(name))
	}
	t := d.fieldKeys[f]
	if t == nil {
		t = d.key(tfName(f))
		d.fieldKeys[f] = t
	}
	return t
}

func (d *Document) item(key string, v *ast.Term) [2]*ast.Term {
	return [2]*ast.Term{d.key(key), orNull(v)}
}

func object(kv ...[2]*ast.Term) *ast.Term { return ast.ObjectTerm(kv...) }

func list(ts []*ast.Term) *ast.Term { return ast.ArrayTerm(ts...) }

// with is an object with one more key; another value is left as it is.
func with(t *ast.Term, key *ast.Term, v *ast.Term) *ast.Term {
	o, ok := t.Value.(ast.Object)
	if !ok {
		return t
	}
	n := ast.NewObject(ast.Item(key, v))
	if merged, ok := o.Merge(n); ok {
		return ast.NewTerm(merged)
	}
	return t
}
