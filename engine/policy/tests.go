package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
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

// Test runs the test_ rules of the modules' files, with the same functions and
// data as Evaluate has, and gives their results by place. The findings tell what
// cannot be parsed or compiled, and then nothing ran, or what can have no effect:
// beside what Compile tells, rules by types that Terraform alone has.
func Test(ctx context.Context, mods []Module, kinds resource.Descriptors) ([]TestResult, diag.List) {
	k, found := open(mods, true)
	if found.Errors() > 0 {
		return nil, found.Sorted()
	}
	strays, _ := k.roster.strays(k.rules)
	found = append(append(append(found, limits(k.rules)...), idle(k.rules, kinds, true)...), strays...)
	if found.Errors() > 0 {
		return nil, found.Sorted()
	}
	c, store := newCompiler().WithEnablePrintStatements(true).WithPathConflictsCheck(taken(k.data)), shelf(k.data)
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, append(found, diag.Finding{Code: diag.PolicyBroken, Severity: diag.Error, Message: firstLine(err.Error())})
	}
	defer store.Abort(ctx, txn)
	run := tester.NewRunner().SetCompiler(c).SetStore(store).SetModules(k.rules).SetTimeout(testTimeout).CapturePrintOutput(true).RaiseBuiltinErrors(true)
	results, err := run.RunTests(ctx, txn)
	if err != nil {
		if c.Failed() {
			return nil, append(found, compileFindings(c.Errors, mods)...).Sorted()
		}
		return nil, append(found, diag.Finding{Code: diag.PolicyBroken, Severity: diag.Error, Message: firstLine(err.Error())})
	}
	found = append(found, lost(c, k.data)...)
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
		Skipped: r.Skip, Output: printed(r.Output), Took: r.Duration,
	}
	if r.Error != nil {
		out.Error = stopped(r.Error)
	}
	return out
}

// stopped says why a test could not run to its end, and where.
func stopped(err error) string {
	var te *topdown.Error
	switch {
	case !errors.As(err, &te):
		return bounded(firstLine(err.Error()), maxMessage)
	case te.Code == topdown.CancelErr:
		return fmt.Sprintf("it was still running after %s, the limit for one test", testTimeout)
	case te.Location == nil:
		return gist(te)
	}
	return at(te.Location).String() + ": " + gist(te)
}

// printed is what a test printed, its lines bounded as a rule's words are.
func printed(output []byte) string {
	var b strings.Builder
	n := 0
	for line := range strings.Lines(string(output)) {
		if n++; n > maxPrinted {
			b.WriteString("… (the rest is cut)\n")
			break
		}
		b.WriteString(bounded(line, maxMessage) + "\n")
	}
	return b.String()
}
