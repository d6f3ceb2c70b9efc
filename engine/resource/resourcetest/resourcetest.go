// Package resourcetest holds generators of the nouns of engine/resource for
// property tests. It must be imported by tests only. Floor 0.
package resourcetest

import (
	"pgregory.net/rapid"

	"isobar.dev/engine/resource"
)

// Leaves says which leaves a generated value may hold beside plain data.
type Leaves struct {
	Refs    bool // Ref and Template
	Secrets bool // Secret
	Holes   bool // Unknown and Unread, which equal nothing
}

// All are all leaves.
func All() Leaves { return Leaves{Refs: true, Secrets: true, Holes: true} }

// Text gives valid UTF-8 text, among it what an encoding may trip over: quotes,
// dollars, the opening of a reference, control characters.
func Text() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[a-z]{0,4}`),
		rapid.SampledFrom([]string{"", "$", "$$", "$secret", "$$secret", "$template", "$meta", "${isobar:", "${isobar:x}", "a.b", `a"b`, `a\b`, "<&>", "\x00\n\x7f", "é\u2028", "10.0.0.0/16"}),
		rapid.StringN(0, 8, -1),
	)
}

// Address gives a valid address in one of the environments "dev" and "prod".
func Address() *rapid.Generator[resource.Address] {
	return rapid.Custom(func(t *rapid.T) resource.Address {
		return resource.Address{
			Env:      rapid.SampledFrom([]string{"dev", "prod"}).Draw(t, "env"),
			Provider: rapid.StringMatching(`[a-z][a-z0-9_]{0,3}`).Draw(t, "provider"),
			Kind:     rapid.StringMatching(`[a-z][a-z0-9_]{0,3}`).Draw(t, "kind"),
			Name:     rapid.StringMatching(`[A-Za-z0-9_][A-Za-z0-9_.-]{0,5}`).Draw(t, "name"),
		}
	})
}

// Ref gives a valid reference.
func Ref() *rapid.Generator[resource.Ref] {
	return rapid.Custom(func(t *rapid.T) resource.Ref {
		return resource.Ref{Address: Address().Draw(t, "address"), Out: rapid.StringMatching(`[A-Za-z][A-Za-z0-9_]{0,3}`).Draw(t, "out")}
	})
}

// Template gives a template as ParseText makes it: text that is not empty and
// references, no two texts in a row, at least one reference and two parts.
func Template() *rapid.Generator[resource.Template] {
	return rapid.Custom(func(t *rapid.T) resource.Template {
		var out resource.Template
		text := rapid.Bool().Draw(t, "text first")
		for n := rapid.IntRange(2, 5).Draw(t, "parts"); len(out) < n; text = !text {
			if s := rapid.SampledFrom([]string{"/", "$", "{", "}", "$$", "a b", "${isobar", "é"}).Draw(t, "part"); text {
				out = append(out, resource.String(s))
			} else {
				out = append(out, Ref().Draw(t, "ref"))
				text = rapid.Bool().Draw(t, "two references in a row") && text
			}
		}
		return out
	})
}

// Secret gives a reference to a secret, with or without version and MAC.
func Secret() *rapid.Generator[resource.Secret] {
	return rapid.Custom(func(t *rapid.T) resource.Secret {
		return resource.Secret{
			Name:    rapid.StringMatching(`[a-z]{1,3}/[a-z]{1,3}`).Draw(t, "name"),
			Field:   rapid.SampledFrom([]string{"", "password", "${isobar:"}).Draw(t, "field"),
			Version: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "version"),
			MAC:     rapid.SampledFrom([]string{"", "00ff", "ff00"}).Draw(t, "mac"),
		}
	})
}

// Value gives a value of at most depth levels of lists and maps.
func Value(l Leaves, depth int) *rapid.Generator[resource.Value] {
	return rapid.Custom(func(t *rapid.T) resource.Value {
		gens := []*rapid.Generator[resource.Value]{plain()}
		if depth > 0 {
			gens = append(gens,
				rapid.Map(rapid.SliceOfN(Value(l, depth-1), 0, 3), func(vs []resource.Value) resource.Value { return append(resource.List{}, vs...) }),
				rapid.Map(Fields(l, depth-1), func(m resource.Map) resource.Value { return m }))
		}
		if l.Refs {
			gens = append(gens, rapid.Map(Ref(), asValue[resource.Ref]), rapid.Map(Template(), asValue[resource.Template]))
		}
		if l.Secrets {
			gens = append(gens, rapid.Map(Secret(), asValue[resource.Secret]))
		}
		if l.Holes {
			gens = append(gens,
				rapid.Map(Ref(), func(r resource.Ref) resource.Value { return resource.Unknown{Because: r} }),
				rapid.Map(Text(), func(s string) resource.Value { return resource.Unread{Why: s} }),
				rapid.Just[resource.Value](resource.Unknown{}))
		}
		return rapid.OneOf(gens...).Draw(t, "value")
	})
}

// Fields gives a map of such values, not nil.
func Fields(l Leaves, depth int) *rapid.Generator[resource.Map] {
	return rapid.Map(rapid.MapOfN(Text(), Value(l, depth), 0, 3), func(m map[string]resource.Value) resource.Map {
		return m
	})
}

// Object gives a live object, marked or not.
func Object(l Leaves) *rapid.Generator[resource.Object] {
	return rapid.Custom(func(t *rapid.T) resource.Object {
		o := resource.Object{
			Address: Address().Draw(t, "address"),
			ID:      resource.ID(rapid.StringMatching(`[a-z]{1,3}-[0-9a-f]{1,6}`).Draw(t, "id")),
			Fields:  Fields(l, 2).Draw(t, "fields"),
		}
		if rapid.Bool().Draw(t, "marked") {
			o.Mark = resource.Mark{Estate: "e1", Env: o.Address.Env, Address: o.Address, Token: rapid.StringMatching(`[0-9a-f]{8}`).Draw(t, "token")}
		}
		return o
	})
}

func asValue[T resource.Value](v T) resource.Value { return v }

func plain() *rapid.Generator[resource.Value] {
	return rapid.OneOf(
		rapid.Just[resource.Value](resource.Null{}),
		rapid.Map(rapid.Bool(), func(b bool) resource.Value { return resource.Bool(b) }),
		rapid.Map(rapid.Int64(), func(i int64) resource.Value { return resource.Int(i) }),
		rapid.Map(rapid.Float64(), resource.Number),
		rapid.Map(rapid.SampledFrom([]float64{1 << 53, -(1 << 53), 1 << 60, 1 << 63, -(1 << 63), 1e300, 5e-324, 0.5}), resource.Number),
		rapid.Map(Text(), func(s string) resource.Value { return resource.String(s) }),
	)
}
