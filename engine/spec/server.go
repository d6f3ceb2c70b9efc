package spec

import (
	"archive/zip"
	"bytes"
	"context"
	"path"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"

	"isobar.dev/engine/diag"
)

// serverFile is what a server's own file is called within its evaluation, and
// serverModule the module that it stands in.
const (
	serverFile   = "server.cue"
	serverModule = "server.example@v0"
)

// Server evaluates a server's own file, in a child within the same limits as
// environments. name is what findings call the file. Mistakes come back as an
// error of type diag.List, all of them, sorted; what stops nothing is in
// Warnings.
func (l *Loader) Server(ctx context.Context, name string, data []byte) (Server, error) {
	files, err := pack(map[string][]byte{serverFile: data})
	if err != nil {
		return Server{}, err
	}
	tree, err := zip.NewReader(bytes.NewReader(files), int64(len(files)))
	if err != nil {
		return Server{}, err
	}
	told := func(found diag.List) diag.List { return renamed(illustrate(found.Sorted(), tree), name) }
	c := &closure{tree: tree, major: serverModule, limits: l.limits, files: map[string][]byte{}, done: map[string]bool{}}
	c.server(data)
	if err := told(c.found).Err(); err != nil {
		return Server{}, err
	}
	o, err := l.run(ctx, job{Server: true}, l.serve(c))
	if err != nil {
		return Server{}, err
	}
	found := append(o.Findings, c.found...)
	if found.Errors() > 0 {
		return Server{}, told(found)
	}
	out, err := decodeServer(o)
	if err != nil {
		return Server{}, err
	}
	check := &serverCheck{at: o.At, server: &out}
	check.all()
	found = told(append(found, check.found...))
	if err := found.Err(); err != nil {
		return Server{}, err
	}
	out.Warnings = found
	return out, nil
}

// server gathers a server's file and what it imports.
func (c *closure) server(data []byte) {
	if int64(len(data)) > c.limits.FileBytes {
		c.tooLarge(serverFile, "a file may have", c.limits.FileBytes)
		return
	}
	f, err := parser.ParseFile(serverFile, data, parser.ImportsOnly)
	if err != nil {
		f = nil // the child says what is wrong with it
	}
	c.take(serverFile, data, f)
	if f == nil || f.PackageName() == "server" {
		return
	}
	wrong := diag.Finding{
		Code: codePackage, Severity: diag.Error, Where: diag.Place{File: serverFile, Line: 1, Col: 1},
		Message: "the file has no package clause", Mend: "write package server",
	}
	for _, d := range f.Decls {
		if p, ok := d.(*ast.Package); ok {
			wrong.Where, wrong.Message = placeOf(p.Name.Pos()), "the package is called "+f.PackageName()
		}
	}
	c.found = append(c.found, wrong)
}

// renamed puts the file's own name in the place of the one that it has within
// its evaluation.
func renamed(found diag.List, name string) diag.List {
	for i := range found {
		if path.Base(found[i].Where.File) == serverFile || found[i].Where.File == "" {
			found[i].Where.File = name
		}
	}
	return found
}

// hush takes texts that stand where the source of a secret belongs out of what
// is told: they may be the secret itself. A finding on such a line has no
// column, and so no excerpt.
func (e *evaluation) hush() {
	open := map[int]bool{}
	for i := range e.found {
		f := &e.found[i]
		before, got, _ := strings.Cut(f.Message, "want a struct, got ")
		if strings.HasPrefix(got, `"`) || strings.HasPrefix(got, `'`) {
			f.Message, f.Mend = before+"want a struct, got text", "write {env: VARIABLE} or {file: PATH}"
			open[f.Where.Line] = true
		}
	}
	for i := range e.found {
		if open[e.found[i].Where.Line] {
			e.found[i].Where.Col = 0
		}
	}
}

// server evaluates a server's own file, in the child.
func (e *evaluation) server(out *outcome) {
	w, ok := e.build(".", "server", "#Server", &sources{})
	if !ok {
		return
	}
	e.settings(w)
	if len(e.found) == 0 {
		e.rest(w)
	}
	e.hush()
	if e.found.Errors() > 0 {
		return
	}
	out.Server, out.At = e.export(w), written(w)
}
