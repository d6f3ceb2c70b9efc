package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

func (a *app) graphCommand() *cobra.Command {
	dot := false
	c := &cobra.Command{
		Use: "graph [ENV…]", Short: "Show what refers to what, without a provider or a store",
		Long: "Lists every resource of the environments, or of those named, and what its fields refer to. With -o markdown it is a\n" +
			"drawing in Mermaid, with --dot one for Graphviz: isobar graph --dot | dot -Tsvg.",
		RunE: func(c *cobra.Command, args []string) error { return a.graph(c.Context(), args, dot) },
	}
	c.Flags().BoolVar(&dot, "dot", false, "write Graphviz's language")
	return a.sourceFlags(c)
}

func (a *app) graph(ctx context.Context, named []string, dot bool) error {
	runner, err := newRunner(store.NewMemory(), 0, nil, nil)
	if err != nil {
		return err
	}
	r, err := a.openRepo(ctx, runner.Specs)
	if err != nil {
		return a.refuse(findings(err), "nothing was drawn")
	}
	envs, err := r.choose(named, nil)
	if err != nil {
		return err
	}
	var wrong diag.List
	var gs []*view.Graph
	for _, env := range envs {
		e, err := runner.Specs.Environment(ctx, r.tree, env)
		var list diag.List
		switch {
		case errors.As(err, &list):
			wrong = append(wrong, list...)
		case err != nil:
			return err
		default:
			gs = append(gs, view.NewGraph(env, e.Desired))
		}
	}
	wrong = append(wrong, slices.DeleteFunc(slices.Clone(r.estate.Findings), func(f diag.Finding) bool { return f.Severity != diag.Error })...)
	if wrong.Errors() > 0 {
		return a.refuse(wrong.Sorted(), "nothing was drawn")
	}
	switch {
	case dot:
		fmt.Fprint(a.out, view.DOT(gs))
	case a.output == "json":
		a.write(view.GraphsJSON(gs))
	case a.output == "markdown":
		fmt.Fprint(a.out, view.Mermaid(gs))
	default:
		texts := make([]string, len(gs))
		for i, g := range gs {
			texts[i] = g.Text(page(a.out))
		}
		fmt.Fprint(a.out, strings.Join(texts, "\n"))
	}
	return nil
}
