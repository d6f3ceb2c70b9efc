package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// Shown tells which plans people were shown, beside runs and in them.
type Shown interface {
	PlansOf(ctx context.Context, env, prefix string) ([]store.Plan, error)
	Runs(ctx context.Context, f store.RunFilter) ([]store.Run, error)
	Run(ctx context.Context, id string) (store.Run, error)
}

// NotKept says why no plan is given for a name: none is kept under it, or several are.
type NotKept string

func (n NotKept) Error() string { return string(n) }

// The fewest digits that name a plan, and how many runs are looked through for it.
const (
	leastDigits  = 8
	runsLookedAt = 1000
)

// KeptPlan gives the plan that is kept under a digest or the beginning of one, as in
// "9c1e-44b0": of a pull request's preview, of a command, or of a run.
func KeptPlan(ctx context.Context, from Shown, digest string) (out view.PlanJSON, err error) {
	prefix := strings.ToLower(strings.ReplaceAll(digest, "-", ""))
	if len(prefix) < leastDigits {
		return out, NotKept(fmt.Sprintf("%q has fewer than %d digits", digest, leastDigits))
	}
	found, err := from.PlansOf(ctx, "", prefix)
	if err == nil && len(found) == 0 {
		found, err = ofRuns(ctx, from, prefix)
	}
	switch {
	case err != nil:
		return out, err
	case len(found) == 0:
		return out, NotKept(fmt.Sprintf("no plan is kept as %q", digest))
	}
	var of []string
	for _, p := range found {
		of = append(of, p.Digest+" of "+p.Env)
	}
	if len(found) > 1 {
		return out, NotKept(fmt.Sprintf("several plans begin like %q: %s", digest, strings.Join(of, ", ")))
	}
	if err := json.Unmarshal(found[0].Body, &out); err != nil {
		return out, fmt.Errorf("plan %s can't be read: %w", of[0], err)
	}
	out.Shown = found[0].Shown.UTC()
	return out, nil
}

// ofRuns gives the plans of runs whose digest begins with prefix, each once.
func ofRuns(ctx context.Context, from Shown, prefix string) (out []store.Plan, err error) {
	runs, err := from.Runs(ctx, store.RunFilter{Limit: runsLookedAt})
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i := range runs {
		r := &runs[i]
		if !strings.HasPrefix(r.Digest, prefix) || seen[r.Env+" "+r.Digest] {
			continue
		}
		whole, err := from.Run(ctx, r.ID) // lists leave the plan out
		if err != nil {
			return nil, err
		}
		if len(whole.Plan) > 0 {
			seen[r.Env+" "+r.Digest] = true
			out = append(out, store.Plan{Env: r.Env, Digest: r.Digest, Shown: r.Started, Body: whole.Plan})
		}
	}
	return out, nil
}

func (a *API) plan(w http.ResponseWriter, r *http.Request) {
	p, err := KeptPlan(r.Context(), a.Records, r.PathValue("digest"))
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, p)
}
