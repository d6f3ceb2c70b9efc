package spec

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/scanner"
	"cuelang.org/go/cue/token"

	"isobar.dev/engine/diag"
	"isobar.dev/schemas"
)

// closure gathers the files that an evaluation may read, from a tree that
// nobody has checked: packages, the same package in parent directories (CUE
// merges them), the module's own packages that they import, and files that
// they may embed. It parses no further than the imports, which takes no more
// time or stack than their length.
type closure struct {
	tree   fs.FS
	module string // the user's module path, without its major version
	major  string // the same with it, "" where there is no module
	limits Limits
	files  map[string][]byte
	size   int64
	done   map[string]bool // packages, "dir:name"
	found  diag.List
}

func newClosure(tree fs.FS, l Limits) *closure {
	c := &closure{tree: tree, limits: l, files: map[string][]byte{}, done: map[string]bool{}}
	c.major = modulePath(c.read("cue.mod/module.cue"))
	c.module = ast.ParseImportPath(c.major).Path
	return c
}

// pkg adds the package of that name in dir and what it imports; it returns the
// names of the packages that the files in dir itself declare.
func (c *closure) pkg(dir, name string) []string {
	if c.done[dir+":"+name] {
		return nil
	}
	c.done[dir+":"+name] = true
	var declared []string
	for d := dir; ; d = path.Dir(d) {
		matched := false
		for _, file := range c.cueFiles(d) {
			data := c.read(file)
			if data == nil {
				continue
			}
			f, err := parser.ParseFile(file, data, parser.ImportsOnly)
			pkg := ""
			if err == nil {
				pkg = f.PackageName()
			}
			if d == dir && !slices.Contains(declared, pkg) && err == nil {
				declared = append(declared, pkg)
			}
			if pkg == name || err != nil && d == dir { // the child says what is wrong with it
				matched = true
				c.take(file, data, f)
			}
		}
		if !matched && d == dir || d == "." {
			return declared
		}
	}
}

func (c *closure) take(file string, data []byte, f *ast.File) {
	c.put(file, data)
	if f == nil {
		return
	}
	for spec := range f.ImportSpecs() {
		c.follow(spec)
	}
	if strings.Contains(string(data), "@extern(embed)") {
		c.embeddable(path.Dir(file))
	}
}

// follow adds an imported package of the user's own module, and refuses what
// is neither that nor served by isobar or CUE.
func (c *closure) follow(spec *ast.ImportSpec) {
	lit, err := literal.Unquote(spec.Path.Value)
	if err != nil {
		return
	}
	imp := ast.ParseImportPath(lit)
	switch p := imp.Path; {
	case p == schemaModule || strings.HasPrefix(p, schemaModule+"/"):
		dir := strings.TrimPrefix(strings.TrimPrefix(p, schemaModule), "/")
		if _, err := fs.ReadDir(schemas.FS(), path.Join(".", dir)); err != nil {
			c.refuse(spec, "isobar's schemas have no package "+p)
		}
	case c.module != "" && (p == c.module || strings.HasPrefix(p, c.module+"/")):
		dir := strings.TrimPrefix(strings.TrimPrefix(p, c.module), "/")
		if dir == "" {
			dir = "."
		}
		if !fs.ValidPath(dir) || len(c.pkg(dir, imp.Qualifier)) == 0 && len(c.cueFiles(dir)) == 0 {
			c.refuse(spec, "this repository has no package "+p)
		}
	case !strings.Contains(strings.SplitN(p, "/", 2)[0], "."):
		// CUE's own: the child knows them
	default:
		c.refuse(spec, "the package "+p+" cannot be loaded: isobar asks no registry")
	}
}

func (c *closure) refuse(spec *ast.ImportSpec, message string) {
	mend := "import isobar.dev/schemas, CUE's own packages, or packages of this repository (" + c.module + "/…)"
	if c.module == "" {
		mend = "import isobar.dev/schemas or CUE's own packages"
	}
	c.found = append(c.found, diag.Finding{
		Code: codeImport, Severity: diag.Error, Where: placeOf(spec.Path.Pos()), Message: message, Mend: mend,
	})
}

// embeddable adds the files that @embed in dir can reach.
func (c *closure) embeddable(dir string) {
	entries, err := fs.ReadDir(c.tree, dir)
	if err != nil {
		c.unreadable(dir, err)
		return
	}
	for _, e := range entries {
		p := path.Join(dir, e.Name())
		switch {
		case e.IsDir() && e.Name() != "cue.mod" && e.Name()[0] != '.':
			c.embeddable(p)
		case e.Type().IsRegular() && path.Ext(p) != ".cue":
			c.put(p, c.read(p))
		}
	}
}

// cueFiles lists the CUE files that the loader would look at in dir.
func (c *closure) cueFiles(dir string) []string {
	entries, err := fs.ReadDir(c.tree, dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.unreadable(dir, err)
		}
		return nil
	}
	var out []string
	for _, e := range entries {
		n := e.Name()
		if !e.IsDir() && path.Ext(n) == ".cue" && n[0] != '.' && n[0] != '_' &&
			!strings.HasSuffix(n, "_tool.cue") && !strings.HasSuffix(n, "_test.cue") {
			out = append(out, path.Join(dir, n))
		}
	}
	return out
}

// read gives a regular file's bytes, or nil after filing why not.
func (c *closure) read(name string) []byte {
	if b, ok := c.files[name]; ok {
		return b
	}
	info, err := fs.Lstat(c.tree, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		c.unreadable(name, err)
		return nil
	case !info.Mode().IsRegular():
		c.found = append(c.found, diag.Finding{
			Code: codeUnreadable, Severity: diag.Warning, Where: diag.Place{File: name},
			Message: "left out: it is no regular file", Mend: "put a file in place of the link",
		})
		return nil
	case info.Size() > c.limits.FileBytes:
		c.tooLarge(name, "a file may have", c.limits.FileBytes)
		return nil
	}
	b, err := fs.ReadFile(c.tree, name)
	if err != nil {
		c.unreadable(name, err)
		return nil
	}
	if path.Ext(name) == ".cue" && !utf8.Valid(b) { // CUE would put another sign in the place of what it can't read
		c.found = append(c.found, diag.Finding{
			Code: codeSyntax, Severity: diag.Error, Where: placeOfByte(name, b), Message: "the file is not UTF-8",
			Mend: "save it as UTF-8",
		})
		return nil
	}
	return b
}

// wanting makes an error of what was left out of dir where nothing is left to be
// read there.
func (c *closure) wanting(dir string) {
	if slices.ContainsFunc(c.cueFiles(dir), func(file string) bool { return c.files[file] != nil }) {
		return
	}
	for i := range c.found {
		if f := &c.found[i]; f.Severity == diag.Warning && path.Dir(f.Where.File) == dir {
			f.Severity = diag.Error
			f.Message = "it is no regular file, and links are not followed: nothing of " + dir + " can be read"
		}
	}
}

// placeOfByte is where the first byte stands that is no UTF-8.
func placeOfByte(name string, b []byte) diag.Place {
	at := 0
	for at < len(b) {
		r, n := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	line := bytes.Count(b[:at], []byte("\n"))
	return diag.Place{File: name, Line: line + 1, Col: at - bytes.LastIndexByte(b[:at], '\n')}
}

func (c *closure) put(name string, data []byte) {
	if _, ok := c.files[name]; ok || data == nil {
		return
	}
	if c.size += int64(len(data)); c.size > c.limits.InputBytes {
		if c.size-int64(len(data)) <= c.limits.InputBytes {
			c.tooLarge(name, "all files of an environment together may have", c.limits.InputBytes)
		}
		return
	}
	c.files[name] = data
}

func (c *closure) tooLarge(name, what string, limit int64) {
	c.found = append(c.found, diag.Finding{
		Code: codeSize, Severity: diag.Error, Where: diag.Place{File: name},
		Message: what + " at most " + sizeText(limit), Mend: "split it, or move data that isobar need not read elsewhere",
	})
}

func (c *closure) unreadable(name string, err error) {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err // without the machine's own path
	}
	c.found = append(c.found, diag.Finding{
		Code: codeUnreadable, Severity: diag.Error, Where: diag.Place{File: name},
		Message: "cannot be read: " + err.Error(), Mend: "check that the file is whole and readable",
	})
}

// modulePath takes the module's path from module.cue by its tokens alone, since
// a file that nobody has checked is not to be evaluated here.
func modulePath(src []byte) string {
	if src == nil {
		return ""
	}
	var s scanner.Scanner
	s.Init(token.NewFile("module.cue", 0, len(src)), src, func(token.Pos, string, []any) {}, 0)
	depth := 0
	for {
		_, tok, lit := s.Scan()
		switch tok {
		case token.EOF:
			return ""
		case token.LBRACE:
			depth++
		case token.RBRACE:
			depth--
		case token.IDENT:
			if depth != 0 || lit != "module" {
				continue
			}
			if _, colon, _ := s.Scan(); colon != token.COLON {
				continue
			}
			_, _, text := s.Scan()
			p, err := literal.Unquote(text)
			if err != nil {
				return ""
			}
			return p
		default: // a token within a value
		}
	}
}

// packageOf gives the name in a file's package clause and where it stands; ""
// and the file's start where there is none.
func (c *closure) packageOf(file string) (string, diag.Place) {
	start := diag.Place{File: file, Line: 1, Col: 1}
	f, err := parser.ParseFile(file, c.read(file), parser.ImportsOnly)
	if err != nil {
		return "", start
	}
	for _, d := range f.Decls {
		if p, ok := d.(*ast.Package); ok {
			return f.PackageName(), placeOf(p.Name.Pos())
		}
	}
	return "", start
}
