package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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

// namedAtMost is how many addresses, and places, a warning names.
const namedAtMost = 3

// referring says what of env an environment's resources refer to.
func referring(other, env string, desired []resource.Desired) (f diag.Finding, ok bool) {
	var names []string
	var places []diag.Place
	for i := range desired {
		for _, field := range slices.Sorted(maps.Keys(desired[i].Fields)) {
			there := false
			for _, ref := range resource.Refs(desired[i].Fields[field]) {
				if ref.Address.Env == env {
					there, names = true, append(names, ref.Address.Local())
				}
			}
			if at, _ := desired[i].Place(resource.Path{field}); there {
				places = append(places, diag.Place(at))
			}
		}
	}
	if len(names) == 0 {
		return f, false
	}
	slices.Sort(names)
	slices.SortFunc(places, func(a, b diag.Place) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	places = slices.Compact(places)
	also := make([]string, len(places)-1)
	for i, p := range places[1:] {
		also[i] = p.String()
	}
	f = diag.Finding{
		Severity: diag.Warning, Code: diag.CommandReferred, Subject: other, Where: places[0],
		Message: "refers to " + some(slices.Compact(names)) + " of " + env + ": without them it can't be planned any more",
		Mend:    "destroy " + other + " first, or take the references out of it",
	}
	if len(also) > 0 {
		f.Mend += ", also at " + some(also)
	}
	return f, true
}

// some lists the first of what there is, and counts the rest.
func some(all []string) string {
	out := strings.Join(all[:min(len(all), namedAtMost)], ", ")
	if more := len(all) - namedAtMost; more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}
