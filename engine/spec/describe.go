package spec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/load"
	"cuelang.org/go/mod/modfile"
	"cuelang.org/go/mod/module"

	"isobar.dev/engine/resource"
)

// schemaModule is the CUE module that users' files import.
const schemaModule = "isobar.dev/schemas"

// Describe walks the kinds of a schema module (a folder a provider, each with
// its #Kinds) and gives their descriptors, sorted by kind. An attribute
// outside the closed set, or one in the wrong place, is an error.
func Describe(schemas fs.FS) ([]resource.Descriptor, error) {
	dirs, err := providerDirs(schemas)
	if err != nil {
		return nil, err
	}
	cc := cuecontext.New()
	var out []resource.Descriptor
	for _, dir := range dirs {
		pkg, err := schemaPackage(cc, schemas, dir)
		if err != nil {
			return nil, err
		}
		kinds := pkg.LookupPath(cue.ParsePath("#Kinds"))
		if !kinds.Exists() {
			continue // a shared package
		}
		if err := pkg.Err(); err != nil {
			return nil, fmt.Errorf("schemas/%s: %w", dir, err)
		}
		it, err := kinds.Fields()
		if err != nil {
			return nil, fmt.Errorf("schemas/%s: %w", dir, err)
		}
		for it.Next() {
			d, err := describeKind(dir+"."+it.Selector().Unquoted(), it.Value())
			if err != nil {
				return nil, fmt.Errorf("schemas/%s: %s: %w", dir, it.Selector(), err)
			}
			out = append(out, *d)
		}
	}
	slices.SortFunc(out, func(a, b resource.Descriptor) int { return strings.Compare(a.Kind, b.Kind) })
	return out, nil
}

// DescribeJSON gives the descriptors in the form of schemas/descriptors.json.
func DescribeJSON(schemas fs.FS) ([]byte, error) {
	list, err := Describe(schemas)
	if err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(list, "", "\t")
	return append(b, '\n'), err
}

// schemaPackage builds the package of one folder of the schemas. What is wrong
// within it is for the caller to ask.
func schemaPackage(cc *cue.Context, schemas fs.FS, dir string) (cue.Value, error) {
	cfg := &load.Config{FS: schemas, Dir: "/", ModuleRoot: "/", Registry: refuseRegistry{}}
	inst := load.Instances([]string{"./" + dir}, cfg)[0]
	if inst.Err != nil {
		return cue.Value{}, fmt.Errorf("schemas/%s: %w", dir, inst.Err)
	}
	return cc.BuildInstance(inst), nil
}

func providerDirs(schemas fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(schemas, ".")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		files, err := fs.Glob(schemas, path.Join(e.Name(), "*.cue"))
		if err != nil {
			return nil, err
		}
		if e.IsDir() && len(files) > 0 && e.Name() != "cue.mod" {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// describeKind reads one row of #Kinds: a pattern whose value is a definition.
func describeKind(kind string, row cue.Value) (*resource.Descriptor, error) {
	def, err := definitionOf(row.LookupPath(cue.MakePath(cue.AnyString)))
	if err != nil {
		return nil, err
	}
	d := &resource.Descriptor{Kind: kind, Doc: docOf(def)}
	for _, a := range def.Attributes(cue.DeclAttr) {
		switch name, arg := a.Name(), a.Contents(); {
		case name == "tf" && arg != "":
			d.TF = arg
		case name == "lookup" && arg == "":
			d.Lookup = true
		case name == "data" && arg == "":
			d.Data = true
		case name == "oneof" && strings.Contains(arg, ","):
			d.OneOf = append(d.OneOf, strings.Split(arg, ","))
		default:
			return nil, fmt.Errorf("@%s(%s) is no attribute of a kind", name, arg)
		}
	}
	if d.Fields, err = describeFields(def); err != nil {
		return nil, err
	}
	for i := range d.Fields {
		f := &d.Fields[i]
		if f.Within != "" {
			d.Within, d.WithinOf = f.Name, f.Within
		}
		if d.TF != "" && f.Aspect != "" && strings.HasPrefix(f.TF, d.TF+"_") {
			f.TF, f.TFType = "", f.TF // a type, which begins as the kind's own does
		}
		if d.Lookup && !fitsLookup(f) {
			return nil, fmt.Errorf("%s: a lookup's fields say what to look for: they take no attribute but @tf and @ordered", f.Name)
		}
	}
	outs, err := def.LookupPath(cue.ParsePath("#out")).Fields()
	if err != nil {
		return nil, fmt.Errorf("#out: %w", err)
	}
	for outs.Next() {
		o := resource.Out{Name: outs.Selector().Unquoted(), Doc: docOf(outs.Value())}
		for _, a := range outs.Value().Attributes(cue.FieldAttr) {
			if a.Name() != "computed" || a.Contents() != "volatile" {
				return nil, fmt.Errorf("#out.%s: @%s(%s) is no attribute of an output", o.Name, a.Name(), a.Contents())
			}
			o.Volatile = true
		}
		d.Outs = append(d.Outs, o)
	}
	slices.SortFunc(d.Outs, func(a, b resource.Out) int { return strings.Compare(a.Name, b.Name) })
	return d, nil
}

// fitsLookup reports whether a field is plain enough for a lookup: nothing of a
// lookup is ever created, updated or read back.
func fitsLookup(f *resource.Field) bool {
	return !f.Immutable && !f.Computed && !f.Sensitive && !f.WriteOnly && !f.GrowOnly && !f.Disruptive && !f.Unique &&
		f.Own == "" && f.Default == "" && f.Ref == "" && f.Within == "" && f.Block == "" && f.Aspect == "" && !f.Setting && !f.Data && !f.Guards
}

// definitionOf finds the definition that a pattern's value, #X & {…}, names.
func definitionOf(v cue.Value) (cue.Value, error) {
	op, args := v.Expr()
	if op == cue.AndOp {
		for _, a := range args {
			if root, p := a.ReferencePath(); len(p.Selectors()) > 0 {
				return root.LookupPath(p), nil
			}
		}
	}
	if root, p := v.ReferencePath(); len(p.Selectors()) > 0 {
		return root.LookupPath(p), nil
	}
	return cue.Value{}, errors.New("want [N=string]: #Definition & {#env: E, #name: N}")
}

func describeFields(v cue.Value) ([]resource.Field, error) {
	it, err := v.Fields(cue.Optional(true))
	if err != nil {
		return nil, err
	}
	var out []resource.Field
	for it.Next() {
		name := it.Selector().Unquoted()
		if strings.HasPrefix(name, "$") {
			continue
		}
		f := resource.Field{Name: name, Doc: docOf(it.Value()), Required: it.FieldType()&cue.RequiredConstraint != 0}
		if err := describeField(&f, it.Value()); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b resource.Field) int { return strings.Compare(a.Name, b.Name) })
	return out, usualFits(out)
}

// usualFits wants @usual where the provider has a choice, and beside the field
// that it names.
func usualFits(fs []resource.Field) error {
	for _, f := range fs {
		if len(f.Usual) > 0 && f.Default != "server" {
			return fmt.Errorf("%s: @usual wants @default(server) beside it", f.Name)
		}
		for _, u := range f.Usual {
			if u.Where != "" && !slices.ContainsFunc(fs, func(o resource.Field) bool { return o.Name == u.Where }) {
				return fmt.Errorf("%s: @usual names the field %s, and there is none beside it", f.Name, u.Where)
			}
		}
	}
	return nil
}

func describeField(f *resource.Field, v cue.Value) error {
	for _, a := range v.Attributes(cue.FieldAttr) {
		if err := applyAttribute(f, a.Name(), a.Contents()); err != nil {
			return err
		}
	}
	if err := describeType(f, v); err != nil {
		return err
	}
	if f.Guards && f.Type != "bool" {
		return errors.New("@guards() stands on a truth value")
	}
	if f.Follows && (!f.Immutable || f.RefOut == "") {
		return errors.New("@follows() wants @immutable() and the output of a reference beside it")
	}
	if f.Data && f.Type != "map" {
		return errors.New("@data() stands on a kind, or on a map of parts that are made and taken away one by one")
	}
	if dv, ok := v.Default(); ok && dv.IsConcrete() && f.Type != "struct" && f.Type != "list" && f.Type != "map" {
		b, err := dv.MarshalJSON()
		if err != nil {
			return err
		}
		c, err := resource.Decode(b)
		if err != nil {
			return err
		}
		f.DefaultsTo = &resource.Constant{Value: c}
	}
	return nil
}

func describeType(f *resource.Field, v cue.Value) error {
	switch k := v.IncompleteKind(); {
	case k == cue.BoolKind:
		f.Type = "bool"
	case k == cue.IntKind:
		f.Type = "int"
	case k&cue.NumberKind != 0 && k&^(cue.NumberKind|cue.StringKind) == 0:
		f.Type = "number"
		if k&cue.FloatKind == 0 {
			f.Type = "int"
		}
	case k&cue.BoolKind != 0 && k&^(cue.BoolKind|cue.StringKind) == 0:
		f.Type = "bool"
	case k == cue.StringKind:
		f.Type = "string"
	case k == cue.StringKind|cue.StructKind && takesSecret(v):
		f.Type, f.Secret = "string", true
	case k == cue.ListKind|cue.StringKind: // one text may stand for a list of one
		f.Type = "list"
		return describeElem(f, listBranch(v).LookupPath(cue.MakePath(cue.AnyIndex)))
	case k == cue.ListKind:
		f.Type = "list"
		return describeElem(f, v.LookupPath(cue.MakePath(cue.AnyIndex)))
	case k == cue.StructKind:
		if e := v.LookupPath(cue.MakePath(cue.AnyString)); e.Exists() {
			f.Type = "map"
			return describeElem(f, e)
		}
		f.Type = "struct"
		for _, a := range v.Attributes(cue.DeclAttr) {
			if err := applyAttribute(f, a.Name(), a.Contents()); err != nil {
				return err
			}
		}
		fields, err := describeFields(v)
		f.Fields = fields
		return err
	default:
		return fmt.Errorf("kind %v has no descriptor: use text, a number, a truth value, a list, a map or a struct", k)
	}
	return nil
}

// takesSecret reports whether a value is text or a secret: string | #Secret.
func takesSecret(v cue.Value) bool {
	op, branches := v.Expr()
	if op != cue.OrOp {
		return false
	}
	structs := 0
	for _, b := range branches {
		if b.IncompleteKind() != cue.StructKind {
			continue
		}
		structs++
		it, err := b.Fields(cue.Optional(true))
		if err != nil || !it.Next() || it.Selector().Unquoted() != "$secret" && !b.LookupPath(cue.MakePath(cue.Str("$secret").Required())).Exists() {
			return false
		}
	}
	return structs == 1
}

// listBranch finds the list in T | [...T].
func listBranch(v cue.Value) cue.Value {
	op, branches := cue.Dereference(v).Expr()
	if op == cue.OrOp {
		for _, b := range branches {
			if b.IncompleteKind() == cue.ListKind {
				return b
			}
		}
	}
	return v
}

func describeElem(f *resource.Field, v cue.Value) error {
	if !v.Exists() {
		return errors.New("the type of its elements cannot be seen: write [...T] or [string]: T")
	}
	f.Elem = &resource.Field{}
	if err := describeType(f.Elem, cue.Dereference(v)); err != nil {
		return err
	}
	if f.Type == "list" && (&resource.Descriptor{Fields: []resource.Field{*f.Elem}}).TakesSecrets() {
		return errors.New("no element of a list takes a secret: what is live there could not be told from what is wanted")
	}
	f.Elem.Ref, f.Elem.RefOut, f.Elem.Alike = f.Ref, f.RefOut, f.Alike
	return nil
}

// applyAttribute takes one attribute of the closed set.
func applyAttribute(f *resource.Field, name, arg string) error {
	flags := map[string]*bool{
		"immutable": &f.Immutable, "sensitive": &f.Sensitive, "writeOnly": &f.WriteOnly, "setting": &f.Setting,
		"growOnly": &f.GrowOnly, "disruptive": &f.Disruptive, "unique": &f.Unique, "ordered": &f.Ordered, "cidr": &f.CIDR,
		"data": &f.Data, "guards": &f.Guards, "follows": &f.Follows,
	}
	texts := map[string]*string{
		"aspect": &f.Aspect, "tf": &f.TF, "within": &f.Within, "block": &f.Block,
	}
	switch {
	case flags[name] != nil && arg == "":
		*flags[name] = true
	case texts[name] != nil && arg != "":
		*texts[name] = arg
	case name == "key" && arg != "":
		f.Key = strings.Split(arg, ",")
	case name == "computed" && (arg == "" || arg == "volatile" || arg == "identity"):
		f.Computed, f.Volatile, f.Identity = true, arg == "volatile", arg == "identity"
	case name == "unique" && arg != "":
		f.Unique, f.UniqueIn = true, strings.Replace(arg, "anywhere", resource.Anywhere, 1)
	case name == "ref" && arg != "":
		f.Ref, f.RefOut, _ = strings.Cut(arg, ",")
	case name == "own" && arg == "element":
		f.Own = arg
	case name == "default" && arg == "server":
		f.Default = arg
	case name == "usual" && arg != "":
		return applyUsual(f, arg)
	case name == "alike" && arg != "":
		return applyAlike(f, arg)
	case name == "needs" && strings.Count(arg, ",") == 1:
		of, what, _ := strings.Cut(arg, ",")
		f.Needs = append(f.Needs, resource.Need{If: resource.ParseFieldIs(of), Then: resource.ParseFieldIs(what)})
	case name == "oneof" && strings.Contains(arg, ","):
		f.OneOf = append(f.OneOf, strings.Split(arg, ","))
	default:
		return fmt.Errorf("@%s(%s) is no attribute of a field", name, arg)
	}
	return nil
}

// applyUsual reads what a provider chooses by itself: VALUE, or * for any, and
// where it holds, FIELD=TEXT|TEXT.
func applyUsual(f *resource.Field, arg string) error {
	text, where, decided := strings.Cut(arg, ",")
	field, is, ok := strings.Cut(where, "=")
	if decided && (!ok || field == "" || is == "") {
		return fmt.Errorf("@usual(%s): write VALUE, or VALUE,FIELD=TEXT|TEXT", arg)
	}
	u := resource.Usual{Where: field}
	if ok {
		u.Is = strings.Split(is, "|")
	}
	if text != "*" {
		v, err := resource.Decode([]byte(text))
		if err != nil {
			return fmt.Errorf("@usual(%s): %s is no value as JSON has it: %w", arg, text, err)
		}
		u.Value = &resource.Constant{Value: v}
	}
	f.Usual = append(f.Usual, u)
	return nil
}

// applyAlike reads the expression of which a text's group means the same as all of
// it, in quotes.
func applyAlike(f *resource.Field, arg string) error {
	text, err := literal.Unquote(arg)
	if err == nil {
		f.Alike = &resource.Alike{}
		err = f.Alike.UnmarshalText([]byte(text))
	}
	if err != nil {
		return fmt.Errorf("@alike(%s): %w", arg, err)
	}
	return nil
}

func docOf(v cue.Value) string {
	var parts []string
	for _, g := range v.Doc() {
		if text := strings.TrimSpace(g.Text()); text != "" && !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "\n\n")
}

// refuseRegistry serves no module: nothing is ever downloaded.
type refuseRegistry struct{}

var errNoRegistry = errors.New("isobar loads no modules from a registry: keep shared packages in this repository")

func (refuseRegistry) ModFile(context.Context, module.Version) (*modfile.File, error) {
	return nil, errNoRegistry
}

func (refuseRegistry) Fetch(context.Context, module.Version) (module.SourceLoc, error) {
	return module.SourceLoc{}, errNoRegistry
}

func (refuseRegistry) ModuleVersions(context.Context, string) ([]string, error) {
	return nil, errNoRegistry
}
