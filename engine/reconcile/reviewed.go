package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// Reviews follows the pull requests of one repository. Safe for concurrent use.
type Reviews interface {
	// Follow works until ctx ends, beside the repository's own follower.
	Follow(ctx context.Context, s Source)
	// Consent tells what people agreed to for an environment while what is now to be
	// done was a pull request; digest is the plan that it came to. An error is the
	// store's.
	Consent(ctx context.Context, env, digest string) (Consent, error)
	// Waivers gives those that people wrote into pull requests which are merged, or
	// which the environment is pinned to.
	Waivers(ctx context.Context, env string) ([]spec.Waiver, error)
	// Pinned gives the pull request that an environment is kept as while the branch's
	// head is this commit; nil for none. An error is the store's.
	Pinned(ctx context.Context, env, head string) (*Pin, error)
	// Pins gives by environment the pull requests that hold one, without what they give.
	Pins(ctx context.Context) (map[string]Pin, error)
}

// Consent is what people agreed to before a commit came to the followed branch.
// The zero value is nothing.
type Consent struct {
	By    string    // who approved just this plan, and where: "ann, ben (#12)"; "" for nobody
	At    time.Time // when the last of them did
	Other string    // the digest of the plan that they approved instead; "" for none
	Where string    // where they did that: "#12"
	Veil  string    // why nobody can tell what they agreed to; "" where it is known
}

// unlike reports whether a person is to look before anything is applied.
func (c Consent) unlike() bool { return c.Other != "" || c.Veil != "" }

// text says why a person is to look.
func (c Consent) text() string {
	if c.Veil != "" {
		return c.Veil
	}
	return c.Where + " was approved with plan " + view.PlanID(c.Other) + ", and this is not what would be done then"
}

// reviewed takes up what people agreed to of the draft's commit before it came.
func (t *turn) reviewed(ctx context.Context, draft *Draft) error {
	rv, digest := t.repo.Reviews, draft.Plan.Digest
	if rv == nil || digest == "" || draft.Denied() || t.under != "" || t.state.Consent == digest {
		return nil
	}
	c, err := rv.Consent(ctx, t.env, digest)
	if err != nil {
		return err
	}
	switch {
	case c.By != "":
		if c, err = t.agree(ctx, c, digest); err != nil {
			return err
		}
	case c.Other != "":
		if err := t.unlike(ctx, draft, c); err != nil {
			return err
		}
	}
	t.agreed = c
	return nil
}

// waivers gives those that people wrote into pull requests.
func (t *turn) waivers(ctx context.Context) ([]spec.Waiver, error) {
	if t.repo.Reviews == nil {
		return nil, nil
	}
	return t.repo.Reviews.Waivers(ctx, t.env)
}

// agree puts a consent on record as the approval of a plan, to be used up by the
// run that applies it. One that was used, or that somebody turned away since, is
// none.
func (t *turn) agree(ctx context.Context, c Consent, digest string) (Consent, error) {
	had, err := t.d.Store.Approval(ctx, t.env, digest)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return Consent{}, err
	case !had.At.Before(c.At.Truncate(time.Millisecond)) && (had.Run != "" || had.Verdict != store.Approve):
		return Consent{}, nil
	}
	err = t.d.Store.PutApproval(ctx, store.Approval{Env: t.env, Digest: digest, By: c.By, At: c.At, Verdict: store.Approve})
	return c, err
}

// unlike notes in a draft how it differs from the plan that people approved.
func (t *turn) unlike(ctx context.Context, draft *Draft, c Consent) error {
	kept, err := t.d.Store.PlansOf(ctx, t.env, c.Other)
	if err != nil || len(kept) == 0 {
		return err
	}
	var then view.PlanJSON
	if err := json.Unmarshal(kept[0].Body, &then); err != nil {
		return fmt.Errorf("a kept plan can't be read: %w", err)
	}
	whole := *draft.Plan
	whole.Notes = slices.Clone(whole.Notes)
	now := draft.ViewPlan(t.d.Runner.Catalogue.Descriptors, "").Report()
	for _, line := range now.Differs(&then) {
		local, text, _ := strings.Cut(line, ": ")
		if a, err := resource.ParseAddress(t.env + "/" + local); err == nil {
			whole.Notes = append(whole.Notes, plan.Note{Address: a, Text: "not as approved in " + c.Where + ": " + text})
		}
	}
	draft.Plan = &whole
	return nil
}
