package policy

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spelling"
)

// idle warns of rules that can have no effect, so that a slip of the pen does not
// silently open what the rule should close: those in packages that nobody asks,
// and those that stand on a field or a kind that no input has. thorough names
// Terraform's types that no kind has as well; those who bring a book of rules
// along would else hear of them with every plan.
func idle(mods map[string]*ast.Module, kinds resource.Descriptors, thorough bool) diag.List {
	out := append(absent(mods, kinds), unkind(mods, kinds, thorough)...)
	for _, m := range mods {
		for _, r := range m.Rules {
			n := ruleName(r)
			if rulePattern.MatchString(n) && m.Package.Path.String() != mainPackage {
				out = append(out, diag.Finding{
					Code: diag.PolicyIdle, Severity: diag.Warning, Where: at(r.Loc()), Subject: n,
					Message: fmt.Sprintf("the rule has no effect: its package is %s, and only main is asked", strings.TrimPrefix(m.Package.Path.String(), "data.")),
					Mend:    "write package main at the file's top",
				})
			}
		}
	}
	return out
}

// absent warns of the fields that rules ask of the input and no input has, as the
// type checker sees them: through names too, as in some r in
// input.resource_changes; r.change.after.cidr_blok. What a function is given is
// not looked into. Tests bring their own input.
func absent(mods map[string]*ast.Module, kinds resource.Descriptors) diag.List {
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, inputSchema(kinds))
	c := newCompiler().WithSchemas(schemas)
	c.SetErrorLimit(0)
	c.Compile(mods) // on a copy; what is wrong without the schema is told by who compiles for good
	var out diag.List
	for _, e := range c.Errors {
		detail, ok := e.Details.(*ast.RefErrInvalidDetail)
		if !ok || e.Location == nil || strings.HasSuffix(e.Location.File, "_test.rego") {
			continue
		}
		if f, ok := noField(detail); ok {
			f.Where, f.Subject = at(e.Location), ruleAt(mods[e.Location.File], e.Location)
			out = append(out, f)
		}
	}
	return out
}

// noField says what is wrong with a reference.
func noField(d *ast.RefErrInvalidDetail) (diag.Finding, bool) {
	field, ok := d.Ref[d.Pos].Value.(ast.String)
	if !ok {
		return diag.Finding{}, false
	}
	of := d.Ref[:d.Pos].String()
	f := diag.Finding{Code: diag.PolicyIdle, Severity: diag.Warning, Message: fmt.Sprintf("%s has no field %s, so it is never there", of, string(field))}
	var known []string
	for _, v := range d.OneOf {
		if s, ok := v.(ast.String); ok {
			known = append(known, string(s))
		}
	}
	switch near := spelling.Nearest(string(field), known); {
	case len(known) == 0:
		f.Message = fmt.Sprintf("%s is a list, which has no field %s, so it is never there", of, string(field))
		f.Mend = fmt.Sprintf("ask its members: %s[_].%s", of, string(field))
	case near != "":
		f.Mend = "did you mean " + near + "?"
	case len(known) <= 12:
		f.Mend = "write one of " + strings.Join(known, ", ")
	default:
		f.Mend = "no kind has it: isobar's reference lists the kinds and their fields"
	}
	return f, true
}

// ruleAt names the rule that a place is in.
func ruleAt(m *ast.Module, loc *ast.Location) string {
	name := ""
	if m != nil {
		for _, r := range m.Rules {
			if l := r.Loc(); l != nil && (l.Row < loc.Row || l.Row == loc.Row && l.Col <= loc.Col) {
				name = ruleName(r)
			}
		}
	}
	return name
}
