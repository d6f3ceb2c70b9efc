package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/view"
	"isobar.dev/engine/web"
)

func (a *app) runsCommand() *cobra.Command {
	limit := 20
	c := &cobra.Command{
		Use: "runs [ENV]", Short: "List runs, newest first", Args: cobra.MaximumNArgs(1),
		Long: "Lists runs, newest first. A daemon keeps those of the last 90 days, of each environment the newest 200 at least and 2,000 at most.\n" +
			"What was decided and done before is in isobar audit, which goes back to the store's beginning.",
		RunE: func(c *cobra.Command, args []string) error {
			env := ""
			if len(args) == 1 {
				env = args[0]
			}
			return a.withRecords(c.Context(), func(r records) error {
				rows, err := r.Runs(c.Context(), env, limit)
				if err != nil {
					return err
				}
				switch a.output {
				case "json":
					a.write(view.RunsJSON(rows))
				case "markdown":
					fmt.Fprint(a.out, view.RunsMarkdown(rows))
				default:
					fmt.Fprint(a.out, view.RunsText(rows, page(a.out)))
				}
				return nil
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", limit, "the newest `N` runs, at most 1000")
	c.AddCommand(a.runShowCommand())
	return c
}

func (a *app) runShowCommand() *cobra.Command {
	plan := false
	c := &cobra.Command{
		Use: "show RUN", Short: "Show one run, named by its id or the beginning of it", Args: cobra.ExactArgs(1),
		Long: "Shows what became of a run: its steps, what failed and why, and what comes next. One that waits for an approval is\n" +
			"shown with its plan, which is what an approval is given to; --plan shows any run's.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.withRecords(c.Context(), func(r records) error {
				run, err := r.Run(c.Context(), args[0])
				if errors.Is(err, web.ErrNoDaemon) {
					return err
				}
				if err != nil {
					return errorf(diag.CommandRun, "isobar runs lists them", "%v", err)
				}
				return a.showRun(run, plan)
			})
		},
	}
	c.Flags().BoolVar(&plan, "plan", false, "show the plan that it was made for, too")
	return c
}

// showRun shows a run as it was reported, with its plan where that is asked for or
// waits for a person.
func (a *app) showRun(run web.RunAnswer, plan bool) error {
	if a.output == "json" {
		return a.writeJSON(run)
	}
	if len(run.Report) == 0 {
		text := fmt.Sprintf("%s  %s, began %s\n", run.Env, run.State, run.Started.Format(time.RFC3339))
		if run.Note != "" {
			text += "  " + run.Note + "\n"
		}
		a.table(text)
		return nil
	}
	var kept view.RunJSON
	if err := json.Unmarshal(run.Report, &kept); err != nil {
		return errors.Join(errors.New("the run's report can't be read"), err)
	}
	shown, err := kept.Run()
	if err != nil {
		return err
	}
	if approve := "isobar approve " + view.PlanID(shown.Plan); a.store != "" && shown.Next == approve {
		shown.Next += " --store " + shellWord(a.storeName()) // where it is typed from here
	}
	var p view.PlanJSON
	if len(run.Plan) > 0 && (plan || shown.State == view.Waiting) {
		if err := json.Unmarshal(run.Plan, &p); err != nil {
			return errors.Join(errors.New("the run's plan can't be read"), err)
		}
	}
	if p.Text != "" {
		shown.Over, p.Text = nil, p.Text+"\n" // the plan says so
	}
	a.table(p.Text + shown.Text(page(a.out)))
	return nil
}
