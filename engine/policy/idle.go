package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"isobar.dev/engine/diag"
)

// idle warns of rules that can have no effect, so that a slip of the pen does not
// silently open what the rule should close: those in packages that nobody asks,
// and those that stand on a field that no input has.
func idle(mods map[string]*ast.Module) diag.List {
	var out diag.List
	for _, m := range mods {
		for _, r := range m.Rules {
			n := ruleName(r)
			if strings.HasPrefix(n, "test_") || strings.HasPrefix(n, "todo_test_") {
				continue
			}
			out = append(out, absent(r, n)...)
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

// inputFields are the fields of a document and of its part isobar, which are there
// in every one.
func inputFields() (top, isobar []string) {
	return []string{"format_version", "isobar", "planned_values", "resource_changes", "resource_drift"},
		[]string{"actor", "commit", "digest", "environment", "held", "kinds", "live", "mode", "spec", "trigger"}
}

// absent warns of the fields of the input that a rule asks for and no input has.
// They are asked by the rule's own text: a field that is reached through a name,
// as in r := input.isobar; r.mod, is not looked at.
func absent(r *ast.Rule, name string) diag.List {
	var out diag.List
	top, isobar := inputFields()
	ast.WalkRefs(r, func(ref ast.Ref) bool {
		if len(ref) < 2 || !ref.HasPrefix(ast.InputRootRef) {
			return false
		}
		field, ok := ref[1].Value.(ast.String)
		known, path := top, "input"
		if ok && field == "isobar" && len(ref) > 2 {
			field, ok = ref[2].Value.(ast.String)
			known, path = isobar, "input.isobar"
		}
		if ok && !slices.Contains(known, string(field)) {
			out = append(out, diag.Finding{
				Code: diag.PolicyIdle, Severity: diag.Warning, Where: at(ref[0].Location), Subject: name,
				Message: fmt.Sprintf("%s has no field %s, so it is never there", path, string(field)),
				Mend:    "write one of " + strings.Join(known, ", "),
			})
		}
		return false
	})
	return out
}
