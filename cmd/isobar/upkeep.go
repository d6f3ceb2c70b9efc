package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

func (a *app) storeCommand() *cobra.Command {
	c := &cobra.Command{Use: "store", Short: "Back up, restore and describe the store"}
	c.AddCommand(a.backupCommand(), a.restoreCommand(), a.infoCommand())
	return c
}

func (a *app) backupCommand() *cobra.Command {
	force := false
	c := &cobra.Command{
		Use: "backup FILE", Short: "Copy the store to a file, also while a daemon runs", Args: cobra.ExactArgs(1),
		Long: "The copy is the store at one moment, with everything that was recorded before it. It is read back and its audit log\n" +
			"proved before it gets its name. Only you may read it: it holds no value of a {$secret: …}, but all that isobar knows of\n" +
			"your clouds, also what a spec has in plain text.",
		RunE: func(c *cobra.Command, args []string) error {
			if at, err := a.localStore(); err == nil && at.shared() {
				return errorf(diag.StoreBackup, "type pg_dump --format=custom --file="+shellWord(args[0])+" "+shellWord(at.String()),
					"the store is PostgreSQL's: its own tools copy it, also while daemons run")
			}
			return a.withRecords(c.Context(), func(r records) error {
				info, err := store.Backup(c.Context(), args[0], force, func(ctx context.Context, file string) error {
					return r.Backup(ctx, file, actor())
				})
				if errors.Is(err, store.ErrBackup) && !force {
					if _, exists := os.Lstat(args[0]); exists == nil {
						f, _ := store.Finding(err)
						f.Mend = "name another file, or add --force to replace it"
						return diag.List{f}
					}
				}
				if err != nil && !errors.Is(err, store.ErrTampered) {
					return err
				}
				return errors.Join(err, a.backedUp(args[0], info))
			})
		},
	}
	c.Flags().BoolVar(&force, "force", false, "replace FILE if it is there")
	return c
}

// backedUp says what a backup holds, and what it does not.
func (a *app) backedUp(file string, info store.Info) error {
	if a.output == "json" {
		return a.writeJSON(storeJSON{Schema: view.SchemaVersion, File: file, Store: info})
	}
	text := "backup " + file + "  " + described(info)
	if at, err := a.localStore(); err == nil {
		if _, err := os.Stat(keyPath(at.beside)); err == nil {
			text += "  the key that tells secrets apart, " + keyPath(at.beside) + ", is not in it: keep a copy of it elsewhere\n"
		}
	}
	a.table(text)
	return nil
}

// storeJSON is the JSON form of what backup, restore and info print.
type storeJSON struct {
	Schema int        `json:"schema_version"`
	File   string     `json:"file"`
	Kept   string     `json:"kept,omitempty"` // where the store that was replaced is
	Store  store.Info `json:"store"`
}

// described are the lines that tell what a store holds.
func described(i store.Info) string {
	text := fmt.Sprintf("%s, version %d, %s: %s, %s, %s, %s\n", i.Kind, i.Version, size(i.Bytes),
		counted(int(i.Environments), "environment"), counted(int(i.Resources), "resource"), counted(int(i.Events), "event"), counted(int(i.Runs), "run"))
	if i.Holder != "" {
		text += "  marks objects as store " + i.Holder + "\n"
	}
	if i.AuditRows == 0 {
		return text + "  nothing was done in it yet\n"
	}
	return text + fmt.Sprintf("  all that was done from %s to %s; audit: %s, last hash %s\n",
		i.Since.Format(time.RFC3339), i.Until.Format(time.RFC3339), counted(int(i.AuditRows), "row"), i.LastHash)
}

// size writes a number of bytes as people say it.
func size(n int64) string {
	const kilo, mega = 1000, 1000 * 1000
	switch {
	case n < mega:
		return fmt.Sprintf("%d kB", (n+kilo-1)/kilo)
	case n < kilo*mega:
		return fmt.Sprintf("%.1f MB", float64(n)/mega)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/kilo/mega)
}

func (a *app) restoreCommand() *cobra.Command {
	check, altered := false, false
	c := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup in the store's place", Args: cobra.ExactArgs(1),
		Long: "Stop the daemon first: a store in use stays. The backup is checked whole before anything is touched, brought up to\n" +
			"this isobar's version, and put in place at one stroke; what was there before is kept beside it. What was made since\n" +
			"the backup bears the estate's mark, and the next plan finds it by that: nothing is made twice.",
		RunE: func(c *cobra.Command, args []string) error {
			if check {
				return a.checkBackup(c.Context(), args[0])
			}
			return a.restore(c.Context(), args[0], altered)
		},
	}
	c.Flags().BoolVar(&altered, "altered", false, "take a backup whose audit log was altered, too, and put that on record")
	c.Flags().BoolVar(&check, "check", false, "say what FILE holds and whether it is whole, and end")
	return c
}

// checkBackup says what a backup holds.
func (a *app) checkBackup(ctx context.Context, file string) error {
	info, err := store.Inspect(ctx, file)
	if err != nil {
		f, ok := store.Finding(err)
		if !ok {
			return err
		}
		f.Message, f.Mend = file+": "+f.Message, "name another backup"
		if errors.Is(err, store.ErrTampered) {
			f.Mend = "name another backup; restore --altered takes this one as it is"
		}
		return diag.List{f}
	}
	if a.output == "json" {
		return a.writeJSON(storeJSON{Schema: view.SchemaVersion, File: file, Store: info})
	}
	a.table(file + "  whole: " + described(info))
	return nil
}

func (a *app) restore(ctx context.Context, file string, altered bool) error {
	at, err := a.localStore()
	if err != nil {
		return err
	}
	if at.shared() {
		return errorf(diag.StoreRestore, "stop every daemon on it, then use pg_restore; what the cloud holds since then is found by its marks",
			"%s is PostgreSQL's: its own tools restore it", at)
	}
	path := at.file
	if err := at.ready(); err != nil {
		return err
	}
	got, err := store.Restore(ctx, store.Restoration{File: file, Path: path, By: actor(), Now: time.Now(), Altered: altered})
	if errors.Is(err, store.ErrLocked) && !errors.Is(err, store.ErrRestore) {
		f, _ := store.Finding(err)
		f.Mend = "stop it first: what it has open is settled by the next one"
		return diag.List{f}
	}
	if errors.Is(err, store.ErrTampered) {
		f, _ := store.Finding(err)
		f.Mend = "nothing was changed: name another backup, or add --altered to take this one as it is"
		return diag.List{f}
	}
	if err != nil {
		return err
	}
	got.Info.Until = got.Until
	if a.output == "json" {
		return a.writeJSON(storeJSON{Schema: view.SchemaVersion, File: path, Kept: got.Kept, Store: got.Info})
	}
	text := path + "  restored from " + file + ": " + described(got.Info)
	if got.Kept != "" {
		text += "  what was there before is kept as " + got.Kept + "\n"
	}
	a.table(text + "  what was made after that is found by its marks: isobar plan tells\n")
	return nil
}

func (a *app) infoCommand() *cobra.Command {
	return &cobra.Command{
		Use: "info", Short: "Say what the store holds", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			at, err := a.localStore()
			if err != nil {
				return err
			}
			return a.withRecords(c.Context(), func(r records) error {
				info, err := r.Info(c.Context())
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.writeJSON(storeJSON{Schema: view.SchemaVersion, File: at.String(), Store: info})
				}
				a.table(strings.TrimPrefix(at.String(), "./") + "  " + described(info))
				return nil
			})
		},
	}
}
