package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/policy"
	"isobar.dev/policies"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain [CODE]", Short: "Explain a finding's or a rule's code, or list all codes", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			rules, err := rulePages(c.Context())
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return a.listCodes(rules)
			}
			code := diag.Code(strings.ToUpper(strings.Trim(args[0], "[]")))
			p, ok := diag.Explain(code)
			if i := slices.IndexFunc(rules, func(r diag.Page) bool { return r.Code == code }); !ok && i >= 0 {
				p, ok = rules[i], true
			}
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

// rulePages are the pages of the rules that come with isobar, by code.
func rulePages(ctx context.Context) ([]diag.Page, error) {
	rules, err := modules(policies.Rules)
	if err != nil {
		return nil, err
	}
	shared, err := modules(policies.Shared)
	if err != nil {
		return nil, err
	}
	e, found := policy.Compile(ctx, append(rules, shared...))
	if err := found.Err(); err != nil {
		return nil, err
	}
	var out []diag.Page
	for _, r := range e.Rules() {
		p := diag.Page{Code: diag.Code(r.ID), Title: r.Title, Text: r.Reason}
		if r.Source != "" {
			p.Text += " Source: " + r.Source + "."
		}
		p.Text += " Mend: " + r.Mend + "."
		if !slices.ContainsFunc(out, func(o diag.Page) bool { return o.Code == p.Code }) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b diag.Page) int { return cmp.Compare(a.Code, b.Code) })
	return out, nil
}

func (a *app) listCodes(rules []diag.Page) error {
	var all []diag.Page
	for _, c := range diag.Codes() {
		p, _ := diag.Explain(c)
		all = append(all, p)
	}
	all = append(all, rules...)
	if a.output == "json" {
		pages := make([]codePage, len(all))
		for i, p := range all {
			pages[i] = codePage(p)
		}
		return a.writeJSON(pages)
	}
	for _, p := range all {
		fmt.Fprintf(a.out, "%-10s %s\n", p.Code, p.Title)
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
