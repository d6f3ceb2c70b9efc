package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/spelling"
)

// limitsPackage holds the figures that the rules which come with isobar hold plans
// to; a repository sets its own in the same package.
const limitsPackage = "data.isobar.limits"

// limits checks a repository's figures against the ones that they replace, which
// are the package's defaults. One of another type is refused: in Rego a number is
// less than any text, so that its rule would never say anything. One that nobody
// asks for is warned of. Modules without such defaults have no figures to replace.
func limits(mods map[string]*ast.Module) diag.List {
	known := map[string]string{} // the type of each
	for _, m := range mods {
		for _, r := range m.Rules {
			if r.Default && m.Package.Path.String() == limitsPackage {
				known[ruleName(r)] = ast.ValueName(r.Head.Value.Value)
			}
		}
	}
	var out diag.List
	if len(known) == 0 {
		return nil
	}
	for _, m := range mods {
		for _, r := range m.Rules {
			if r.Default || m.Package.Path.String() != limitsPackage {
				continue
			}
			name := ruleName(r)
			f := diag.Finding{Where: at(r.Loc()), Subject: name}
			want, is := known[name]
			names := slices.Sorted(maps.Keys(known))
			switch {
			case !is:
				f.Code, f.Severity = diag.PolicyIdle, diag.Warning
				f.Message, f.Mend = "no rule asks for the limit "+name, "limits: "+strings.Join(names, ", ")
				if near := spelling.Nearest(name, names); near != "" {
					f.Mend = "did you mean " + near + "?"
				}
			case r.Head.Value == nil || !ast.IsConstant(r.Head.Value.Value) || ast.ValueName(r.Head.Value.Value) == want:
				continue
			default:
				f.Code, f.Severity = diag.PolicyBroken, diag.Error
				f.Message, f.Mend = fmt.Sprintf("the limit %s is a %s, and the rules want a %s", name, ast.ValueName(r.Head.Value.Value), want), "write a "+want
			}
			out = append(out, f)
		}
	}
	return out
}
