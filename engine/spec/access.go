package spec

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/review"
	"isobar.dev/engine/spelling"
)

// accessJSON is the access section as a child gives it, by glob.
type accessJSON map[string]struct {
	Approvers []string `json:"approvers"`
	Appliers  []string `json:"appliers"`
	Approvals int      `json:"approvals"`
	Author    bool     `json:"authorMayApprove"`
}

// rules gives the section's rules, sorted by glob.
func (in accessJSON) rules(at map[string]resource.Position) review.Access {
	var out review.Access
	for _, glob := range slices.Sorted(maps.Keys(in)) {
		r := in[glob]
		out = append(out, review.Rule{
			Envs: glob, Approvers: r.Approvers, Appliers: r.Appliers, Approvals: r.Approvals, AuthorCounts: r.Author,
			At: at[resource.Path{"access", glob}.String()],
		})
	}
	return out
}

// accessPlace is where a rule stands, or a part of it that was written.
func accessPlace(r review.Rule, at map[string]resource.Position, part ...string) diag.Place {
	if p, ok := at[resource.Path(append([]string{"access", r.Envs}, part...)).String()]; ok {
		return diag.Place(p)
	}
	if r.At.File == "" {
		return diag.Place{File: estateFile}
	}
	return diag.Place(r.At)
}

// checkAccess makes the checks of the access section that CUE cannot express.
func checkAccess(rules review.Access, at map[string]resource.Position) diag.List {
	var found diag.List
	for _, r := range rules {
		if _, err := path.Match(r.Envs, ""); err != nil {
			found = append(found, diag.Finding{
				Code: codeValue, Severity: diag.Error, Where: accessPlace(r, at),
				Message: fmt.Sprintf("access: %q is no pattern", r.Envs), Mend: `write one such as "prod_*"`,
			})
		}
		for part, names := range map[string][]string{"approvers": r.Approvers, "appliers": r.Appliers} {
			seen := map[string]bool{}
			for i, n := range names {
				key := review.Key(n)
				if seen[key] {
					found = append(found, diag.Finding{
						Code: codeDuplicate, Severity: diag.Error, Where: accessPlace(r, at, part, strconv.Itoa(i)),
						Message: fmt.Sprintf("access: %s: %s: %s stands twice", r.Envs, part, n), Mend: "keep one of them: letter case and a leading @ don't tell people apart",
					})
				}
				seen[key] = true
			}
		}
	}
	return found
}

// idleAccess warns of rules that are for no environment, and of environments
// that two rules are for alike.
func (e Estate) idleAccess() diag.List {
	var found diag.List
	for _, r := range e.Access {
		if slices.ContainsFunc(e.Environments, r.Matches) {
			continue
		}
		f := diag.Finding{
			Code: codeAccess, Severity: diag.Warning, Where: accessPlace(r, nil),
			Message: fmt.Sprintf("access: no environment is called %s", r.Envs), Mend: "there is no environment yet: remove the rule, or add one",
		}
		if len(e.Environments) > 0 {
			f.Mend = "correct the glob, or remove the rule; environments here: " + strings.Join(e.Environments, ", ")
		}
		if near := spelling.Nearest(r.Envs, e.Environments); near != "" {
			f.Mend = "did you mean " + near + "?"
		}
		found = append(found, f)
	}
	told := map[[2]string]bool{}
	for _, env := range e.Environments {
		x, y, rivals := e.Access.Rivals(env)
		if !rivals || told[[2]string{x.Envs, y.Envs}] {
			continue
		}
		told[[2]string{x.Envs, y.Envs}] = true
		found = append(found, diag.Finding{
			Code: codeAccess, Severity: diag.Warning, Where: accessPlace(y, nil),
			Message: fmt.Sprintf("access: %s is as close to %s as %s is, which counts", y.Envs, env, x.Envs),
			Mend:    fmt.Sprintf("name the environment in a rule of its own: %q: {…}", env),
		})
	}
	return found
}

// Unapproved warns of an environment whose plans wait for approvals, mode being
// its own, and for which the access section names too few people to give them.
// How many are in a team is not known here, so a team is always enough.
func (e Estate) Unapproved(env, mode string) diag.List {
	r, ok := e.Access.For(env)
	n, counted := review.Named(r.Approvers)
	if !ok || mode != ModeApprove || !counted || n >= r.Need() {
		return nil
	}
	message := fmt.Sprintf("access: %s wants %d approvals, and names %d who can give one", r.Envs, r.Need(), n)
	if n == 0 {
		message = fmt.Sprintf("access: %s names nobody who may approve", r.Envs)
	}
	return diag.List{{
		Code: codeAccess, Severity: diag.Warning, Where: accessPlace(r, nil), Subject: env,
		Message: message + ": no plan of a pull request is ever approved", Mend: "name more approvers, or lower approvals",
	}}
}
