package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
)

// completions tells a shell what may stand where: environments, codes and
// formats. It reads directories and calls nobody.
func (a *app) completions(root *cobra.Command) {
	fixed := func(words ...string) cobra.CompletionFunc {
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return words, cobra.ShellCompDirectiveNoFileComp
		}
	}
	_ = root.RegisterFlagCompletionFunc("output", fixed("text", "json", "markdown")) // it fails for an unknown flag alone
	envs := map[string]bool{
		"validate": true, "graph": true, "plan": true, "apply": true, "drift": true, "destroy": false, "import": false, "refresh": false, "confirm": false, "forget": false,
		"approve": false, "reject": false, "cancel": false, "resume": false,
	}
	for _, c := range root.Commands() {
		many, takes := envs[c.Name()]
		switch {
		case takes:
			c.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
				if len(args) > 0 && !many {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				return slices.DeleteFunc(a.directories(), func(name string) bool { return slices.Contains(args, name) }), cobra.ShellCompDirectiveNoFileComp
			}
		case c.Name() == "explain":
			c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
				if len(args) > 0 {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				var words []string
				for _, code := range diag.Codes() {
					words = append(words, string(code))
				}
				rules, _ := rulePages(c.Context()) // without them the rest is still of use
				own, _ := a.ownPages(c.Context())
				for _, r := range append(rules, own...) {
					words = append(words, string(r.Code))
				}
				return words, cobra.ShellCompDirectiveNoFileComp
			}
		}
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
