package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/spelling"
)

// lost warns of what rules read below data where neither a rule nor a file of data
// is, after c has compiled: it is never there, and what stands on it never holds.
// Tests put data of their own in its place.
func lost(c *ast.Compiler, data map[string]any) diag.List {
	var out diag.List
	for path, m := range c.Modules {
		if strings.HasSuffix(path, "_test.rego") {
			continue
		}
		for _, r := range m.Rules {
			name := ruleName(r)
			if strings.HasPrefix(name, probePrefix) {
				continue // it is a copy
			}
			ast.WalkRefs(r, func(ref ast.Ref) bool {
				if missing, beside, ok := nowhere(ref, c.RuleTree, data); ok {
					f := diag.Finding{
						Code: diag.PolicyIdle, Severity: diag.Warning, Where: at(ref[0].Location), Subject: name,
						Message: fmt.Sprintf("neither a rule nor a file of data gives %s, so it is never there", missing),
						Mend:    "write it, or put it into policies/data.json or data.yaml",
					}
					if near := spelling.Nearest(missing[strings.LastIndex(missing, ".")+1:], beside); near != "" {
						f.Mend = "did you mean " + near + "?"
					}
					out = append(out, f)
				}
				return false
			})
		}
	}
	return out
}

// nowhere reports whether a reference below data leads nowhere: the part of it
// that is missing, and the names that stand beside that.
func nowhere(ref ast.Ref, rules *ast.TreeNode, data map[string]any) (missing string, beside []string, ok bool) {
	if len(ref) < 2 || !ref[0].Equal(ast.DefaultRootDocument) {
		return "", nil, false
	}
	node := rules.Child(ast.DefaultRootDocument.Value)
	facts, held := data, true
	at := "data"
	for _, t := range ref[1:] {
		key, isText := t.Value.(ast.String)
		if !isText || node != nil && len(node.Values) > 0 {
			return "", nil, false
		}
		at += "." + string(key)
		var names []string
		if node != nil {
			for k := range node.Children {
				names = append(names, strings.Trim(k.String(), `"`))
			}
			node = node.Child(key)
		}
		if held {
			names = slices.AppendSeq(names, keys(facts))
			var v any
			if v, held = facts[string(key)]; held {
				if facts, held = v.(map[string]any); !held {
					return "", nil, false // the rest is the value's own
				}
			}
		}
		if node == nil && !held {
			return at, names, true
		}
	}
	return "", nil, false
}
