package spec

import (
	"io/fs"
	"path"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/inject/embed"
	"cuelang.org/go/cue/load"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
	"isobar.dev/schemas"
)

// maxRounds bounds how often an environment with faults is evaluated again to
// find those that the first ones hid.
const maxRounds = 6

// evaluation is one job at work in the child.
type evaluation struct {
	job   job
	files fs.FS
	kinds resource.Descriptors
	found diag.List
	seen  map[string]bool // places and messages of found
	vague diag.List       // to tell if nothing else is found
}

// evaluate does a job over its files.
func evaluate(j job, files fs.FS) outcome {
	kinds, err := schemas.Descriptors()
	if err != nil {
		return outcome{Findings: diag.List{{Code: codeEvaluation, Severity: diag.Error, Message: err.Error()}}}
	}
	e := &evaluation{job: j, files: files, kinds: kinds, seen: map[string]bool{}}
	var out outcome
	switch {
	case j.Server:
		e.server(&out)
	case j.Env == "":
		e.estate(&out)
	default:
		e.environment(&out)
	}
	e.settle(e.vague)
	out.Findings = e.found.Sorted()
	return out
}

// world is one evaluation of a package: what the user wrote, the same joined
// with its definition, and the definition.
type world struct {
	raw, joined, def cue.Value
}

// build loads a package of the user's and joins it with a definition. It
// returns false after findings that leave nothing to look at.
func (e *evaluation) build(dir, pkg, def string, src *sources) (world, bool) {
	cfg := &load.Config{
		FS: e.files, Dir: path.Join("/", dir), ModuleRoot: "/", Package: pkg,
		Registry: refuseRegistry{}, ParseFile: src.parse, Env: []string{},
	}
	inst := load.Instances([]string{"."}, cfg)[0]
	e.add(src.findings...)
	if e.loadErrors(inst) {
		return world{}, false
	}
	cfg.Package, cfg.Dir = "", "/"
	schema := load.Instances([]string{schemaModule}, cfg)[0]
	if e.loadErrors(schema) {
		return world{}, false
	}
	cc := cuecontext.New(cuecontext.WithInjection(embed.New()))
	w := world{def: cc.BuildInstance(schema).LookupPath(cue.ParsePath(def))}
	w.raw = cc.BuildInstance(inst)
	if inst.Err != nil { // names that lead nowhere
		return world{}, !e.loadErrors(inst)
	}
	w.joined = w.def.Unify(w.raw)
	return w, true
}

func (e *evaluation) loadErrors(inst *build.Instance) bool {
	errs := errors.Errors(inst.Err)
	lines := map[diag.Place]bool{}
	for _, err := range errs {
		f := loadFinding(err)
		line := diag.Place{File: f.Where.File, Line: f.Where.Line}
		if f.Code == codeSyntax && lines[line] {
			continue // a parser that has lost its way says much
		}
		lines[line] = true
		e.add(f)
	}
	return len(errs) > 0
}

// estate evaluates isobar.cue.
func (e *evaluation) estate(out *outcome) {
	w, ok := e.build(".", "isobar", "#Estate", &sources{})
	if !ok {
		return
	}
	e.settings(w)
	if len(e.found) == 0 {
		e.rest(w)
	}
	if e.found.Errors() > 0 {
		return
	}
	out.Estate, out.At = e.export(w), written(w)
}

// written gives where each setting stands that the user wrote, by its path.
func written(w world) map[string]resource.Position {
	at := map[string]resource.Position{}
	for _, f := range fieldsOf(w.raw) {
		collect(at, resource.Path{f.name}, f.value)
	}
	return at
}

// environment evaluates the job's environment: until no round finds anything
// new, each faulty resource is emptied and the rest evaluated again.
func (e *evaluation) environment(out *outcome) {
	stubs := map[string]bool{}
	for range maxRounds {
		w, ok := e.build(e.job.Dir, e.job.Env, "#Environment", &sources{stubs: stubs})
		if !ok {
			return
		}
		if len(stubs) == 0 && w.joined.Validate(cue.Concrete(true), cue.Final()) == nil {
			if e.found.Errors() == 0 {
				out.Env = e.export(w)
				out.At, out.Where = e.places(w)
			}
			return
		}
		e.settings(w)
		faulty, masked := e.resources(w, stubs)
		if e.found.Errors() == 0 {
			e.rest(w) // nothing that a resource or setting explains
		}
		if len(faulty) == 0 {
			faulty = masked
		}
		if len(faulty) == 0 {
			return
		}
		for _, key := range faulty {
			stubs[key] = true
		}
	}
}

// rest files whatever the value as a whole says.
func (e *evaluation) rest(w world) {
	e.explain(w, w.joined.Validate(cue.Concrete(true), cue.Final()))
}

func (e *evaluation) export(w world) []byte {
	b, err := w.joined.MarshalJSON()
	if err != nil {
		e.explain(w, err)
		return nil
	}
	return b
}

// add files findings, each once.
func (e *evaluation) add(fs ...diag.Finding) {
	for _, f := range fs {
		key := f.Where.String() + "\x00" + f.Subject + "\x00" + f.Message
		if !e.seen[key] {
			e.seen[key] = true
			e.found = append(e.found, f)
		}
	}
}

// localKey is a resource's local address from the path of its value.
func localKey(path []string) string {
	if len(path) < 3 {
		return strings.Join(path, ".")
	}
	return path[0] + "." + path[1] + "/" + path[2]
}
