package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// docsCommand writes the reference of verbs; make gen calls it.
func (a *app) docsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "docs FILE", Short: "Write the reference of the command line", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(c *cobra.Command, args []string) error {
			return os.WriteFile(args[0], []byte(cliPage(c.Root())), 0o644) //nolint:gosec // a page, for all to read
		},
	}
}

// cliPage describes every verb, with its flags, in Markdown.
func cliPage(root *cobra.Command) string {
	root.InitDefaultCompletionCmd()
	var b strings.Builder
	b.WriteString("# The command line\n\n<!-- Written by make gen; edit the commands, not this page. -->\n\n" +
		"| exit code | means |\n|---|---|\n| 0 | all is well |\n| 1 | something is wrong, or was refused; the message says what and how to mend it |\n" +
		"| 2 | there are changes (`plan --detailed-exitcode`) or drift (`drift`) |\n\n" +
		"## Flags of every verb\n\n```\n" + root.PersistentFlags().FlagUsages() + "```\n\n" +
		"Colours and live lines are for terminals: both stay away in a pipe, with `CI` and with `TERM=dumb`, colours also with `NO_COLOR`.\n")
	for _, c := range root.Commands() {
		verb(&b, c)
	}
	return b.String()
}

// verb describes a command and those below it.
func verb(b *strings.Builder, c *cobra.Command) {
	if c.Hidden || c.Name() == "help" {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n", c.CommandPath())
	if c.Name() == "completion" { // cobra's own
		b.WriteString("Print the completion script of a shell: `bash`, `zsh`, `fish` or `powershell`.\n\n```\nsource <(isobar completion bash)\n```\n\n" +
			"Bash needs the package `bash-completion`: without it Tab answers `_get_comp_words_by_ref: command not found`.\n")
		return
	}
	fmt.Fprintf(b, "%s.\n", c.Short)
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", c.Long)
	}
	if c.Runnable() {
		fmt.Fprintf(b, "\n```\n%s\n", strings.TrimSuffix(c.UseLine(), " [flags]"))
		if flags := c.NonInheritedFlags().FlagUsages(); flags != "" {
			fmt.Fprintf(b, "\n%s", flags)
		}
		b.WriteString("```\n")
	}
	for _, sub := range c.Commands() {
		verb(b, sub)
	}
}
