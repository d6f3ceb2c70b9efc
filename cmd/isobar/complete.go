package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/view"
)

// patience for what completes a word, and how many runs are looked at for it.
const (
	completing = 2 * time.Second
	recentRuns = 50
)

// candidates gives what may stand after args, from the store's records; r is nil where
// those can't be had. A tab in a word begins what a shell shows beside it.
type candidates func(ctx context.Context, r records, args []string) []string

// completions tells a shell what may stand where: for arguments what each verb takes,
// for flags what their usage names. Only the local store or its daemon is asked.
func (a *app) completions(root *cobra.Command) {
	once := func(f candidates) cobra.CompletionFunc { return alone(a.recorded(f)) }
	many := func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return slices.DeleteFunc(a.directories(), func(name string) bool { return slices.Contains(args, name) }), cobra.ShellCompDirectiveNoFileComp
	}
	orphans := func(h *view.HeldJSON) bool { return h.Why == plan.HeldOrphan }
	fields := func(h *view.HeldJSON) bool { return h.Field != "" }
	all := func(*view.HeldJSON) bool { return true }
	of := map[string]cobra.CompletionFunc{
		"validate": many, "graph": many, "plan": many, "apply": many, "drift": many, "import": alone(many), "destroy": once(a.environments),
		"refresh": once(a.environments), "confirm": a.recorded(a.held(orphans)), "forget": a.recorded(a.held(all)), "resume": a.recorded(a.held(fields)),
		"approve": a.recorded(a.waiting), "reject": a.recorded(a.waiting), "cancel": once(a.underway), "runs": once(a.environments), "runs show": once(runIDs),
		"plan show": a.recorded(shownPlans),
		"explain":   alone(a.codes),
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		a.completeFlags(c)
		for _, sub := range c.Commands() {
			if sub.Name() == "completion" { // cobra's own
				continue
			}
			if sub.ValidArgsFunction = of[strings.TrimPrefix(sub.CommandPath(), root.Name()+" ")]; sub.ValidArgsFunction == nil {
				_, usage, _ := strings.Cut(sub.Use, " ")
				sub.ValidArgsFunction = alone(files(strings.Trim(usage, "[]")))
			}
			walk(sub)
		}
	}
	walk(root)
}

// alone completes a verb's one argument.
func alone(f cobra.CompletionFunc) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(c, args, word)
	}
}

// completeFlags completes the values of a command's own flags by what their usage
// calls them.
func (a *app) completeFlags(c *cobra.Command) {
	add := func(f *pflag.Flag) {
		what, _ := pflag.UnquoteUsage(f)
		words := files(what)
		switch what {
		case "FORMAT":
			words = cobra.FixedCompletions([]string{"text", "json", "markdown"}, cobra.ShellCompDirectiveNoFileComp)
		case "ENV":
			words = a.recorded(a.environments)
		}
		_ = c.RegisterFlagCompletionFunc(f.Name, words) // it fails for an unknown flag alone
	}
	c.LocalNonPersistentFlags().VisitAll(add)
	c.PersistentFlags().VisitAll(add)
}

// files completes what a usage calls a file, a directory or an address that may be a
// path by the shell itself, and offers nothing for the rest.
func files(what string) cobra.CompletionFunc {
	switch what {
	case "FILE", "URL", "sqlite:PATH":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	case "DIR":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	}
	return cobra.NoFileCompletions
}

// recorded gives candidates the store's records, for as long as somebody waits for a
// word. Nothing is said of what goes wrong: there is no place for it.
func (a *app) recorded(from candidates) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(c.Context(), completing)
		defer cancel()
		a.server = sync.OnceValues(func() (*settings, error) { return a.readSettings(ctx) })
		var out []string
		asked := false
		_ = a.withRecords(ctx, func(r records) error {
			out, asked = from(ctx, r, args), true
			return nil
		})
		if !asked {
			out = from(ctx, nil, args)
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// directories are the names below environments/, which are those of
// environments where nobody chose other globs.
func (a *app) directories() []string {
	entries, err := os.ReadDir(filepath.Join(a.dir, "environments"))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

// environments are those of the store and those of the directory.
func (a *app) environments(ctx context.Context, r records, _ []string) []string {
	out := a.directories()
	if r != nil {
		rows, _ := r.Environments(ctx)
		for _, row := range rows {
			out = append(out, row.Env)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// recent are the newest runs, of one environment or ("") of all.
func recent(ctx context.Context, r records, env string) []view.RunLine {
	if r == nil {
		return nil
	}
	out, _ := r.Runs(ctx, env, recentRuns)
	return out
}

// runIDs are the newest runs' ids.
func runIDs(ctx context.Context, r records, _ []string) []string {
	var out []string
	for _, l := range recent(ctx, r, "") {
		out = append(out, l.ID+"\t"+l.Env+" "+string(l.State))
	}
	return out
}

// underway are the runs that go on or wait, by id and by environment.
func (a *app) underway(ctx context.Context, r records, _ []string) []string {
	var out []string
	for _, l := range recent(ctx, r, "") {
		if l.State == view.Applying || l.State == view.Waiting {
			out = append(out, l.Env, l.ID+"\t"+l.Env+" "+string(l.State))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// waiting are the plans that wait for a word, after the environments that they are of
// where none was named.
func (a *app) waiting(ctx context.Context, r records, args []string) []string {
	env := ""
	switch len(args) {
	case 0:
	case 1:
		env = args[0]
	default:
		return nil
	}
	var envs, plans []string
	for _, l := range recent(ctx, r, env) {
		if l.State != view.Waiting {
			continue
		}
		run, err := r.Run(ctx, l.ID)
		if err != nil {
			continue
		}
		plans = append(plans, view.PlanID(run.Digest)+"\t"+l.Env)
		if env == "" {
			envs = append(envs, l.Env)
		}
	}
	slices.Sort(envs)
	return append(slices.Compact(envs), plans...)
}

// shownPlans are the plans of the newest runs.
func shownPlans(ctx context.Context, r records, args []string) []string {
	var out []string
	for _, l := range recent(ctx, r, "") {
		run, err := r.Run(ctx, l.ID)
		if name := view.PlanID(run.Digest); err == nil && name != "" && !slices.Contains(args, name) {
			out = append(out, name+"\t"+l.Env)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// held are, after an environment, the addresses of what its newest run holds and keep
// lets through, with the field where that alone is held.
func (a *app) held(keep func(*view.HeldJSON) bool) candidates {
	return func(ctx context.Context, r records, args []string) []string {
		if len(args) == 0 {
			return a.environments(ctx, r, nil)
		}
		runs := recent(ctx, r, args[0])
		if len(runs) == 0 {
			return nil
		}
		run, err := r.Run(ctx, runs[0].ID)
		var report view.RunJSON
		if err != nil || json.Unmarshal(run.Report, &report) != nil {
			return nil
		}
		var out []string
		for i := range report.Held {
			h := &report.Held[i]
			if !keep(h) {
				continue
			}
			name := h.Address
			if h.Field != "" {
				name += "." + h.Field
			}
			if !slices.Contains(args, name) && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
		return out
	}
}

// codes are those of findings and of rules, isobar's and the repository's own.
func (a *app) codes(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, code := range diag.Codes() {
		out = append(out, string(code))
	}
	rules, _ := rulePages(c.Context()) // without them the rest is still of use
	own, _ := a.ownPages(c.Context())
	for _, r := range append(rules, own...) {
		out = append(out, string(r.Code))
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
