package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/view"
	"isobar.dev/engine/web"
)

func (a *app) approveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "approve [ENV] DIGEST", Short: "Let the daemon apply the plan that waits", Args: cobra.RangeArgs(1, 2),
		Long: "Approves the waiting plan with this digest, or the first eight digits of it as in 9c1e-44b0, and no other: a plan\n" +
			"that has changed since is not applied.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.verdict(c.Context(), args, "approved", (*web.Client).Approve)
		},
	}
}

func (a *app) rejectCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reject [ENV] DIGEST", Short: "Turn the plan that waits away", Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.verdict(c.Context(), args, "rejected", (*web.Client).Reject)
		},
	}
}

// sendVerdict is one of the client's calls.
type sendVerdict func(c *web.Client, ctx context.Context, env, digest, by string) (web.VerdictAnswer, error)

// verdict gives a person's word to the daemon.
func (a *app) verdict(ctx context.Context, args []string, done string, send sendVerdict) error {
	env, digest := "", args[len(args)-1]
	if len(args) == 2 {
		env = args[0]
	}
	path, err := a.localStore()
	if err != nil {
		return err
	}
	got, err := send(web.NewClient(socketPath(path)), ctx, env, digest, actor())
	if errors.Is(err, web.ErrNoDaemon) {
		return errorf(diag.CommandDaemon, "start isobar serve, or name its store with --store sqlite:PATH",
			"no isobar daemon answers at %s", socketPath(path))
	}
	if errors.Is(err, fs.ErrPermission) {
		return notLet(path, err)
	}
	if err != nil {
		return errorf(diag.CommandVerdict, "isobar status shows what waits", "%v", err)
	}
	if a.output == "json" {
		return a.writeJSON(got)
	}
	fmt.Fprintf(a.out, "%s  plan %s %s\n", got.Env, view.PlanID(got.Digest), done)
	return nil
}
