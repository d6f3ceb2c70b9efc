package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/view"
)

func (a *app) planShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show DIGEST…", Short: "Show plans that were made before, whole", Args: cobra.MinimumNArgs(1),
		Long: "Shows plans as they were shown before, named by their digests or the first eight digits of them as in 9c1e-44b0: those of\n" +
			"pull requests, though no run has begun, of isobar plan and of runs. A comment on a pull request names the ones that do not\n" +
			"fit into it. Nothing is planned: of each environment the last 50 are kept.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.withRecords(c.Context(), func(r records) error {
				plans := make([]view.PlanJSON, len(args))
				for i, digest := range args {
					p, err := r.Plan(c.Context(), digest)
					if err := refusal(err, diag.CommandKept, "", "isobar plan makes it anew, here or in a comment on its pull request"); err != nil {
						return err
					}
					plans[i] = p
				}
				return a.showKept(plans)
			})
		},
	}
}

// showKept prints plans that were kept.
func (a *app) showKept(plans []view.PlanJSON) error {
	if a.output == "json" {
		return a.writeJSON(plansJSON{Schema: view.SchemaVersion, Plans: plans})
	}
	for i := range plans {
		text := plans[i].ShownText()
		if a.output == "markdown" {
			text = plans[i].ShownMarkdown()
		}
		if i > 0 {
			text = "\n" + text
		}
		fmt.Fprint(a.out, text)
	}
	return nil
}
