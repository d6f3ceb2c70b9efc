package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/web"
)

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "resume ENV [ADDRESS[.FIELD]…]", Short: "Let the daemon put fields back again that it left alone", Args: cobra.MinimumNArgs(1),
		Long: "In mode auto a field that was put back 5 times within an hour, and is changed outside once more, is left as it is and\n" +
			"told as flapping: somebody means it, or another program does. This takes it up again: the fields named, such as\n" +
			"aws.vpc/main.tags.owner, those of an address, or all of the environment. isobar.cue says how often (flapping).",
		RunE: func(c *cobra.Command, args []string) error {
			err := a.withDesk(c.Context(), "start isobar serve, or name its store with --store sqlite:PATH", func(d desk) error {
				err := d.Resume(c.Context(), args[0], args[1:], actor())
				return refusal(err, diag.CommandResume, args[0], "isobar status says what is held")
			})
			if err != nil {
				return err
			}
			what := "all paused fields"
			if len(args) > 1 {
				what = strings.Join(args[1:], ", ")
			}
			if a.output == "json" {
				return a.writeJSON(web.ResumeRequest{Fields: args[1:], By: actor()})
			}
			a.table(fmt.Sprintf("%s  %s will be put back again\n", args[0], what))
			return nil
		},
	}
}
