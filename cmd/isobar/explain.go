package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
		Long: "In a repository, or with its directory after -C, its own rules are explained as well: those of policies/ that have\n" +
			"an id in their metadata.",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listCodes(c.Context())
			}
			p, err := a.explained(c.Context(), strings.Trim(args[0], "[]"))
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.writeJSON(codePage(p))
			}
			fmt.Fprintf(a.out, "%s  %s\n\n%s\n", p.Code, p.Title, fold(p.Text, 80))
			return nil
		},
	}
}

// explained finds a code's page: isobar's own first, then that of a rule of
// the repository.
func (a *app) explained(ctx context.Context, code string) (diag.Page, error) {
	if p, ok := diag.Explain(diag.Code(strings.ToUpper(code))); ok {
		return p, nil
	}
	named := func(r diag.Page) bool { return strings.EqualFold(string(r.Code), code) }
	rules, err := rulePages(ctx)
	if err != nil {
		return diag.Page{}, err
	}
	if i := slices.IndexFunc(rules, named); i >= 0 {
		return rules[i], nil
	}
	own, err := a.ownPages(ctx)
	if err != nil {
		return diag.Page{}, err
	}
	if i := slices.IndexFunc(own, named); i >= 0 {
		return own[i], nil
	}
	return diag.Page{}, errorf(diag.CommandNoCode, "isobar explain lists all codes; -C DIR names the repository whose rule it is", "there is no code %q", code)
}

// codePage is a code's page in JSON.
type codePage struct {
	Code  diag.Code `json:"code"`
	Title string    `json:"title"`
	Text  string    `json:"text"`
}

// rulePages are the pages of the rules that come with isobar, by code.
func rulePages(ctx context.Context) ([]diag.Page, error) {
	mods, err := builtinRules()
	if err != nil {
		return nil, err
	}
	e, found := policy.Compile(ctx, mods, nil)
	if err := found.Err(); err != nil {
		return nil, err
	}
	return pagesOf(e.Rules()), nil
}

// ownPages are the pages of the repository's rules, by code: none where the
// directory has no policies. Each says where its rule is.
func (a *app) ownPages(ctx context.Context) ([]diag.Page, error) {
	dir := filepath.Join(a.dir, "policies")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	own, err := a.readRules(dir)
	if err != nil {
		return nil, err
	}
	mods, err := builtinRules()
	if err != nil {
		return nil, err
	}
	e, found := policy.Compile(ctx, beside(own, mods), nil)
	if err := found.Err(); err != nil {
		return nil, err
	}
	rules := slices.DeleteFunc(e.Rules(), func(r policy.Rule) bool {
		return !slices.ContainsFunc(own, func(m policy.Module) bool { return m.Path == r.At.File })
	})
	for i, r := range rules {
		rules[i].Reason = strings.TrimSpace(fmt.Sprintf("A rule of this repository: %s:%d. %s", r.At.File, r.At.Line, r.Reason))
	}
	return pagesOf(rules), nil
}

// builtinRules are isobar's rules and what all rules share.
func builtinRules() ([]policy.Module, error) {
	rules, err := modules(policies.Rules)
	if err != nil {
		return nil, err
	}
	shared, err := modules(policies.Shared)
	return append(rules, shared...), err
}

// pagesOf makes a page of each rule that has an id, in order.
func pagesOf(rules []policy.Rule) []diag.Page {
	var out []diag.Page
	for _, r := range rules {
		same := func(o diag.Page) bool { return string(o.Code) == r.ID }
		if r.ID == "" || slices.ContainsFunc(out, same) {
			continue
		}
		text := r.Reason
		if r.Source != "" {
			text += " Source: " + r.Source + "."
		}
		if r.Mend != "" {
			text += " Mend: " + r.Mend + "."
		}
		out = append(out, diag.Page{Code: diag.Code(r.ID), Title: cmp.Or(r.Title, r.Name), Text: text})
	}
	slices.SortFunc(out, func(a, b diag.Page) int { return cmp.Compare(a.Code, b.Code) })
	return out
}

// listCodes lists all codes, those of the repository's rules last.
func (a *app) listCodes(ctx context.Context) error {
	var all []diag.Page
	for _, c := range diag.Codes() {
		p, _ := diag.Explain(c)
		all = append(all, p)
	}
	rules, err := rulePages(ctx)
	if err != nil {
		return err
	}
	own, err := a.ownPages(ctx)
	if err != nil {
		return err
	}
	known := func(p diag.Page) bool {
		return slices.ContainsFunc(rules, func(r diag.Page) bool { return r.Code == p.Code })
	}
	all = slices.Concat(all, rules, slices.DeleteFunc(own, known))
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
