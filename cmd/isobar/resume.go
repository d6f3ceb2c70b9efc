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
		Use: "resume ENV [ADDRESS[.FIELD]…]", Short: "Let the daemon set fields again that it left alone", Args: cobra.MinimumNArgs(1),
		Long: "In mode auto a field that was put back 5 times within an hour, and is changed outside once more, is left as it is and\n" +
			"told as flapping: somebody means it, or another program does. isobar.cue says how often (flapping). So is a value that\n" +
			"was refused only once its object had been interrupted for it: a machine stopped for a type that it can't have.\n\n" +
			"This takes it up again: the fields named, such as aws.vpc/main.tags.owner, those of an address, or all of the\n" +
			"environment.",
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
			a.table(fmt.Sprintf("%s  %s will be set again\n", args[0], what))
			return nil
		},
	}
}
