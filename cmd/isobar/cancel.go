package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
	"isobar.dev/engine/web"
)

func (a *app) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use: "cancel RUN|ENV", Short: "Stop a run at its next call's end", Args: cobra.ExactArgs(1),
		Long: "Stops the run with this id, or the beginning of it, or the one of this environment that goes on or waits.\n\n" +
			"No call is begun any more; those under way end and are recorded, and what was done is kept. The rest waits for a person\n" +
			"(isobar approve), in mode auto too, until a commit changes the environment. A run that waits is turned away: its plan\n" +
			"can't be applied any more. An apply in a terminal is stopped there, with Ctrl-C.",
		RunE: func(c *cobra.Command, args []string) error {
			var got web.CancelAnswer
			mend := "start isobar serve, or name its store with --store sqlite:PATH; isobar apply is stopped with Ctrl-C where it runs"
			err := a.withDesk(c.Context(), mend, func(d desk) (err error) {
				got, err = d.Cancel(c.Context(), args[0], actor())
				return refusal(err, diag.CommandCancel, "", "isobar runs lists them with their ids")
			})
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.writeJSON(got)
			}
			if got.State == store.Waiting {
				a.table(fmt.Sprintf("%s  run %s cancelled: plan %s can't be applied any more\n", got.Env, got.Run, view.PlanID(got.Digest)))
				return nil
			}
			a.table(fmt.Sprintf("%s  run %s is being cancelled: calls under way end and are recorded, nothing new is begun · isobar runs show %s\n",
				got.Env, got.Run, got.Run))
			return nil
		},
	}
}
