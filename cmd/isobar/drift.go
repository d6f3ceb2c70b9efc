package main

import (
	"context"

	"github.com/spf13/cobra"

	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/view"
)

func (a *app) driftCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "drift [ENV…]", Short: "Show what was changed behind isobar's back",
		Long: "Shows what differs from what isobar last applied, and nothing that only the spec changed.\n" +
			"Exits 2 where something drifted, 1 where something could not be read, else 0.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c.Context(), "stopping, nothing is changed", func(ctx context.Context) error {
				return a.withOnce(ctx, func(o *reconcile.Once) error { return a.drift(ctx, o, args) })
			})
		},
	}
	a.fullFlag(c)
	return a.sourceFlags(c)
}

func (a *app) drift(ctx context.Context, o *reconcile.Once, envs []string) error {
	tries, err := a.draft(ctx, o, draftFlags{envs: envs})
	if err != nil {
		return err
	}
	shown := make([]*view.Plan, len(tries))
	unread := false
	for i, t := range tries {
		shown[i] = a.shown(o, t).Drifted()
		if len(shown[i].Plan.Changes) > 0 {
			a.code = exitChanges
		}
		for j := range shown[i].Plan.Held {
			if shown[i].Plan.Held[j].Outgrown() {
				a.code = exitChanges
			} else {
				unread = true
			}
		}
	}
	if unread {
		a.code = exitError
	}
	return a.plans(shown)
}
