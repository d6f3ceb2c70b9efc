package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spelling"
)

// A rule names kinds by texts, which no type checker looks into: rc.type ==
// "aws_vcp" is never true, and plan.of_type("aws_vcp") is empty.

// lexicon is what rules may call kinds.
type lexicon struct {
	known map[string]string // what may be meant by each way to write a kind: itself, or the right one for what is near
	heads []string          // how names of kinds begin: "aws_", "aws."
}

// newLexicon knows a kind by its type, "aws_s3_bucket", and by its own name,
// "aws.bucket"; "aws_bucket", which is neither, means the type.
func newLexicon(kinds resource.Descriptors) lexicon {
	l := lexicon{known: map[string]string{}}
	for name, k := range kinds {
		provider, _, _ := strings.Cut(name, ".")
		for _, h := range []string{provider + "_", provider + "."} {
			if !slices.Contains(l.heads, h) {
				l.heads = append(l.heads, h)
			}
		}
		l.known[strings.ReplaceAll(name, ".", "_")] = Type(k, name)
	}
	for name := range kinds {
		l.known[name] = name
	}
	for _, t := range knownTypes(kinds) {
		l.known[t] = t
	}
	return l
}

// looks reports whether a text looks like the name of a kind.
func (l lexicon) looks(text string) bool {
	for _, h := range l.heads {
		if rest, ok := strings.CutPrefix(text, h); ok && rest != "" && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789_") == "" {
			return true
		}
	}
	return false
}

// right gives the kind that a text means which is no kind, "" where none is like
// it. Names of kinds that only Terraform has are many and alike, so it has to be
// nearer than elsewhere.
func (l lexicon) right(text string) string {
	if known := l.known[text]; known != "" {
		return known
	}
	cut := strings.IndexAny(text, "_.") + 1
	var rests []string
	for name := range l.known {
		if rest, ok := strings.CutPrefix(name, text[:cut]); ok {
			rests = append(rests, rest)
		}
	}
	if best := spelling.Within(text[cut:], rests, 4); best != "" {
		return l.known[text[:cut]+best]
	}
	return ""
}

// unkind warns of the names of kinds that are none, at their places.
func unkind(mods map[string]*ast.Module, kinds resource.Descriptors, thorough bool) diag.List {
	if len(kinds) == 0 {
		return nil
	}
	l := newLexicon(kinds)
	var out diag.List
	for path, m := range mods {
		if strings.HasSuffix(path, "_test.rego") {
			continue
		}
		for _, r := range m.Rules {
			for _, t := range kindTexts(r, l) {
				text := string(t.Value.(ast.String))
				right := l.right(text)
				if right == text || right == "" && !thorough && !strings.Contains(text, ".") {
					continue
				}
				f := diag.Finding{
					Code: diag.PolicyIdle, Severity: diag.Warning, Where: at(t.Location), Width: len(t.Location.Text), Subject: ruleName(r),
					Message: fmt.Sprintf("no kind is called %s, so nothing is ever of it", text),
					Mend:    "isobar's reference lists the kinds; leave it, if the rule is for Terraform as well",
				}
				if right != "" {
					f.Mend = fmt.Sprintf("did you mean %s?", right)
				}
				out = append(out, f)
			}
		}
	}
	return out
}

// kindTexts are the texts of a rule that stand for kinds: compared with a type or
// a kind, given to a function of the rules' own, or listed beside a kind.
func kindTexts(r *ast.Rule, l lexicon) []*ast.Term {
	var out []*ast.Term
	add := func(t *ast.Term) {
		if s, ok := t.Value.(ast.String); ok && l.looks(string(s)) && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	addLike := func(t *ast.Term) {
		if s, ok := t.Value.(ast.String); ok && l.looks(string(s)) && l.right(string(s)) != "" {
			add(t)
		}
	}
	call := func(terms []*ast.Term) {
		op, ok := terms[0].Value.(ast.Ref)
		if !ok {
			return
		}
		name := op.String()
		switch {
		case len(terms) == 3 && slices.Contains([]string{ast.Equal.Name, ast.Equality.Name, ast.NotEqual.Name}, name):
			for i, t := range terms[1:] {
				if tells(terms[2-i]) {
					add(t)
				}
			}
		case strings.HasSuffix(name, ".of_type"):
			for _, t := range terms[1:] {
				add(t)
			}
		case ast.BuiltinMap[name] == nil:
			for _, t := range terms[1:] {
				addLike(t)
			}
		}
	}
	ast.NewGenericVisitor(func(x any) bool {
		switch v := x.(type) {
		case *ast.Expr:
			if terms, ok := v.Terms.([]*ast.Term); ok {
				call(terms)
			}
		case ast.Call:
			call(v)
		case *ast.Array, ast.Set, ast.Object:
			if ts := members(v); slices.ContainsFunc(ts, func(t *ast.Term) bool { s, ok := t.Value.(ast.String); return ok && l.known[string(s)] == string(s) }) {
				for _, t := range ts {
					addLike(t)
				}
			}
		}
		return false
	}).Walk(r)
	return out
}

// tells reports whether a term is a reference to something's type or kind.
func tells(t *ast.Term) bool {
	ref, ok := t.Value.(ast.Ref)
	if !ok || len(ref) < 2 {
		return false
	}
	last, ok := ref[len(ref)-1].Value.(ast.String)
	return ok && (last == "type" || last == "kind")
}

// members are the terms of a list or set, or the keys of an object.
func members(x any) []*ast.Term {
	var out []*ast.Term
	switch v := x.(type) {
	case *ast.Array:
		v.Foreach(func(t *ast.Term) { out = append(out, t) })
	case ast.Set:
		v.Foreach(func(t *ast.Term) { out = append(out, t) })
	case ast.Object:
		out = v.Keys()
	}
	return out
}
