package spec

import (
	"fmt"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"

	"isobar.dev/engine/resource"
	"isobar.dev/schemas"
)

// taker tells which values the schemas take. It builds a provider's package when
// it is first asked of one.
type taker struct {
	cc    *cue.Context
	kinds map[string]cue.Value // #Kinds by provider
	err   error                // the first package that could not be built
}

// value reports whether a kind's schema takes that value of a field.
func (t *taker) value(kind string, at resource.Path, v resource.Value) bool {
	provider, name, _ := strings.Cut(kind, ".")
	def, err := definitionOf(t.provider(provider).LookupPath(cue.MakePath(cue.Str(name), cue.AnyString)))
	if err != nil {
		return false
	}
	for _, e := range at {
		def = inside(def, e)
	}
	return def.Exists() && def.Unify(t.cc.CompileBytes(resource.Encode(v))).Validate(cue.Concrete(true)) == nil
}

func (t *taker) provider(dir string) cue.Value {
	if t.cc == nil {
		t.cc, t.kinds = cuecontext.New(), map[string]cue.Value{}
	}
	if k, ok := t.kinds[dir]; ok {
		return k
	}
	pkg, err := schemaPackage(t.cc, schemas.FS(), dir)
	k := pkg.LookupPath(cue.ParsePath("#Kinds"))
	if err == nil && !k.Exists() {
		err = fmt.Errorf("schemas/%s has no #Kinds", dir)
	}
	if err != nil && t.err == nil {
		t.err = err
	}
	t.kinds[dir] = k
	return k
}

// inside gives the schema of a field, be it optional, required or neither, or of
// a map's values; of a list that of its elements.
func inside(v cue.Value, name string) cue.Value {
	if v.IncompleteKind()&cue.ListKind != 0 {
		v = listBranch(v).LookupPath(cue.MakePath(cue.AnyIndex))
	}
	for _, sel := range []cue.Selector{cue.Str(name), cue.Str(name).Optional(), cue.Str(name).Required(), cue.AnyString} {
		if f := v.LookupPath(cue.MakePath(sel)); f.Exists() {
			return f
		}
	}
	return cue.Value{}
}
