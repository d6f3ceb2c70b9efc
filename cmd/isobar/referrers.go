package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
)

// referrers finds the other environments whose specs refer to resources of env,
// a warning each. One that owns nothing, as the store knows, loses nothing; of
// one whose spec can't be read, nobody knows what it refers to.
func referrers(ctx context.Context, specs reconcile.Specs, r repo, known []store.Environment, env string) (diag.List, error) {
	var out diag.List
	for _, other := range r.estate.Environments {
		bare := slices.ContainsFunc(known, func(row store.Environment) bool { return row.Name == other && row.Resources == 0 })
		if other == env || bare {
			continue
		}
		e, err := specs.Environment(ctx, r.tree, other)
		var list diag.List
		switch {
		case errors.As(err, &list):
			out = append(out, diag.Finding{
				Severity: diag.Warning, Code: diag.CommandReferred, Subject: other,
				Message: "its spec can't be read, so nobody knows whether it refers to " + env, Mend: "isobar validate " + other + " says what is wrong with it",
			})
			continue
		case err != nil:
			return nil, err
		}
		if f, ok := referring(other, env, e.Desired); ok {
			out = append(out, f)
		}
	}
	return out, nil
}

// namedAtMost is how many addresses a warning names.
const namedAtMost = 3

// referring says what of env an environment's resources refer to.
func referring(other, env string, desired []resource.Desired) (f diag.Finding, ok bool) {
	var names []string
	for i := range desired {
		for _, ref := range resource.Refs(desired[i].Fields) {
			if name := ref.Address.Local(); ref.Address.Env == env && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return f, false
	}
	slices.Sort(names)
	what := strings.Join(names[:min(len(names), namedAtMost)], ", ")
	if more := len(names) - namedAtMost; more > 0 {
		what += fmt.Sprintf(" and %d more", more)
	}
	return diag.Finding{
		Severity: diag.Warning, Code: diag.CommandReferred, Subject: other,
		Message: "refers to " + what + " of " + env + ": without them it can't be planned any more",
		Mend:    "destroy " + other + " first, or take the references out of it",
	}, true
}
