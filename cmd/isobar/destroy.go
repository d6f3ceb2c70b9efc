package main

import (
	"context"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/view"
)

func (a *app) destroyCommand() *cobra.Command {
	var f applyFlags
	c := &cobra.Command{
		Use: "destroy ENV", Short: "Delete everything that an environment owns", Args: cobra.ExactArgs(1),
		Long: "Plans the deletion of everything that the ledger owns in ENV, shows it, and asks for the environment's name.\n" +
			"Without a terminal it wants --plan DIGEST or --auto-approve. Objects with preventDestroy stay.\n" +
			"Where another environment refers to ENV, the plan says so, and --auto-approve is not enough.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c.Context(), stopping, func(ctx context.Context) error {
				return a.withOnce(ctx, func(o *reconcile.Once) error { return a.destroy(ctx, o, args[0], f) })
			})
		},
	}
	c.Flags().StringVar(&f.plan, "plan", "", "carry out the plan with this `DIGEST`, and no other")
	c.Flags().BoolVar(&f.approve, "auto-approve", false, "do not ask")
	return a.sourceFlags(c)
}

func (a *app) destroy(ctx context.Context, o *reconcile.Once, env string, f applyFlags) error {
	tries, err := a.draft(ctx, o, draftFlags{envs: []string{env}, destroy: true})
	if err != nil {
		return err
	}
	if !f.approve && f.plan == "" && a.canAsk() && len(tries[0].Plan.Steps) > 0 && !tries[0].Denied() {
		if err := a.showPlans(ctx, o, tries, false); err != nil {
			return err
		}
		answer, err := a.ask(ctx, "this deletes "+counted(len(tries[0].Plan.Changes), "object")+". To go on, type the environment's name: ")
		if err != nil {
			return err
		}
		if answer != env {
			return errorf(diag.CommandDeclined, "", "that is not its name: nothing was deleted")
		}
		if err := keep(ctx, o); err != nil {
			return err
		}
		return a.take(ctx, o, tries)
	}
	if f.approve && f.plan == "" && len(tries[0].Plan.Steps) > 0 {
		for _, w := range tries[0].Warnings {
			if w.Code == diag.CommandReferred {
				return a.notUnasked(ctx, o, tries, w)
			}
		}
	}
	return a.apply(ctx, o, tries, f)
}

// notUnasked shows the plan and wants more than --auto-approve for it.
func (a *app) notUnasked(ctx context.Context, o *reconcile.Once, tries []*reconcile.Attempt, because diag.Finding) error {
	if a.output == "text" {
		if err := a.showPlans(ctx, o, tries, false); err != nil {
			return err
		}
	}
	list := errorf(diag.CommandReferred, "look at the plan, then add --plan "+view.PlanID(tries[0].Plan.Digest)+" in place of --auto-approve",
		"%s %s; nothing was deleted", because.Subject, because.Message)
	list[0].Where = because.Where
	return list
}
