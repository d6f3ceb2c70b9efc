package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/view"
	"isobar.dev/schemas"
)

func (a *app) policyCommand() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Work with the rules that judge plans"}
	c.AddCommand(&cobra.Command{
		Use: "test [DIR]", Short: "Run the tests of a directory's rules", Args: cobra.MaximumNArgs(1),
		Long: "Runs the test_ rules of the *.rego files in DIR and below it, the repository's policies unless told. The files\n" +
			"stand beside isobar's own rules and see the data of data.json and data.yaml, as they do when a plan is judged.",
		RunE: func(c *cobra.Command, args []string) error {
			dir := filepath.Join(a.dir, "policies")
			if len(args) == 1 {
				dir = args[0]
				if !filepath.IsAbs(dir) {
					dir = filepath.Join(a.dir, dir)
				}
			}
			return a.policyTest(c.Context(), dir)
		},
	})
	return c
}

// policyTest runs the tests and says how each went.
func (a *app) policyTest(ctx context.Context, dir string) error {
	mods, err := a.readRules(dir)
	if err != nil {
		return err
	}
	rules, err := builtinRules()
	if err != nil {
		return err
	}
	kinds, err := schemas.Descriptors()
	if err != nil {
		return err
	}
	results, found := policy.Test(ctx, beside(mods, rules), kinds)
	if found.Errors() > 0 {
		return a.refuse(found, "no test was run")
	}
	passed, failed := 0, 0
	for _, r := range results {
		switch {
		case r.Passed:
			passed++
		case !r.Skipped:
			failed++
		}
	}
	if failed > 0 {
		a.code = exitError
	}
	if a.output == "json" {
		report := testReport(results, passed, failed)
		report.Findings = append(report.Findings, found...)
		return a.writeJSON(report)
	}
	a.tell(found, "")
	var b strings.Builder
	for _, r := range results {
		writeTest(&b, r)
	}
	if len(results) == 0 {
		b.WriteString("no tests: write rules named test_… in files named *_test.rego\n")
	} else {
		fmt.Fprintf(&b, "%d passed, %d failed, %d skipped\n", passed, failed, len(results)-passed-failed)
	}
	a.table(b.String())
	return nil
}

// beside adds the built-in rules to a directory's, save those that are in it
// word for word.
func beside(mods, builtin []policy.Module) []policy.Module {
	same := func(m policy.Module) bool {
		return slices.ContainsFunc(mods, func(own policy.Module) bool { return own.Source == m.Source })
	}
	return slices.Concat(mods, slices.DeleteFunc(builtin, same))
}

func writeTest(b *strings.Builder, r policy.TestResult) {
	word := "fail"
	switch {
	case r.Passed:
		word = "pass"
	case r.Skipped:
		word = "skip"
	}
	fmt.Fprintf(b, "%s  %s  %s\n", word, r.At, r.Name)
	if r.Error != "" {
		fmt.Fprintf(b, "      %s\n", r.Error)
	}
	for line := range strings.Lines(r.Output) {
		fmt.Fprintf(b, "      %s\n", strings.TrimRight(line, "\n"))
	}
}

// testsJSON is the JSON form of what policy test prints.
type testsJSON struct {
	Schema  int        `json:"schema_version"`
	Passed  int        `json:"passed"`
	Failed  int        `json:"failed"`
	Skipped int        `json:"skipped"`
	Tests   []testLine `json:"tests"`

	Findings diag.List `json:"findings"` // warnings of the rules
}

// testLine is one test's JSON form.
type testLine struct {
	Name    string     `json:"name"`
	At      diag.Place `json:"at"`
	Passed  bool       `json:"passed"`
	Skipped bool       `json:"skipped,omitempty"`
	Error   string     `json:"error,omitempty"`
	Output  string     `json:"output,omitempty"`
}

func testReport(results []policy.TestResult, passed, failed int) testsJSON {
	out := testsJSON{
		Schema: view.SchemaVersion, Passed: passed, Failed: failed, Skipped: len(results) - passed - failed,
		Tests: make([]testLine, 0, len(results)), Findings: diag.List{},
	}
	for _, r := range results {
		out.Tests = append(out.Tests, testLine{r.Name, r.At, r.Passed, r.Skipped, r.Error, r.Output})
	}
	return out
}

// readRules reads a directory's files of rules, named as they are from the
// repository.
func (a *app) readRules(dir string) ([]policy.Module, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errorf(diag.CommandRepo, "name the directory of the rules: isobar policy test DIR", "%v", plainly(dir, err))
	}
	defer root.Close() //nolint:errcheck // read only
	shown := filepath.ToSlash(dir)
	if rel, err := filepath.Rel(a.dir, dir); err == nil {
		shown = filepath.ToSlash(rel)
	}
	return reconcile.RuleFiles(root.FS(), ".", shown)
}
