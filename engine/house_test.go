package engine_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const root = ".."

// maxParams is the most parameters that a function may have, its context and
// its test not counted.
const maxParams = 4

// TestHouse reads every Go file of the module.
func TestHouse(t *testing.T) {
	t.Parallel()
	files := goFiles(t)
	if len(files) < 50 {
		t.Fatalf("only %d Go files found: the walk is broken", len(files))
	}
	fset := token.NewFileSet()
	for _, p := range files {
		tree, err := parser.ParseFile(fset, filepath.Join(root, p), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, wrong := range append(judge(describe(p, tree)), judgeCode(p, fset, tree)...) {
			t.Error(wrong)
		}
	}
}

// goFiles gives the paths of the module's Go files from the root, whatever
// their build constraints.
func goFiles(t *testing.T) []string {
	t.Helper()
	var out []string
	err := fs.WalkDir(os.DirFS(root), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || p == "bin"):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(p, ".go"):
			out = append(out, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func describe(p string, tree *ast.File) source {
	s := source{path: p, pkg: path.Dir(p), name: tree.Name.Name, test: strings.HasSuffix(p, "_test.go")}
	for _, imp := range tree.Imports {
		if name, err := strconv.Unquote(imp.Path.Value); err == nil {
			s.imports = append(s.imports, name)
		}
	}
	return s
}

// judgeCode gives what is wrong with a file's functions.
func judgeCode(p string, fset *token.FileSet, tree *ast.File) []string {
	var wrong []string
	for _, decl := range tree.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		at := fmt.Sprintf("%s:%d: ", p, fset.Position(fn.Pos()).Line)
		if fn.Recv == nil && fn.Name.Name == "init" {
			wrong = append(wrong, at+"func init: start things where they are used")
		}
		if n := params(fn.Type); n > maxParams {
			wrong = append(wrong, fmt.Sprintf("%s%s has %d parameters, at most %d and a context are allowed", at, fn.Name.Name, n, maxParams))
		}
	}
	return wrong
}

// params counts a function's parameters but a context and a test.
func params(fn *ast.FuncType) int {
	n := 0
	for _, field := range fn.Params.List {
		typ := field.Type
		if star, ok := typ.(*ast.StarExpr); ok {
			typ = star.X
		}
		if sel, ok := typ.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "testing" || x.Name == "context") {
				continue
			}
		}
		n += max(1, len(field.Names))
	}
	return n
}

// kindEntry is a kind's line in #Kinds, "vpc: [N=string]: #VPC & {…}".
var kindEntry = regexp.MustCompile(`(?m)^\t([a-z][a-z0-9_]*): \[[A-Za-z]+=string\]: #`)

// TestTwins proves that each kind has its schema, its code, its descriptor and
// its line in the kind table, and that no file of a kind stands alone.
func TestTwins(t *testing.T) {
	t.Parallel()
	descriptors, err := os.ReadFile(filepath.Join(root, "schemas", "descriptors.json"))
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t\t"kind": "([^"]+)"`).FindAllStringSubmatch(string(descriptors), -1) {
		described[m[1]] = true
	}
	found := map[string]bool{}
	for _, provider := range kindProviders(t) {
		schemas, table := schemaKinds(t, provider), tableKinds(t, provider)
		for _, wrong := range twins(provider, schemas, table) {
			t.Error(wrong)
		}
		for kind := range schemas {
			found[provider+"."+kind] = true
			if !described[provider+"."+kind] {
				t.Errorf("%s.%s is not in schemas/descriptors.json: run make gen", provider, kind)
			}
		}
	}
	for kind := range described {
		if !found[kind] {
			t.Errorf("schemas/descriptors.json has %s, whose schema is gone: run make gen", kind)
		}
	}
	if len(found) == 0 {
		t.Error("no kind found: the walk is broken")
	}
}

// twins compares the kinds that schemas declare (kind → file) with those of
// the kind table (kind → file).
func twins(provider string, schemas, table map[string]string) []string {
	var wrong []string
	for kind, file := range schemas {
		if file != kind+".cue" {
			wrong = append(wrong, fmt.Sprintf("schemas/%s/%s declares %s, which belongs in %s.cue", provider, file, kind, kind))
		}
		if table[kind] != kind+".go" {
			wrong = append(wrong, fmt.Sprintf("%s.%s needs providers/%s/%s.go and a line in kinds()", provider, kind, provider, kind))
		}
	}
	for kind := range table {
		if _, ok := schemas[kind]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s.%s needs schemas/%s/%s.cue with an entry in #Kinds", provider, kind, provider, kind))
		}
	}
	return wrong
}

// kindProviders gives the providers whose kinds have schemas. The fake's
// descriptors are Go, for tests alone; all is a list.
func kindProviders(t *testing.T) []string {
	t.Helper()
	dirs, err := os.ReadDir(filepath.Join(root, "providers"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range dirs {
		if d.IsDir() && d.Name() != "fake" && d.Name() != "all" {
			out = append(out, d.Name())
		}
	}
	return out
}

// schemaKinds gives the kinds that a provider's schemas declare, with the file.
func schemaKinds(t *testing.T, provider string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "schemas", provider, "*.cue"))
	if err != nil || len(files) == 0 {
		t.Fatalf("provider %s has no schemas (%v)", provider, err)
	}
	out := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range kindEntry.FindAllStringSubmatch(string(text), -1) {
			out[m[1]] = filepath.Base(f)
		}
	}
	return out
}

// tableKinds gives the kinds that a provider's func kinds lists, each with the
// file that declares it.
func tableKinds(t *testing.T, provider string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "providers", provider, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]string{} // func → file
	var table *ast.FuncDecl
	for _, f := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range tree.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				declared[fn.Name.Name] = filepath.Base(f)
				if fn.Name.Name == "kinds" {
					table = fn
				}
			}
		}
	}
	if table == nil {
		t.Fatalf("providers/%s has no func kinds, the table of its kinds", provider)
	}
	out := map[string]string{}
	ast.Inspect(table, func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		for _, el := range lit.Elts {
			if call, ok := el.(*ast.CallExpr); ok {
				if id, ok := call.Fun.(*ast.Ident); ok {
					out[snake(id.Name)] = declared[id.Name]
				}
			}
		}
		return false
	})
	return out
}

var hump = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// snake gives route_table for routeTable.
func snake(s string) string { return strings.ToLower(hump.ReplaceAllString(s, "${1}_${2}")) }
