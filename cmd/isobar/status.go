package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"isobar.dev/engine/view"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show every environment at a glance", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withRecords(c.Context(), func(r records) error {
				rows, err := r.Environments(c.Context())
				if err != nil {
					return err
				}
				served, err := r.Served(c.Context())
				if err != nil {
					return err
				}
				o := view.Overview{Environments: rows, Daemon: served}
				switch a.output {
				case "json":
					a.write(view.StatusJSON(o))
				case "markdown":
					fmt.Fprint(a.out, view.StatusMarkdown(o))
				default:
					fmt.Fprint(a.out, view.StatusText(o, page(a.out)))
				}
				return nil
			})
		},
	}
}

// table shows a table; in Markdown it stands in a block, to keep its columns.
func (a *app) table(text string) {
	if a.output == "markdown" {
		text = "```\n" + text + "```\n"
	}
	fmt.Fprint(a.out, text)
}
