package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/view"
)

func (a *app) planCommand() *cobra.Command {
	detailed := false
	var refresh []string
	c := &cobra.Command{
		Use: "plan [ENV…]", Short: "Show what apply would do, and why",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c.Context(), "stopping, nothing is changed", func(ctx context.Context) error {
				return a.withOnce(ctx, func(o *reconcile.Once) error {
					tries, err := a.draft(ctx, o, draftFlags{envs: args, refresh: refresh})
					if err != nil {
						return err
					}
					return a.showPlans(ctx, o, tries, detailed)
				})
			})
		},
	}
	detailedFlag(c, &detailed)
	refreshFlag(c, &refresh)
	a.fullFlag(c)
	c.AddCommand(a.planShowCommand())
	return a.sourceFlags(c)
}

func detailedFlag(c *cobra.Command, to *bool) {
	c.Flags().BoolVar(to, "detailed-exitcode", false, "exit 2 where there are changes, 0 where there are none")
}

// fullFlag lets a verb show the fields of all that is created.
func (a *app) fullFlag(c *cobra.Command) {
	c.Flags().BoolVar(&a.full, "full", false, "list the fields of all that is created, and all that is held, however long the plan gets")
}

// withOnce opens the store for f and closes it after.
func (a *app) withOnce(ctx context.Context, f func(*reconcile.Once) error) error {
	o, err := a.once(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(o), o.Store.Close())
}

// draftFlags say what to draft.
type draftFlags struct {
	envs     []string
	destroy  bool
	bounded  bool // nobody is asked: the spec's limit of deletes holds
	imports  []reconcile.Import
	takeOver bool     // from another store
	refresh  []string // lookups to ask anew, by address; AllLookups is every one

	warn diag.List // what to say of every plan
}

// draft drafts the environments. What is wrong with any of their specs is told
// at once, and nothing is planned then.
func (a *app) draft(ctx context.Context, o *reconcile.Once, f draftFlags) ([]*reconcile.Attempt, error) {
	r, err := a.openRepo(ctx, o.Runner.Specs)
	if err != nil {
		return nil, a.refuse(findings(err), "nothing was planned")
	}
	known, err := o.Store.Environments(ctx)
	if err != nil {
		return nil, err
	}
	if f.destroy {
		if f.warn, err = referrers(ctx, o.Runner.Specs, r, known, f.envs[0]); err != nil {
			return nil, err
		}
	}
	envs, err := r.choose(f.envs, known)
	if err == nil && len(f.envs) == 0 {
		err = o.Bygone(ctx, r.estate.Environments, known)
	}
	if err != nil {
		return nil, err
	}
	tries, wrong, err := draftAll(ctx, o, envs, reconcile.Job{
		Tree: r.tree, Rules: r.rules, Commit: r.commit, Actor: actor(), Trigger: "command", Destroy: f.destroy, Bounded: f.bounded, Imports: f.imports, TakeOver: f.takeOver,
	}, f.refresh)
	if err != nil {
		return nil, err
	}
	wrong = append(wrong, r.estate.Findings...)
	if wrong.Errors() > 0 {
		return nil, a.refuse(wrong, "nothing was planned")
	}
	for _, t := range tries {
		t.Warnings = append(t.Warnings, f.warn...)
	}
	if slices.ContainsFunc(tries, asksForAWord) {
		if err := keep(ctx, o); err != nil {
			return nil, err
		}
	}
	if wrong = untold(wrong, tries); len(wrong) > 0 && a.output == "text" {
		a.tell(wrong, "")
	}
	return tries, areLookups(o, tries, f.refresh)
}

// asksForAWord reports whether an attempt found orphans: what a person says of
// them is on what was found.
func asksForAWord(t *reconcile.Attempt) bool {
	return slices.ContainsFunc(t.Plan.Held, func(h plan.Held) bool { return h.Why == plan.HeldOrphan })
}

// untold leaves out of the estate's findings what a plan tells too.
func untold(found diag.List, tries []*reconcile.Attempt) diag.List {
	return slices.DeleteFunc(slices.Clone(found), func(f diag.Finding) bool {
		return slices.ContainsFunc(tries, func(t *reconcile.Attempt) bool { return slices.Contains(t.Warnings, f) })
	})
}

// draftsAtOnce is how many environments are drafted at the same time.
const draftsAtOnce = 4

// draftAll drafts a job for each of the environments, in their order. What is
// wrong with specs comes back as findings; the error is none of the user's.
func draftAll(ctx context.Context, o *reconcile.Once, envs []string, job reconcile.Job, refresh []string) ([]*reconcile.Attempt, diag.List, error) {
	tries, wrong := make([]*reconcile.Attempt, len(envs)), make([]diag.List, len(envs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(draftsAtOnce)
	for i, env := range envs {
		g.Go(func() error {
			mine := job
			mine.Env, mine.Refresh = env, reconcile.RefreshOf(env, refresh)
			try, err := o.Draft(ctx, mine)
			if errors.As(err, &wrong[i]) {
				return nil
			}
			tries[i] = try
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	return slices.DeleteFunc(tries, func(t *reconcile.Attempt) bool { return t == nil }), slices.Concat(wrong...), nil
}

// showPlans prints plans as printPlans does, and keeps them, so that a person can
// name them.
func (a *app) showPlans(ctx context.Context, o *reconcile.Once, tries []*reconcile.Attempt, detailed bool) error {
	if err := keepPlans(ctx, o, tries); err != nil {
		return err
	}
	return a.printPlans(o, tries, detailed)
}

// keepPlans keeps plans that are shown, where there is a store yet.
func keepPlans(ctx context.Context, o *reconcile.Once, tries []*reconcile.Attempt) error {
	for _, t := range tries {
		if err := o.Show(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// printPlans prints plans and sets the exit code: 1 where something will not be
// done, 2 (where asked for) where there is something to do.
func (a *app) printPlans(o *reconcile.Once, tries []*reconcile.Attempt, detailed bool) error {
	shown := make([]*view.Plan, len(tries))
	for i, t := range tries {
		shown[i] = a.shown(o, t)
	}
	a.code = planCode(tries, detailed)
	return a.plans(shown)
}

// planCode is the exit code that plans come to.
func planCode(tries []*reconcile.Attempt, detailed bool) int {
	code := exitOK
	for _, t := range tries {
		if t.Denied() || len(t.Plan.Held) > 0 {
			return exitError
		}
		if detailed && len(t.Plan.Steps) > 0 {
			code = exitChanges
		}
	}
	return code
}

// shown is an attempt's plan for people.
func (a *app) shown(o *reconcile.Once, t *reconcile.Attempt) *view.Plan {
	p := t.ViewPlan(o.Runner.Catalogue.Descriptors, "")
	p.Mode = "" // no daemon runs here: the next step is a person's
	p.Verb = a.verb
	given := refreshArgs(t.Job.Refresh) + a.sourceArgs()
	switch {
	case t.Job.Destroy:
		p.Next = "isobar destroy " + t.Job.Env + a.sourceArgs() + " --plan " + view.PlanID(t.Plan.Digest)
	case len(t.Job.Imports) > 0:
		p.Import, p.Next = true, "the same again with --plan "+view.PlanID(t.Plan.Digest)
	case given != "":
		p.Next = "isobar apply " + t.Job.Env + given + " --plan " + view.PlanID(t.Plan.Digest)
	}
	return p
}
