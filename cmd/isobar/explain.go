package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain [CODE]", Short: "Explain a finding's code, or list all codes", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listCodes()
			}
			code := diag.Code(strings.ToUpper(strings.Trim(args[0], "[]")))
			p, ok := diag.Explain(code)
			if !ok {
				return errorf(diag.CommandNoCode, "isobar explain lists all codes", "there is no code %q", args[0])
			}
			if a.output == "json" {
				return a.writeJSON(codePage(p))
			}
			fmt.Fprintf(a.out, "%s  %s\n\n%s\n", p.Code, p.Title, fold(p.Text, 80))
			return nil
		},
	}
}

// codePage is a code's page in JSON.
type codePage struct {
	Code  diag.Code `json:"code"`
	Title string    `json:"title"`
	Text  string    `json:"text"`
}

func (a *app) listCodes() error {
	codes := diag.Codes()
	if a.output == "json" {
		pages := make([]codePage, 0, len(codes))
		for _, c := range codes {
			p, _ := diag.Explain(c)
			pages = append(pages, codePage(p))
		}
		return a.writeJSON(pages)
	}
	for _, c := range codes {
		p, _ := diag.Explain(c)
		fmt.Fprintf(a.out, "%-10s %s\n", c, p.Title)
	}
	return nil
}

// fold breaks a text into lines of at most width columns.
func fold(text string, width int) string {
	var b strings.Builder
	col := 0
	for _, w := range strings.Fields(text) {
		if col > 0 && col+1+len(w) > width {
			b.WriteByte('\n')
			col = 0
		} else if col > 0 {
			b.WriteByte(' ')
			col++
		}
		b.WriteString(w)
		col += len(w)
	}
	return b.String()
}
