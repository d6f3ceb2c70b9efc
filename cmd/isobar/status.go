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
				switch a.output {
				case "json":
					a.write(view.StatusJSON(rows))
				case "markdown":
					fmt.Fprint(a.out, view.StatusMarkdown(rows))
				default:
					fmt.Fprint(a.out, view.StatusText(rows, page(a.out)))
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
