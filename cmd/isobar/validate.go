package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

func (a *app) validateCommand() *cobra.Command {
	return a.sourceFlags(&cobra.Command{
		Use: "validate [ENV…]", Short: "Check the repository, without a provider or a store",
		Long: "Evaluates every environment, or those named, plans each as if nothing existed yet and holds the plan against\n" +
			"the rules. All that is wrong is told at once.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c.Context(), "stopping", func(ctx context.Context) error { return a.validate(ctx, args) })
		},
	})
}

// validate checks environments and says what is wrong with all of them.
func (a *app) validate(ctx context.Context, named []string) error {
	runner, err := newRunner(store.NewMemory(), 0, nil, nil)
	if err != nil {
		return err
	}
	r, err := a.openRepo(ctx, runner.Specs)
	if err != nil {
		return a.refuse(findings(err), "nothing else was looked at")
	}
	envs, err := r.choose(named, nil)
	if err != nil {
		return err
	}
	lists, resources := make([]diag.List, len(envs)), make([]int, len(envs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(draftsAtOnce)
	for i, env := range envs {
		g.Go(func() (err error) {
			lists[i], resources[i], err = a.imagine(gctx, runner, r, env)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var valid strings.Builder
	for i, env := range envs {
		if lists[i].Errors() == 0 {
			fmt.Fprintf(&valid, "%s  valid: %s\n", env, counted(resources[i], "resource"))
		}
	}
	if len(envs) == 0 {
		valid.WriteString("no environments yet: write one under environments/NAME\n")
	}
	all := append(slices.Concat(lists...), r.estate.Findings...)
	all = slices.Compact(all.Sorted())
	if all.Errors() > 0 {
		return a.refuse(all, "not valid")
	}
	if len(all) > 0 || a.output == "json" {
		a.tell(all, "")
	}
	if a.output != "json" {
		a.table(valid.String())
	}
	return nil
}

// imagine checks one environment. The error is none of the user's.
func (a *app) imagine(ctx context.Context, runner *reconcile.Runner, r repo, env string) (diag.List, int, error) {
	d, err := runner.Imagine(ctx, reconcile.Job{Tree: r.tree, Rules: r.rules, Env: env, Commit: r.commit, Actor: actor(), Trigger: "command"})
	var list diag.List
	if errors.As(err, &list) {
		return list, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	list = append(append(r.estate.Unapproved(env, d.Spec.Mode), d.Warnings...), d.Findings...)
	for _, h := range d.Plan.Held {
		if h.Why == plan.HeldFollows {
			continue // what it follows is told
		}
		f := diag.Finding{Severity: diag.Error, Code: diag.CommandHeld, Subject: h.Address.Local(), Message: h.Text, Mend: h.Mend}
		for i := range d.Spec.Desired {
			if o := &d.Spec.Desired[i]; o.Address == h.Address {
				f.Where = diag.Place{File: o.At.File, Line: o.At.Line, Col: o.At.Col}
			}
		}
		list = append(list, f)
	}
	return list, len(d.Spec.Desired), nil
}

// counted writes a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// plans renders plans in the form asked for.
func (a *app) plans(ps []*view.Plan) error {
	switch a.output {
	case "json":
		out := plansJSON{Schema: view.SchemaVersion, Plans: make([]view.PlanJSON, 0, len(ps))}
		for _, p := range ps {
			out.Plans = append(out.Plans, p.Report())
		}
		return a.writeJSON(out)
	case "markdown":
		fmt.Fprint(a.out, view.Markdown(ps, a.full))
		return nil
	}
	pg := page(a.out)
	pg.Detail = a.full
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.Text(pg)
	}
	fmt.Fprint(a.out, strings.Join(texts, "\n"))
	return nil
}

// plansJSON is the JSON form of what plan, plan show and drift print.
type plansJSON struct {
	Schema int             `json:"schema_version"`
	Plans  []view.PlanJSON `json:"plans"`
}
