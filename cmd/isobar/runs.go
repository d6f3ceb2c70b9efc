package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/view"
	"isobar.dev/engine/web"
)

func (a *app) runsCommand() *cobra.Command {
	limit := 20
	c := &cobra.Command{
		Use: "runs [ENV]", Short: "List runs, newest first", Args: cobra.MaximumNArgs(1),
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
				if a.output == "json" {
					a.write(view.RunsJSON(rows))
					return nil
				}
				a.table(view.RunsText(rows, page(a.out)))
				return nil
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", limit, "the newest `N` runs, at most 1000")
	c.AddCommand(a.runShowCommand())
	return c
}

func (a *app) runShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show RUN", Short: "Show one run, named by its id or the beginning of it", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withRecords(c.Context(), func(r records) error {
				run, err := r.Run(c.Context(), args[0])
				if errors.Is(err, web.ErrNoDaemon) {
					return err
				}
				if err != nil {
					return errorf(diag.CommandRun, "isobar runs lists them", "%v", err)
				}
				return a.showRun(run)
			})
		},
	}
}

// showRun shows a run as it was reported.
func (a *app) showRun(run web.RunAnswer) error {
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
	shown, err := reported(run)
	if err != nil {
		return err
	}
	a.table(shown.Text(page(a.out)))
	return nil
}

// reported is a run's kept report in the form that view renders.
func reported(run web.RunAnswer) (*view.Run, error) {
	var j view.RunJSON
	if err := json.Unmarshal(run.Report, &j); err != nil {
		return nil, errors.Join(errors.New("the run's report can't be read"), err)
	}
	out := &view.Run{
		ID: j.ID, Env: j.Environment, Commit: j.Commit, Subject: j.Subject, By: j.By, Plan: j.Digest, State: j.State, Why: j.Why,
		Changes: j.Changes, Took: time.Duration(j.TookMillis) * time.Millisecond, Drift: -1, Next: j.Next, Policy: j.Policy, Spec: j.Spec,
	}
	if j.Drift != nil {
		out.Drift = *j.Drift
	}
	for _, h := range j.Held {
		addr, err := resource.ParseAddress(j.Environment + "/" + h.Address)
		if err != nil {
			return nil, err
		}
		out.Lost = append(out.Lost, plan.Held{Address: addr, Action: h.Action, Why: h.Why, Text: h.Text, Mend: h.Mend})
	}
	for _, s := range j.Steps {
		addr, err := resource.ParseAddress(j.Environment + "/" + s.Address)
		if err != nil {
			return nil, err
		}
		out.Steps = append(out.Steps, view.Step{
			ID: s.ID, Address: addr, Op: ledger.Op(s.Op), Aspect: s.Aspect, State: s.State, Same: s.Same, Text: s.Text, Mend: s.Mend,
			RequestID: s.RequestID, Took: time.Duration(s.TookMillis) * time.Millisecond,
		})
	}
	return out, nil
}
