package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
)

// The exit codes (architecture §10).
const (
	exitOK      = 0
	exitError   = 1
	exitChanges = 2
)

// app is one invocation: its streams, and the flags that all verbs share.
type app struct {
	in       io.Reader
	out, err io.Writer
	dir      string                    // -C
	store    string                    // --store
	repo     string                    // --repo, of the verbs with sourceFlags
	rev      string                    // --rev
	base     string                    // --base
	output   string                    // -o
	config   string                    // --config
	server   func() (*settings, error) // the server's file that is named, read once
	full     bool                      // --full, of the verbs with fullFlag
	verb     string                    // the command's own name
	began    bool                      // the command line was understood
	code     int
}

// errSaid is returned by a verb that has told the person what is wrong already.
var errSaid = errors.New("said already")

// run is the whole program but the process: it returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	a := &app{in: in, out: out, err: errw, output: "text"}
	root := a.root() //nolint:contextcheck // cobra hands each verb the context
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return a.code
	case errors.Is(err, errSaid):
	case !a.began:
		a.tell(diag.List{usage(err.Error(), "")}, "")
	default:
		a.tell(findings(err), "")
	}
	return max(a.code, exitError)
}

func usage(message, mend string) diag.Finding {
	if mend == "" {
		mend = "isobar --help lists verbs, isobar VERB --help its flags"
	}
	message, _, _ = strings.Cut(message, "\n")
	return diag.Finding{Severity: diag.Error, Code: diag.CommandUsage, Message: message, Mend: mend}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "isobar", Short: "Keep clouds and hypervisors as a Git repository says", SilenceUsage: true, SilenceErrors: true,
		Long: "isobar makes the world what a Git repository says, and says why.\n\n" +
			"Exit codes: 0 all is well, 1 something is wrong, 2 there are changes (with --detailed-exitcode) or drift (isobar drift).",
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			a.server = sync.OnceValues(func() (*settings, error) { return a.readSettings(c.Context()) })
			if !slices.Contains([]string{"text", "json", "markdown"}, a.output) {
				err := fmt.Errorf("there is no output format %q: write text, json or markdown", a.output)
				a.output = "text"
				return err
			}
			a.began, a.verb = true, c.Name()
			if c.Name() != "init" { // which makes it
				return a.directory()
			}
			return nil
		},
	}
	root.PersistentFlags().StringVarP(&a.dir, "directory", "C", ".", "the repository's `DIR`")
	root.PersistentFlags().StringVar(&a.store, "store", "", "where the ledger is kept, `sqlite:PATH` or postgres://USER@HOST/DATABASE; that of --config unless told, else .isobar/store.db in the repository (serve: isobar.db in its state directory)")
	root.PersistentFlags().StringVar(&a.config, "config", "", "the server's `FILE`: its credentials, and its store unless --store names one; ISOBAR_CONFIG unless told")
	root.PersistentFlags().StringVarP(&a.output, "output", "o", "text", "`FORMAT`: text, json or markdown")
	root.AddCommand(
		a.initCommand(), a.validateCommand(), a.graphCommand(), a.planCommand(), a.applyCommand(), a.destroyCommand(), a.confirmCommand(), a.forgetCommand(), a.driftCommand(),
		a.importCommand(),
		a.statusCommand(), a.runsCommand(), a.approveCommand(), a.rejectCommand(), a.cancelCommand(), a.resumeCommand(), a.refreshCommand(), a.auditCommand(), a.storeCommand(), a.serveCommand(), a.policyCommand(),
		a.explainCommand(), a.versionCommand(), a.docsCommand(),
	)
	root.InitDefaultCompletionCmd()
	plainArgs(root)
	a.completions(root)
	return root
}

// directory refuses a -C that is none, before anything is made in it.
func (a *app) directory() error {
	info, err := os.Stat(a.dir)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return errorf(diag.CommandRepo, "name the repository's directory with -C", "%s is a file, not a directory", a.dir)
	case errors.Is(err, fs.ErrNotExist):
		return errorf(diag.CommandRepo, "name the repository's directory with -C; isobar init DIR writes a new one", "there is no directory %s", a.dir)
	}
	return errorf(diag.CommandRepo, "name the repository's directory with -C", "%v", plainly(a.dir, err))
}

// plainArgs makes commands say in their own words which arguments they want, and
// those that only gather others which they have.
func plainArgs(c *cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.HasSubCommands() && !sub.Runnable() {
			sub.Args, sub.RunE = nil, oneOf
		}
		if check := sub.Args; check != nil {
			sub.Args = func(c *cobra.Command, args []string) error {
				err := check(c, args)
				if err == nil {
					return nil
				}
				var alone *aloneError
				if errors.As(err, &alone) {
					return fmt.Errorf("%s was given %w: write %s", c.CommandPath(), alone, strings.TrimSuffix(c.UseLine(), " [flags]"))
				}
				return fmt.Errorf("%s was given %s: write %s", c.CommandPath(), counted(len(args), "argument"), strings.TrimSuffix(c.UseLine(), " [flags]"))
			}
		}
		plainArgs(sub)
	}
}

// oneOf runs a command that only gathers others: alone it tells what they are.
func oneOf(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	return diag.List{usage(fmt.Sprintf("%s has no command %q", c.CommandPath(), args[0]), "write one of: "+strings.Join(names, ", "))}
}
