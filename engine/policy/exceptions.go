package policy

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/spelling"
)

// An exception rule waives rules by the part of their names after deny_, warn_ or
// violation_. One that names no rule waives nothing, which its author cannot see
// but by a plan that is denied.

// roster is the rules as exceptions and waivers name them, those that are left
// out of an environment among them.
type roster struct {
	rules   []probe  // their names and codes
	ids     []string // codes that decisions give themselves
	dynamic bool     // a decision works its code out, so that it could be any
}

func enrol(mods map[string]*ast.Module) roster {
	var out roster
	docs := documents(mods)
	for _, m := range mods {
		if m.Package.Path.String() != mainPackage {
			continue
		}
		for _, r := range m.Rules {
			if p, ok := newProbe(r); ok {
				p.describe(docs[p.name])
				out.rules = append(out.rules, p)
			}
		}
	}
	out.ids, out.dynamic = codes(mods)
	return out
}

// stray reports whether an exception for name waives nothing, and what to say of
// it.
func (l *roster) stray(name string) (diag.Finding, bool) {
	var suffixes []string
	meant := ""
	for i := range l.rules {
		p := &l.rules[i]
		if p.suffix == name {
			return diag.Finding{}, false
		}
		suffixes = append(suffixes, p.suffix)
		if name != "" && (name == p.name || name == p.id) {
			meant = p.suffix
		}
	}
	if meant == "" {
		meant = spelling.Nearest(name, slices.DeleteFunc(suffixes, func(s string) bool { return s == "" }))
	}
	f := diag.Finding{
		Code: diag.PolicyIdle, Severity: diag.Warning, Subject: "exception",
		Message: fmt.Sprintf("no rule is called deny_%s, warn_%s or violation_%s, so the exception waives nothing", name, name, name),
		Mend:    "name a rule by what follows deny_ or warn_ in its name, or take the exception out",
	}
	if name == "" {
		f.Message = "no rule is called deny, warn or violation alone, so the exception waives nothing"
	}
	if meant != "" {
		f.Mend = fmt.Sprintf("did you mean %q?", meant)
	}
	return f, true
}

// strays warns of the exceptions whose names stand in the rules' own text and
// name no rule; those that are worked out are told as they come. names are what
// was told of.
func (l *roster) strays(mods map[string]*ast.Module) (out diag.List, names []string) {
	for _, m := range mods {
		if m.Package.Path.String() != mainPackage {
			continue
		}
		for _, r := range m.Rules {
			if ruleName(r) != "exception" {
				continue
			}
			for _, t := range written(r) {
				name := string(t.Value.(ast.String))
				if f, stray := l.stray(name); stray {
					f.Where, f.Width = at(t.Location), len(t.Location.Text)
					out, names = append(out, f), append(names, name)
				}
			}
		}
	}
	return out, names
}

// written gives the names that a rule's key holds as they stand there, or that its
// body gives to the key: exception contains ["a", "b"], exception[names] { names =
// ["a", "b"] }.
func written(r *ast.Rule) []*ast.Term {
	key := r.Head.Key
	if key == nil {
		return nil
	}
	out := literals(key)
	if _, isVar := key.Value.(ast.Var); !isVar {
		return out
	}
	for _, x := range r.Body {
		if !x.IsEquality() && !x.IsAssignment() {
			continue
		}
		for i := range 2 {
			if x.Operand(i).Equal(key) {
				out = append(out, literals(x.Operand(1-i))...)
			}
		}
	}
	return out
}

// literals gives a text, or the texts of a list.
func literals(t *ast.Term) []*ast.Term {
	switch v := t.Value.(type) {
	case ast.String:
		return []*ast.Term{t}
	case *ast.Array:
		var out []*ast.Term
		v.Foreach(func(e *ast.Term) {
			if _, ok := e.Value.(ast.String); ok {
				out = append(out, e)
			}
		})
		return out
	}
	return nil
}

// Names tells whether a waiver's name is a rule's: its code or its name, or a code
// that one of its decisions may give itself.
func (e *Engine) Names(rule string) bool {
	l := &e.roster
	return l.dynamic || slices.Contains(l.ids, rule) ||
		slices.ContainsFunc(l.rules, func(p probe) bool { return p.id == rule || p.name == rule })
}

// Like gives the code or name of a rule that is most like a waiver's, or "".
func (e *Engine) Like(rule string) string {
	var names []string
	for i := range e.roster.rules {
		p := &e.roster.rules[i]
		if p.suffix == rule {
			return p.name
		}
		names = append(names, p.name)
		if p.id != "" {
			names = append(names, p.id)
		}
	}
	return spelling.Nearest(rule, names)
}

// codes are the codes that decisions may give themselves: the texts under the key
// id of the objects in rules. dynamic says that one is worked out, so that it
// could be any.
func codes(mods map[string]*ast.Module) (ids []string, dynamic bool) {
	for _, m := range mods {
		if m.Package.Path.String() != mainPackage {
			continue
		}
		ast.WalkTerms(m, func(t *ast.Term) bool {
			o, ok := t.Value.(ast.Object)
			if !ok {
				return false
			}
			if id := o.Get(ast.InternedTerm("id")); id != nil && o.Get(ast.InternedTerm("msg")) != nil {
				s, fixed := id.Value.(ast.String)
				ids, dynamic = append(ids, string(s)), dynamic || !fixed
			}
			return false
		})
	}
	return ids, dynamic
}
