package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
	"isobar.dev/engine/web"
)

func (a *app) confirmCommand() *cobra.Command {
	undo := false
	c := &cobra.Command{
		Use: "confirm ENV ADDRESS…", Short: "Say by name which orphans may be deleted", Args: cobra.MinimumNArgs(2),
		Long: "An object whose spec was lost (a directory that vanished or moved, an empty environment), or that bears this estate's\n" +
			"mark and is in no ledger, or that bears no mark and has not been written to since the store was restored from a\n" +
			"backup, is never deleted unasked. This names the ones that may be: the next plan deletes them, and\n" +
			"goes the way of the environment's mode. The word is on the object that is there now, and ends when its spec comes back.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.say(c.Context(), args, word(store.Delete, undo))
		},
	}
	c.Flags().BoolVar(&undo, "undo", false, "take back what was said of them")
	return c
}

func (a *app) forgetCommand() *cobra.Command {
	undo := false
	c := &cobra.Command{
		Use: "forget ENV ADDRESS…", Short: "Let go of objects: they stay, and isobar no longer manages them", Args: cobra.MinimumNArgs(2),
		Long: "Names objects that are not to be deleted once their spec is gone, but let go of: the next plan takes isobar's mark off\n" +
			"them and leaves them as they are. It may be said before the spec is edited, or of what is planned to be deleted.\n" +
			"The word is on the object: it holds where the object or its environment is renamed, and where another object takes its place.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.say(c.Context(), args, word(store.Release, undo))
		},
	}
	c.Flags().BoolVar(&undo, "undo", false, "take back what was said of them")
	return c
}

func word(v store.Verdict, undo bool) store.Verdict {
	if undo {
		return store.Keep
	}
	return v
}

// wordJSON is what confirm and forget print.
type wordJSON struct {
	Schema    int           `json:"schema_version"`
	Env       string        `json:"environment"`
	Addresses []string      `json:"addresses"`
	Verdict   store.Verdict `json:"verdict"`
}

// say records a person's word: with the daemon that holds the store, else in
// the store itself.
func (a *app) say(ctx context.Context, args []string, v store.Verdict) error {
	w := reconcile.Word{Env: args[0], Addresses: args[1:], By: actor(), Verdict: v}
	next, err := a.record(ctx, w)
	switch {
	case errors.Is(err, reconcile.ErrNotNamed):
		return errorf(diag.CommandWord, "isobar plan "+w.Env+" lists what is held", "%v", err)
	case err != nil:
		return err
	}
	if a.output == "json" {
		return a.writeJSON(wordJSON{view.SchemaVersion, w.Env, w.Addresses, w.Verdict})
	}
	what := map[store.Verdict]string{
		store.Delete: "may be deleted", store.Release: "will be let go of once not in the spec", store.Keep: "stays as the spec has it: the word is taken back",
	}[v]
	fmt.Fprintf(a.out, "%s  %s %s · %s\n", w.Env, strings.Join(w.Addresses, ", "), what, next)
	return nil
}

// record keeps a word where it is taken up, and says what comes next.
func (a *app) record(ctx context.Context, w reconcile.Word) (next string, err error) {
	const daemon = "the next plan that the daemon makes says so"
	at, err := a.localStore()
	if err != nil {
		return "", err
	}
	if at.shared() {
		return daemon, a.withDesk(ctx, "", func(d desk) error { return d.Say(ctx, w) })
	}
	if err := at.there(); err != nil {
		return "", err
	}
	err = web.NewClient(at.socket()).Say(ctx, w)
	if errors.Is(err, web.ErrNoDaemon) {
		return "isobar plan " + w.Env + a.sourceArgs(), a.withOnce(ctx, func(o *reconcile.Once) error { return o.Say(ctx, w) })
	}
	if err = notLet(at.socket(), err); err != nil {
		return "", errorf(diag.CommandWord, "isobar runs shows what is held", "%v", err)
	}
	return daemon, nil
}
