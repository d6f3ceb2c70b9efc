package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
	"isobar.dev/engine/web"
)

func (a *app) approveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "approve [ENV] DIGEST", Short: "Let the daemon apply the plan that waits", Args: cobra.RangeArgs(1, 2),
		Long: "Approves the waiting plan with this digest, or the first eight digits of it as in 9c1e-44b0, and no other: a plan\n" +
			"that has changed since is not applied.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.verdict(c.Context(), args, "approved", store.Approve)
		},
	}
}

func (a *app) rejectCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reject [ENV] DIGEST", Short: "Turn the plan that waits away", Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.verdict(c.Context(), args, "rejected", store.Reject)
		},
	}
}

// verdict gives a person's word to the daemon.
func (a *app) verdict(ctx context.Context, args []string, done string, v store.Verdict) error {
	env, digest := "", args[len(args)-1]
	if len(args) == 2 {
		env = args[0]
	}
	var got web.VerdictAnswer
	err := a.withDesk(ctx, "start isobar serve, or name its store with --store sqlite:PATH", func(d desk) (err error) {
		got, err = d.Verdict(ctx, env, digest, actor(), v)
		return refusal(err, diag.CommandVerdict, "", "isobar status shows what waits")
	})
	if err != nil {
		return err
	}
	if a.output == "json" {
		return a.writeJSON(got)
	}
	fmt.Fprintf(a.out, "%s  plan %s %s\n", got.Env, view.PlanID(got.Digest), done)
	return nil
}
