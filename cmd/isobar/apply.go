package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/view"
)

// applyFlags say how a change of the world is confirmed.
type applyFlags struct {
	plan     string
	approve  bool
	detailed bool
	refresh  []string
	ready    func() error // called once all is confirmed, before the first step; nil for nothing
}

const stopping = "stopping: the calls under way are finished and recorded, nothing new is started"

func (a *app) applyCommand() *cobra.Command {
	var f applyFlags
	takeOver := false
	c := &cobra.Command{
		Use: "apply [ENV…]", Short: "Plan, ask, and make the world so",
		Long: "Shows the plan and asks. Without a terminal it wants --plan DIGEST, which applies just the plan that was looked\n" +
			"at before, and once: what is not as that plan saw it is held with what needs it, and the rest is done. Or give\n" +
			"--auto-approve. An environment whose objects bear the marks of another store is left alone but with --take-over.\n" +
			"What a rule denies is never applied. Ctrl-C stops at the next call's end.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c.Context(), stopping, func(ctx context.Context) error {
				return a.withOnce(ctx, func(o *reconcile.Once) error {
					tries, err := a.draft(ctx, o, draftFlags{envs: args, bounded: f.approve && f.plan == "", refresh: f.refresh, takeOver: takeOver})
					if err != nil {
						return err
					}
					if takeOver {
						if err := nothingTaken(tries); err != nil {
							return err
						}
					}
					return a.apply(ctx, o, tries, f)
				})
			})
		},
	}
	c.Flags().StringVar(&f.plan, "plan", "", "apply the plan with this `DIGEST`, and no other")
	c.Flags().BoolVar(&f.approve, "auto-approve", false, "do not ask")
	c.Flags().BoolVar(&takeOver, "take-over", false, "where another store holds the environment, mark its objects as this one's, and do nothing else")
	detailedFlag(c, &f.detailed)
	refreshFlag(c, &f.refresh)
	a.fullFlag(c)
	return a.sourceFlags(c)
}

// nothingTaken refuses to go on where there is nothing to take over: to take over
// does nothing else.
func nothingTaken(tries []*reconcile.Attempt) error {
	var out diag.List
	for _, t := range tries {
		if t.Rivalled || len(t.Plan.Steps) == 0 {
			continue
		}
		f := errorf(diag.CommandTakeOver, "look whether the providers look at the right account and region; isobar apply "+t.Job.Env+" alone does what its plan says",
			"there is nothing of %s to take over: no object that can be seen bears another store's mark", t.Job.Env)
		if why := t.Unseen(); why != "" {
			f[0].Message += "; not all could be read: " + why
		}
		out = append(out, f...)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// apply shows the plans, has them confirmed and takes their steps.
func (a *app) apply(ctx context.Context, o *reconcile.Once, tries []*reconcile.Attempt, f applyFlags) error {
	var todo []*reconcile.Attempt
	for _, t := range tries {
		if len(t.Plan.Steps)+len(t.Plan.Ledger) > 0 {
			todo = append(todo, t)
		}
	}
	if f.plan != "" {
		t, err := o.Name(ctx, tries, f.plan)
		if err != nil {
			return notNow(err)
		}
		todo = []*reconcile.Attempt{t}
		tries = todo
	} else if err := keepPlans(ctx, o, tries); err != nil {
		return err
	}
	if a.output == "text" || len(todo) == 0 {
		if err := a.printPlans(o, tries, f.detailed); err != nil {
			return err
		}
	}
	for _, t := range tries {
		if t.Denied() {
			return a.deny(o, t)
		}
	}
	a.code = planCode(tries, f.detailed)
	if err := a.confirm(ctx, todo, f); err != nil {
		return err
	}
	if len(todo) == 0 {
		return nil
	}
	if err := keep(ctx, o); err != nil {
		return err
	}
	if f.ready != nil {
		if err := f.ready(); err != nil {
			return err
		}
	}
	return a.take(ctx, o, todo)
}

// deny says that nothing is applied. In text the plan has said why.
func (a *app) deny(o *reconcile.Once, t *reconcile.Attempt) error {
	a.code = exitError
	if a.output == "text" {
		return errSaid
	}
	if err := a.plans([]*view.Plan{a.shown(o, t)}); err != nil {
		return err
	}
	return errSaid
}

// notNow puts into words why a plan that a person named is not carried out.
func notNow(err error) error {
	var not *reconcile.NotNow
	switch {
	case !errors.As(err, &not):
		return err
	case not.Used:
		return errorf(diag.CommandUsed, "look at what is to be done now with isobar plan, then name its digest", "%v", err)
	}
	return errorf(diag.CommandPlan, "look at it with isobar plan, then name its digest", "%v", err)
}

// confirm asks a person about what is to be done, where nobody did before.
func (a *app) confirm(ctx context.Context, todo []*reconcile.Attempt, f applyFlags) error {
	steps := 0
	for _, t := range todo {
		steps += len(t.Plan.Steps)
	}
	if steps == 0 || f.approve || f.plan != "" {
		return nil
	}
	if !a.canAsk() {
		return errorf(diag.CommandAsk, "add --plan "+view.PlanID(firstDigest(todo))+", or --auto-approve",
			"there is no terminal to ask on, and nothing was applied")
	}
	var parts []string
	for _, t := range todo {
		if n := len(t.Plan.Changes); n > 0 {
			parts = append(parts, counted(n, "change")+" to "+t.Job.Env)
		}
	}
	question, verb := "apply "+strings.Join(parts, " and ")+"? y/N ", "applied"
	if len(todo[0].Job.Imports) > 0 {
		question, verb = "adopt "+counted(steps, "object")+" into "+todo[0].Job.Env+"? y/N ", "adopted"
	}
	answer, err := a.ask(ctx, question)
	if err != nil {
		return err
	}
	if answer != "y" && answer != "yes" {
		return errorf(diag.CommandDeclined, "", "declined: nothing was %s", verb)
	}
	return nil
}

func firstDigest(todo []*reconcile.Attempt) string {
	for _, t := range todo {
		if t.Plan.Digest != "" {
			return t.Plan.Digest
		}
	}
	return ""
}

// take takes the plans' steps, an environment after the other, and says what
// became of them.
func (a *app) take(ctx context.Context, o *reconcile.Once, todo []*reconcile.Attempt) error {
	out := runsJSON{Schema: view.SchemaVersion, Runs: []view.RunJSON{}}
	for _, t := range todo {
		if ctx.Err() != nil {
			verb := "apply"
			if t.Job.Destroy {
				verb = "destroy"
			}
			fmt.Fprintf(a.err, "isobar: %s was not begun; to go on: isobar %s %s\n", t.Job.Env, verb, t.Job.Env)
			a.code = exitError
			continue
		}
		run, err := a.takeOne(ctx, o, t)
		if err != nil {
			return err
		}
		if run.State != view.Applied {
			a.code = exitError
		}
		out.Runs = append(out.Runs, run.Report())
	}
	if a.output == "json" {
		return a.writeJSON(out)
	}
	return nil
}

// takeOne takes one plan's steps.
func (a *app) takeOne(ctx context.Context, o *reconcile.Once, t *reconcile.Attempt) (*view.Run, error) {
	p := newProgress(a.err, len(t.Plan.Steps))
	run, err := o.Apply(ctx, t, p.step)
	p.end()
	if err != nil {
		return nil, notNow(err)
	}
	switch a.output {
	case "markdown":
		fmt.Fprint(a.out, run.Markdown(view.Page{}))
	case "text":
		fmt.Fprint(a.out, "\n"+run.Text(page(a.out)))
	}
	return run, nil
}

// runsJSON is the JSON form of what apply and destroy print.
type runsJSON struct {
	Schema int            `json:"schema_version"`
	Runs   []view.RunJSON `json:"runs"`
}
