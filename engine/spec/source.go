package spec

import (
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// sources parses the files of one evaluation: it strips the embedded
// schemas.#Environment (which would leave the environment open), puts empty
// resources in the place of those in stubs, and finds what CUE would not.
type sources struct {
	stubs    map[string]bool // resources by local address, "aws.vpc/main"
	findings diag.List
}

// refMark starts a reference string; only #out may write it.
const refMark = "${isobar:"

// parse is load.Config.ParseFile.
func (s *sources) parse(name string, src any, cfg parser.Config) (*ast.File, error) {
	f, err := parser.ParseFile(name, src, cfg, parser.ParseComments, parser.AllErrors)
	if err != nil || f == nil || isSchema(name) {
		return f, err
	}
	s.inspect(f)
	s.stripEmbed(f)
	if len(s.stubs) > 0 {
		s.stub(f.Decls, nil)
	}
	return f, nil
}

// isSchema tells the embedded schemas' files, and the module's own, from the
// user's.
func isSchema(name string) bool {
	name = strings.TrimPrefix(name, "/")
	return strings.HasPrefix(name, ".schemas/") || strings.HasPrefix(name, "cue.mod/")
}

// inspect finds references typed by hand and attributes, which nobody reads.
func (s *sources) inspect(f *ast.File) {
	ast.Walk(f, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.BasicLit:
			if x.Kind == token.STRING && strings.Contains(unquoted(x.Value), refMark) {
				s.add(diag.Finding{
					Code: codeHandTyped, Severity: diag.Error, Where: placeOf(x.Pos()),
					Message: "a reference is written by hand",
					Mend:    "refer to the resource's output instead, e.g. aws.vpc.main.#out.id",
				})
			}
		case *ast.Attribute:
			if name, _ := x.Split(); name != "extern" && name != "embed" && name != "experiment" {
				s.add(diag.Finding{
					Code: codeAttribute, Severity: diag.Warning, Where: placeOf(x.Pos()),
					Message: "the attribute @" + name + " has no effect here",
					Mend:    "remove it: only isobar's own schemas may declare behaviour",
				})
			}
		}
		return true
	}, nil)
}

func (s *sources) add(f diag.Finding) { s.findings = append(s.findings, f) }

// unquoted decodes a string literal's escapes where it can, so that an escaped
// reference is seen as well; parts of an interpolation are taken as they are.
func unquoted(lit string) string {
	if v, err := literal.Unquote(lit); err == nil {
		return v
	}
	return lit
}

// stripEmbed removes schemas.#Environment, #Estate and #Server where they are embedded
// at the top of the file, and the import if nothing else uses it.
func (s *sources) stripEmbed(f *ast.File) {
	local := importName(f, schemaModule)
	if local == "" {
		return
	}
	stripped := false
	f.Decls = slices.DeleteFunc(f.Decls, func(d ast.Decl) bool {
		e, ok := d.(*ast.EmbedDecl)
		if !ok {
			return false
		}
		rest, found := without(e.Expr, local)
		stripped = stripped || found
		e.Expr = rest
		return rest == nil
	})
	if !stripped || usesIdent(f, local) {
		return
	}
	for d := range f.ImportDecls() {
		d.Specs = slices.DeleteFunc(d.Specs, func(i *ast.ImportSpec) bool { return importPath(i) == schemaModule })
	}
	f.Decls = slices.DeleteFunc(f.Decls, func(d ast.Decl) bool {
		i, ok := d.(*ast.ImportDecl)
		return ok && len(i.Specs) == 0
	})
}

// without takes local.#Environment out of a conjunction.
func without(e ast.Expr, local string) (rest ast.Expr, found bool) {
	switch x := e.(type) {
	case *ast.SelectorExpr:
		id, ok := x.X.(*ast.Ident)
		sel, ok2 := x.Sel.(*ast.Ident)
		if ok && ok2 && id.Name == local && slices.Contains([]string{"#Environment", "#Estate", "#Server"}, sel.Name) {
			return nil, true
		}
	case *ast.BinaryExpr:
		if x.Op != token.AND {
			break
		}
		l, foundL := without(x.X, local)
		r, foundR := without(x.Y, local)
		switch {
		case l == nil:
			return r, true
		case r == nil:
			return l, true
		case foundL || foundR:
			return &ast.BinaryExpr{X: l, OpPos: x.OpPos, Op: x.Op, Y: r}, true
		}
	case *ast.ParenExpr:
		return without(x.X, local)
	}
	return e, false
}

func importPath(i *ast.ImportSpec) string {
	p, err := literal.Unquote(i.Path.Value)
	if err != nil {
		return ""
	}
	return ast.ParseImportPath(p).Path
}

// importName gives the name under which a file imports a path, or "".
func importName(f *ast.File, want string) string {
	for i := range f.ImportSpecs() {
		if importPath(i) != want {
			continue
		}
		if i.Name != nil {
			return i.Name.Name
		}
		p, _ := literal.Unquote(i.Path.Value)
		return ast.ParseImportPath(p).Qualifier
	}
	return ""
}

func usesIdent(f *ast.File, name string) bool {
	used := false
	for _, d := range f.Decls {
		if _, ok := d.(*ast.ImportDecl); ok {
			continue
		}
		ast.Walk(d, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == name {
				used = true
			}
			return !used
		}, nil)
	}
	return used
}

// stub empties the resources that s.stubs names: their value becomes
// {if false {…}}, which keeps every name in it used and #out in place.
func (s *sources) stub(decls []ast.Decl, at []string) {
	for _, d := range decls {
		f, ok := d.(*ast.Field)
		if !ok {
			continue
		}
		name, _, err := ast.LabelName(f.Label)
		if err != nil {
			continue
		}
		path := append(slices.Clone(at), name)
		if len(path) < 3 {
			if st, ok := f.Value.(*ast.StructLit); ok {
				s.stub(st.Elts, path)
			}
			continue
		}
		if s.stubs[localKey(path)] {
			f.Value = emptied(f.Value)
		}
	}
}

func emptied(v ast.Expr) ast.Expr {
	if a, ok := v.(*ast.Alias); ok {
		a.Expr = emptied(a.Expr)
		return a
	}
	body, ok := v.(*ast.StructLit)
	if !ok {
		body = &ast.StructLit{Elts: []ast.Decl{&ast.EmbedDecl{Expr: v}}}
	}
	return &ast.StructLit{Elts: []ast.Decl{&ast.Comprehension{
		Clauses: []ast.Clause{&ast.IfClause{Condition: ast.NewBool(false)}},
		Value:   body,
	}}}
}

func placeOf(p token.Pos) diag.Place {
	if !p.IsValid() {
		return diag.Place{}
	}
	at := p.Position()
	return diag.Place{File: strings.TrimPrefix(at.Filename, "/"), Line: at.Line, Col: at.Column}
}

func positionOf(p token.Pos) resource.Position { return resource.Position(placeOf(p)) }
