package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// Module is one file of a rule book: Rego, or data for it (see IsData).
type Module struct {
	Path   string // as people know it, "policies/network.rego"
	Source string
	Below  string // of data: where it stands below data, by its directory, "aws/sizes"; "" is the top
	Aside  bool   // its rules do not judge, but are known: what excepts them is no mistake
}

// Engine is compiled rules. It is safe for concurrent use.
type Engine struct {
	// Deadline bounds one evaluation of all rules together; 0 is DefaultDeadline.
	Deadline  time.Duration
	probes    []probe
	exception *probe // nil: no rule waives anything
	roster    roster
	told      []string // names of exceptions that name no rule, which Compile warned of
}

// DefaultDeadline is how long all rules together may take over one plan. The
// aim for 1,000 changes is 0.2 s.
const DefaultDeadline = 2 * time.Second

// verdict is what a rule's decisions mean.
type verdict string

const (
	deny verdict = "deny"
	warn verdict = "warn"
)

// probe is one deciding rule, asked on its own so that its decisions, its
// errors and its slowness can be laid at its place.
type probe struct {
	name    string // "deny_open_ssh"
	suffix  string // "open_ssh", by which exceptions name it; "" for a bare deny
	verdict verdict
	id      string // from its metadata: custom.id
	mend    string // from its metadata: custom.mend
	title   string
	reason  string // from its metadata: description
	source  string // from its metadata: custom.source
	at      diag.Place
	probing string // the generated rule's name
	query   rego.PreparedEvalQuery
}

// rulePattern is Conftest's convention for the names of deciding rules.
var rulePattern = regexp.MustCompile(`^(deny|violation|warn)(?:_([A-Za-z0-9_]+))?$`)

// probePrefix starts the names of generated rules; no user's rule may.
const probePrefix = "isobar__probe_"

// mainPackage is the package whose rules decide.
const mainPackage = "data.main"

// Compile reads Rego files and data for them and prepares the rules. Files that
// end in _test.rego are left out. The findings tell what cannot be parsed or
// compiled, at its place; with an error among them there is no engine. The others
// warn of what can have no effect: rules by kinds and fields that are none of
// kinds, where any are given. Both versions of Rego are read, so rules written for
// Terraform need no change.
func Compile(ctx context.Context, mods []Module, kinds resource.Descriptors) (*Engine, diag.List) {
	k, found := open(mods, false)
	if found.Errors() > 0 {
		return nil, found.Sorted()
	}
	found = append(append(found, limits(k.rules)...), idle(k.rules, kinds, false)...)
	if found.Errors() > 0 {
		return nil, found.Sorted()
	}
	probes := plantProbes(k.rules)
	c := newCompiler().WithPathConflictsCheck(taken(k.data))
	if c.Compile(k.rules); c.Failed() {
		return nil, append(found, compileFindings(c.Errors, mods)...).Sorted()
	}
	strays, told := k.roster.strays(k.rules)
	found = append(append(found, strays...), lost(c, k.data)...)
	e, b := &Engine{probes: probes, roster: k.roster, told: told}, bound{c, shelf(k.data)}
	for i := range e.probes {
		q, err := b.prepare(ctx, mainPackage+"."+e.probes[i].probing)
		if err != nil {
			return nil, append(found, prepareFinding(&e.probes[i], err)).Sorted()
		}
		e.probes[i].query = q
	}
	if rs := c.GetRulesExact(ast.MustParseRef(mainPackage + ".exception")); len(rs) > 0 {
		p := probe{name: "exception", at: at(rs[0].Loc())}
		q, err := b.prepare(ctx, mainPackage+".exception")
		if err != nil {
			return nil, append(found, prepareFinding(&p, err)).Sorted()
		}
		p.query, e.exception = q, &p
	}
	return e, found.Sorted()
}

// Rules lists the deciding rules with their places, in order of place; one with
// several bodies is there once for each.
func (e *Engine) Rules() []Rule {
	out := make([]Rule, len(e.probes))
	for i := range e.probes {
		p := &e.probes[i]
		out[i] = Rule{Name: p.name, ID: p.id, Title: p.title, Reason: p.reason, Source: p.source, Mend: p.mend, Warns: p.verdict == warn, At: p.at}
	}
	return out
}

// Rule is one deciding rule.
type Rule struct {
	Name   string // "deny_open_ssh"
	ID     string // "SG-001", or ""
	Title  string // from its metadata, as are the next three
	Reason string // why it matters: the description
	Source string // who says so as well, or ""
	Mend   string // what to do, unless a decision says it
	Warns  bool   // it warns; else it denies
	At     diag.Place
}

func newCompiler() *ast.Compiler {
	return ast.NewCompiler().WithCapabilities(capabilities()).WithDefaultRegoVersion(ast.RegoV1)
}

// bound is compiled rules with the data that they read.
type bound struct {
	rules *ast.Compiler
	data  storage.Store
}

func (b bound) prepare(ctx context.Context, query string) (rego.PreparedEvalQuery, error) {
	return rego.New(rego.Query(query), rego.Compiler(b.rules), rego.Store(b.data), rego.StrictBuiltinErrors(true)).PrepareForEval(ctx)
}

func prepareFinding(p *probe, err error) diag.Finding {
	return diag.Finding{Code: diag.PolicyBroken, Severity: diag.Error, Where: p.at, Subject: p.name, Message: "the rule cannot be prepared: " + err.Error()}
}

// capabilities are OPA's functions without those that look outside the input:
// the network, the clock, randomness, the environment.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(slices.Clone(c.Builtins), refused)
	c.AllowNet = []string{}
	return c
}

func refused(b *ast.Builtin) bool { return b.Nondeterministic }

// book is what modules hold, parsed.
type book struct {
	rules  map[string]*ast.Module // by path
	data   map[string]any
	roster roster
}

// open parses Rego and data, with the tests if wanted.
func open(mods []Module, tests bool) (book, diag.List) {
	rules, found := parse(slices.DeleteFunc(slices.Clone(mods), func(m Module) bool { return IsData(m.Path) }), tests)
	data, wrong := facts(mods)
	out := book{rules, data, enrol(rules)}
	for _, m := range mods {
		if m.Aside {
			delete(rules, m.Path)
		}
	}
	return out, append(found, wrong...)
}

// parse reads each file as today's Rego, or else as the older version; where
// neither can, the findings are of the version that has fewer of them.
func parse(mods []Module, tests bool) (map[string]*ast.Module, diag.List) {
	out := make(map[string]*ast.Module, len(mods))
	var found diag.List
	for _, m := range mods {
		if strings.HasSuffix(m.Path, "_test.rego") && !tests {
			continue
		}
		if out[m.Path] != nil {
			found = append(found, diag.Finding{Code: diag.PolicyUnreadable, Severity: diag.Error, Where: diag.Place{File: m.Path}, Message: "the file is given twice"})
			continue
		}
		opts := ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true, Capabilities: capabilities()}
		mod, err := ast.ParseModuleWithOpts(m.Path, m.Source, opts)
		if err != nil {
			opts.RegoVersion = ast.RegoV0
			old, olderr := ast.ParseModuleWithOpts(m.Path, m.Source, opts)
			switch {
			case olderr == nil:
				mod, err = old, nil
			case countErrors(olderr) < countErrors(err):
				err = olderr
			}
		}
		switch {
		case err != nil:
			found = append(found, parseFindings(err, m)...)
		case mod == nil:
			found = append(found, diag.Finding{
				Code: diag.PolicyUnreadable, Severity: diag.Error, Where: diag.Place{File: m.Path},
				Message: "the file holds no rules", Mend: "start it with a line such as: package main",
			})
		default:
			out[m.Path] = mod
		}
	}
	return out, found
}

func countErrors(err error) int {
	var errs ast.Errors
	if errors.As(err, &errs) {
		return len(errs)
	}
	return 1
}

func parseFindings(err error, m Module) diag.List {
	var errs ast.Errors
	var one *ast.Error
	switch {
	case errors.As(err, &errs):
	case errors.As(err, &one):
		errs = ast.Errors{one}
	default:
		return diag.List{{Code: diag.PolicyUnreadable, Severity: diag.Error, Where: diag.Place{File: m.Path}, Message: "not valid Rego: " + firstLine(err.Error())}}
	}
	out := make(diag.List, 0, len(errs))
	for _, e := range errs {
		f := locate(e.Location, m.Source)
		f.Code, f.Severity = diag.PolicyUnreadable, diag.Error
		if f.Where.Line == 0 {
			f.Where = diag.Place{File: m.Path}
		}
		f.Message = "not valid Rego: " + firstLine(e.Message)
		f.Mend = "mend the line; isobar policy test shows when the file is read"
		switch {
		case strings.Contains(e.Message, "unexpected eof"):
			f.Message, f.Mend = "not valid Rego: the file ends too early", "close the brace, bracket or quote that is still open"
		case strings.Contains(e.Message, "empty module"):
			f.Message, f.Mend = "the file holds no rules", "start it with a line such as: package main"
		}
		out = append(out, f)
	}
	return out
}

// undefined matches the compiler's words for a function that does not exist.
var undefined = regexp.MustCompile(`^undefined function ([\w.]+)`)

// compileFindings makes findings of the compiler's errors. What it says of a
// probe it says of the rule that the probe is a copy of as well.
func compileFindings(errs ast.Errors, mods []Module) diag.List {
	copied := func(e *ast.Error) bool { return strings.Contains(e.Message, probePrefix) }
	if own := slices.DeleteFunc(slices.Clone(errs), copied); len(own) > 0 {
		errs = own
	}
	out := make(diag.List, 0, len(errs))
	for _, e := range errs {
		src := ""
		if e.Location != nil {
			for _, m := range mods {
				if m.Path == e.Location.File {
					src = m.Source
				}
			}
		}
		f := locate(e.Location, src)
		f.Code, f.Severity, f.Message = diag.PolicyBroken, diag.Error, firstLine(e.Message)
		f.Mend = "mend the rule; isobar policy test shows when it compiles"
		if at, ok := strings.CutPrefix(e.Message, "conflicting rule for data path "); ok {
			f.Message = "data." + strings.ReplaceAll(strings.TrimSuffix(at, " found"), "/", ".") + " is a rule here, and a file of data has it too"
			f.Mend = "rename it in one of them"
		}
		if m := undefined.FindStringSubmatch(e.Message); m != nil && existsOutside(m[1]) {
			f.Code = diag.PolicyOutside
			f.Message = m[1] + " is not there for rules: they decide from the plan alone, without network, clock or chance"
			f.Mend = "take what the rule needs from input; input.isobar holds environment, commit, actor, spec and live inventory"
			f.Width = len(m[1])
		}
		out = append(out, f)
	}
	return out
}

// existsOutside reports whether OPA has the function and rules here have not.
func existsOutside(name string) bool {
	b, ok := ast.BuiltinMap[name]
	return ok && refused(b)
}

// locate makes a finding with the place and source line of a location.
func locate(loc *ast.Location, src string) diag.Finding {
	var f diag.Finding
	if loc == nil {
		return f
	}
	f.Where = diag.Place{File: loc.File, Line: loc.Row, Col: loc.Col}
	lines := strings.Split(src, "\n")
	if loc.Row >= 1 && loc.Row <= len(lines) {
		f.Excerpt = strings.TrimSuffix(lines[loc.Row-1], "\r")
	}
	return f
}

// firstLine is the first line of a message; where that only announces the others,
// they are put behind it.
func firstLine(s string) string {
	line, rest, _ := strings.Cut(s, "\n")
	if line = strings.TrimSpace(line); !strings.HasSuffix(line, ":") {
		return line
	}
	var said []string
	for l := range strings.Lines(rest) {
		if l = strings.TrimSpace(l); l != "" {
			said = append(said, l)
		}
	}
	if len(said) == 0 {
		return strings.TrimSuffix(line, ":")
	}
	return line + " " + strings.Join(said, ", ")
}

func ruleName(r *ast.Rule) string {
	ref := r.Head.Ref()
	if len(ref) == 0 {
		return ""
	}
	v, _ := ref[0].Value.(ast.Var)
	return string(v)
}

func at(loc *ast.Location) diag.Place {
	if loc == nil {
		return diag.Place{}
	}
	return diag.Place{File: loc.File, Line: loc.Row, Col: loc.Col}
}

// plantProbes adds to package main, for each body of a deciding rule, a rule of
// its own with the same body. The originals stay for tests and for rules that
// use them. Rules of one value (deny = …) cannot be told apart by body and are
// asked as they are.
func plantProbes(mods map[string]*ast.Module) []probe {
	var out []probe
	paths := make([]string, 0, len(mods))
	for p := range mods {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	whole, docs := map[string]bool{}, documents(mods)
	for _, path := range paths {
		m := mods[path]
		if m.Package.Path.String() != mainPackage {
			continue
		}
		for _, r := range slices.Clone(m.Rules) {
			p, ok := newProbe(r)
			if !ok || whole[p.name] && r.Head.RuleKind() != ast.MultiValue {
				continue
			}
			p.describe(docs[p.name])
			if r.Head.RuleKind() == ast.MultiValue && len(r.Head.Ref()) <= 2 {
				p.probing = fmt.Sprintf("%s%d", probePrefix, len(out))
				m.Rules = append(m.Rules, renamed(r, p.probing))
			} else {
				whole[p.name], p.probing = true, p.name
			}
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b probe) int {
		return cmp.Or(cmp.Compare(a.at.File, b.at.File), cmp.Compare(a.at.Line, b.at.Line), cmp.Compare(a.name, b.name))
	})
	return out
}

func newProbe(r *ast.Rule) (probe, bool) {
	n := ruleName(r)
	m := rulePattern.FindStringSubmatch(n)
	if m == nil || len(r.Head.Args) > 0 || r.Default {
		return probe{}, false
	}
	p := probe{name: n, suffix: m[2], verdict: deny, at: at(r.Loc())}
	if m[1] == "warn" {
		p.verdict = warn
	}
	p.describe(r.Annotations)
	return p, true
}

// describe fills what is not said yet from metadata.
func (p *probe) describe(as []*ast.Annotations) {
	for _, a := range as {
		id, _ := a.Custom["id"].(string)
		mend, _ := a.Custom["mend"].(string)
		source, _ := a.Custom["source"].(string)
		p.title, p.id, p.mend = cmp.Or(p.title, a.Title), cmp.Or(p.id, id), cmp.Or(p.mend, mend)
		p.reason, p.source = cmp.Or(p.reason, a.Description), cmp.Or(p.source, source)
	}
}

// documents are the metadata of whole rules (scope: document), by name.
func documents(mods map[string]*ast.Module) map[string][]*ast.Annotations {
	out := map[string][]*ast.Annotations{}
	for _, m := range mods {
		for _, r := range m.Rules {
			for _, a := range r.Annotations {
				if a.Scope == "document" && m.Package.Path.String() == mainPackage {
					out[ruleName(r)] = append(out[ruleName(r)], a)
				}
			}
		}
	}
	return out
}

// renamed copies a rule under another name, with its key and body.
func renamed(r *ast.Rule, name string) *ast.Rule {
	c := r.Copy()
	c.Annotations = nil
	c.Head.Name = ast.Var(name)
	ref := c.Head.Ref().Copy()
	ref[0] = ast.VarTerm(name).SetLocation(ref[0].Location)
	c.Head.SetRef(ref)
	return c
}
