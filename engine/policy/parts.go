package policy

import (
	"encoding/json"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// Terraform has some aspects of an object as resources of their own: a bucket's
// policy is an aws_s3_bucket_policy. Such a field (TFType) is taken out of its
// object in resource_changes, resource_drift and planned_values and stands
// beside it there, under the object's own name. The inventories in isobar.spec
// and isobar.live keep objects whole.

// partsOf gives the fields of a kind that are resources of their own.
func partsOf(k *resource.Descriptor) []*resource.Field {
	if k == nil {
		return nil
	}
	var out []*resource.Field
	for i := range k.Fields {
		if k.Fields[i].TFType != "" {
			out = append(out, &k.Fields[i])
		}
	}
	return out
}

// bare gives fields without those that are resources of their own.
func bare(parts []*resource.Field, m resource.Map) resource.Map {
	if m == nil || len(parts) == 0 {
		return m
	}
	out := make(resource.Map, len(m))
	for k, v := range m {
		if !slices.ContainsFunc(parts, func(f *resource.Field) bool { return f.Name == k }) {
			out[k] = v
		}
	}
	return out
}

// split gives a change as Terraform has it: the object's own and one for each
// of its parts that is there, before or after.
func (d *Document) split(c *plan.Change) []*ast.Term {
	parts := partsOf(d.kinds[c.Address.Type()])
	if len(parts) == 0 {
		return []*ast.Term{d.change(c)}
	}
	own := *c
	own.Before, own.After, own.Fields = bare(parts, c.Before), bare(parts, c.After), nil
	touched := map[string]bool{}
	for _, f := range c.Fields {
		if len(f.Path) > 0 && slices.ContainsFunc(parts, func(p *resource.Field) bool { return p.Name == f.Path[0] }) {
			touched[f.Path[0]] = true
		} else {
			own.Fields = append(own.Fields, f)
		}
	}
	if c.Action == plan.Update && len(own.Fields) == 0 {
		own.Action = "" // a no-op: its parts change alone
	}
	out := []*ast.Term{d.change(&own)}
	for _, f := range parts {
		before, after := partShape(f, c.Before), partShape(f, c.After)
		if before == nil && after == nil {
			continue
		}
		b, a := d.partSide(before), d.partSide(after)
		kv := [][2]*ast.Term{
			d.item("actions", partActions(c, touched[f.Name], before != nil, after != nil)),
			d.item("before", b.known), d.item("after", a.known), d.item("after_unknown", a.unknown),
			d.item("before_sensitive", b.sensitive), d.item("after_sensitive", a.sensitive),
		}
		out = append(out, object(append(d.partIdentity(c.Address, f), d.item("change", object(kv...)), d.item("isobar", d.aboutPart(c.Address, f)))...))
	}
	return out
}

// partActions gives Terraform's words for what becomes of a part. The parts of
// what is replaced go with it and are made for the new one.
func partActions(c *plan.Change, touched, before, after bool) *ast.Term {
	word := "no-op"
	switch {
	case c.Action == plan.Replace && c.Spares && before:
		word = "forget"
		if after {
			return list([]*ast.Term{text("create"), text(word)})
		}
	case c.Action == plan.Replace && before && after:
		return list([]*ast.Term{text("delete"), text("create")})
	case c.Action == plan.Forget:
		word = "forget"
	case after && !before:
		word = "create"
	case before && !after:
		word = "delete"
	case touched:
		word = "update"
	}
	return list([]*ast.Term{text(word)})
}

// partIdentity is what Terraform says of every resource, of a part.
func (d *Document) partIdentity(a resource.Address, f *resource.Field) [][2]*ast.Term {
	return [][2]*ast.Term{
		d.item("address", text(f.TFType+"."+a.Name)), d.item("type", text(f.TFType)), d.item("name", text(a.Name)),
		d.item("mode", text("managed")), d.item("provider_name", text(a.Provider)),
	}
}

// aboutPart tells whose part it is, and by which field.
func (d *Document) aboutPart(a resource.Address, f *resource.Field) *ast.Term {
	return with(d.about(a), d.key("part"), text(f.Name))
}

func (d *Document) partSide(m resource.Map) sides {
	if m == nil {
		return sides{ast.NullTerm(), object(), object()}
	}
	return d.convertMap(m, func(key string) (*resource.Field, *ast.Term) { return nil, d.key(key) })
}

// partDrift gives the drift of parts, as Document.drift does that of objects.
func (d *Document) partDrift(c *plan.Change) []*ast.Term {
	var out []*ast.Term
	for _, f := range partsOf(d.kinds[c.Address.Type()]) {
		before, after := resource.Map{}, resource.Map{}
		for i := range c.Fields {
			if ch := &c.Fields[i]; ch.Cause == plan.CauseDrift && len(ch.Path) > 0 && ch.Path[0] == f.Name {
				graft(before, ch.Path, hide(ch, ch.After))
				graft(after, ch.Path, hide(ch, ch.Before))
			}
		}
		if len(before)+len(after) == 0 {
			continue
		}
		was, is, action := d.partSide(partShape(f, before)), d.partSide(partShape(f, after)), "update"
		if len(after) == 0 {
			action = "delete"
		}
		out = append(out, object(append(d.partIdentity(c.Address, f), d.item("change", object(
			d.item("actions", list([]*ast.Term{text(action)})), d.item("before", was.known), d.item("after", is.known),
			d.item("before_sensitive", was.sensitive), d.item("after_sensitive", is.sensitive),
		)), d.item("isobar", d.aboutPart(c.Address, f)))...))
	}
	return out
}

// partShape gives a part of an object with Terraform's names and structure;
// nil where the object has none.
//
// A part bears the bucket's name. aws_s3_bucket_policy holds the document as
// text; where some of it is not known, none is, as in Terraform. Then
// policy_document, which Terraform has not, holds what is known as a structure,
// so that a rule need not pass a policy over because of one name in it.
// aws_s3_bucket_server_side_encryption_configuration has one rule with what is
// applied by default, aws_s3_bucket_lifecycle_configuration the rules, and
// aws_s3_bucket_versioning its configuration, each as a list of blocks. The
// four of aws_s3_bucket_public_access_block stand in it themselves.
func partShape(f *resource.Field, m resource.Map) resource.Map {
	v := m[f.Name]
	if v == nil {
		return nil
	}
	out := resource.Map{}
	if b := m["bucket"]; b != nil {
		out["bucket"] = b
	}
	named := tfValue(f, v)
	block, isBlock := named.(resource.Map)
	switch f.TFType {
	case "aws_s3_bucket_versioning":
		out["versioning_configuration"] = asBlock(named)
	case "aws_s3_bucket_policy":
		out["policy"] = document(v)
		if _, known := out["policy"].(resource.String); !known {
			out["policy_document"] = v
		}
	case "aws_s3_bucket_lifecycle_configuration":
		out["rule"] = named
	case "aws_s3_bucket_server_side_encryption_configuration":
		if !isBlock {
			out["rule"] = named
			break
		}
		rule := resource.Map{"apply_server_side_encryption_by_default": resource.List{bareOf(block, "bucket_key_enabled")}}
		if on := block["bucket_key_enabled"]; on != nil {
			rule["bucket_key_enabled"] = on
		}
		out["rule"] = resource.List{rule}
	default:
		if !isBlock {
			out[tfName(f)] = named
		}
		for k, e := range block {
			out[k] = e
		}
	}
	return out
}

// partNames names what partShape gives, but for policy_document.
func partNames(f *resource.Field) []string {
	out := []string{"bucket"}
	switch f.TFType {
	case "aws_s3_bucket_versioning":
		return append(out, "versioning_configuration")
	case "aws_s3_bucket_policy":
		return append(out, "policy")
	case "aws_s3_bucket_lifecycle_configuration", "aws_s3_bucket_server_side_encryption_configuration":
		return append(out, "rule")
	}
	for i := range f.Fields {
		out = append(out, tfName(&f.Fields[i]))
	}
	return out
}

func texts(names []string) []*ast.Term {
	out := make([]*ast.Term, len(names))
	for i, n := range names {
		out[i] = text(n)
	}
	return out
}

func bareOf(m resource.Map, without string) resource.Map {
	out := make(resource.Map, len(m))
	for k, v := range m {
		if k != without {
			out[k] = v
		}
	}
	return out
}

// asBlock is a struct as Terraform has it within another: a list of one.
func asBlock(v resource.Value) resource.Value {
	if m, ok := v.(resource.Map); ok {
		return resource.List{m}
	}
	return v
}

// tfValue gives a value with Terraform's names, and the structs within it as
// blocks. The keys of maps are the user's.
func tfValue(f *resource.Field, v resource.Value) resource.Value {
	switch x := v.(type) {
	case resource.List:
		out := make(resource.List, len(x))
		for i, e := range x {
			out[i] = e
			if f.Elem != nil {
				out[i] = tfValue(f.Elem, e)
			}
		}
		return out
	case resource.Map:
		if f.Type != "struct" {
			return x
		}
		out := make(resource.Map, len(x))
		for i := range f.Fields {
			sub := &f.Fields[i]
			if e := x[sub.Name]; e != nil {
				e = tfValue(sub, e)
				if sub.Type == "struct" {
					e = asBlock(e)
				}
				out[tfName(sub)] = e
			}
		}
		return out
	}
	return v
}

// document gives a policy document as text.
func document(v resource.Value) resource.Value {
	if doc, ok := plain(v); ok {
		if text, err := json.Marshal(doc); err == nil {
			return resource.String(text)
		}
	}
	return resource.Unknown{}
}

// plain gives a value as encoding/json writes it; not where some of it is not
// known or secret.
func plain(v resource.Value) (any, bool) {
	switch x := v.(type) {
	case nil, resource.Null:
		return nil, true
	case resource.Bool:
		return bool(x), true
	case resource.Int:
		return int64(x), true
	case resource.Float:
		return float64(x), true
	case resource.String:
		return string(x), true
	case resource.List:
		out := make([]any, len(x))
		for i, e := range x {
			p, ok := plain(e)
			if !ok {
				return nil, false
			}
			out[i] = p
		}
		return out, true
	case resource.Map:
		out := make(map[string]any, len(x))
		for k, e := range x {
			p, ok := plain(e)
			if !ok {
				return nil, false
			}
			out[k] = p
		}
		return out, true
	}
	return nil, false
}
