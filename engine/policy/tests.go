package policy

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/tester"

	"isobar.dev/engine/diag"
)

// TestResult is one Rego test's outcome.
type TestResult struct {
	Package string // "main"
	Name    string // "test_open_ssh"
	At      diag.Place
	Passed  bool
	Skipped bool   // its name begins with todo_
	Error   string // why it could not run, or ""
	Output  string // what it printed
	Took    time.Duration
}

// testTimeout bounds one Rego test.
const testTimeout = 5 * time.Second

// Test runs the test_ rules of the modules' files, with the same functions as
// Evaluate has, and gives their results by place. The findings tell what
// cannot be parsed or compiled; with an error among them nothing ran.
func Test(ctx context.Context, mods []Module) ([]TestResult, diag.List) {
	parsed, found := parse(mods, true)
	if found.Errors() > 0 {
		return nil, found.Sorted()
	}
	found = append(found, idle(parsed)...)
	c := newCompiler().WithEnablePrintStatements(true)
	run := tester.NewRunner().SetCompiler(c).SetModules(parsed).SetTimeout(testTimeout).CapturePrintOutput(true).RaiseBuiltinErrors(true)
	results, err := run.RunTests(ctx, nil)
	if err != nil {
		if c.Failed() {
			return nil, append(found, compileFindings(c.Errors, mods)...).Sorted()
		}
		return nil, append(found, diag.Finding{Code: diag.PolicyBroken, Severity: diag.Error, Message: firstLine(err.Error())})
	}
	var out []TestResult
	for r := range results {
		out = append(out, testResult(r))
	}
	slices.SortFunc(out, func(a, b TestResult) int {
		return cmp.Or(cmp.Compare(a.At.File, b.At.File), cmp.Compare(a.At.Line, b.At.Line), cmp.Compare(a.Name, b.Name))
	})
	return out, found.Sorted()
}

func testResult(r *tester.Result) TestResult {
	out := TestResult{
		Package: strings.TrimPrefix(r.Package, "data."), Name: r.Name, At: at(r.Location), Passed: r.Pass(),
		Skipped: r.Skip, Output: string(r.Output), Took: r.Duration,
	}
	if r.Error != nil {
		out.Error = firstLine(r.Error.Error())
	}
	return out
}
