package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/web"
)

func (a *app) refreshCommand() *cobra.Command {
	return &cobra.Command{
		Use: "refresh ENV [ADDRESS…]", Short: "Let the daemon ask lookups anew", Args: cobra.MinimumNArgs(1),
		Long: "Asks the environment's lookups anew, though they are pinned: those named, such as aws.ami/web, or all of them.\n" +
			"What they find is planned, and goes the way of the environment's mode: it waits, is applied or is only reported.\n" +
			"Without a daemon say isobar apply ENV --refresh-lookups.",
		RunE: func(c *cobra.Command, args []string) error {
			mend := "start isobar serve, name its store with --store sqlite:PATH, or say isobar apply " + args[0] + " --refresh-lookups"
			err := a.withDesk(c.Context(), mend, func(d desk) error {
				err := d.Refresh(c.Context(), args[0], args[1:])
				return refusal(err, diag.CommandUsage, args[0], "isobar status lists the environments, and its spec the lookups")
			})
			if err != nil {
				return err
			}
			what := "all lookups"
			if len(args) > 1 {
				what = strings.Join(args[1:], ", ")
			}
			if a.output == "json" {
				return a.writeJSON(web.RefreshRequest{Lookups: args[1:]})
			}
			fmt.Fprintf(a.out, "%s  %s will be asked anew\n", args[0], what)
			return nil
		},
	}
}
