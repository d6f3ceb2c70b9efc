package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/pressly/goose/v3"
)

// Restoration says which copy becomes which store.
type Restoration struct {
	File string // the copy; it is only read
	Path string // the store
	By   string // who asked
	Now  time.Time
	// Altered takes a copy whose audit log was altered, too: that goes on record.
	Altered bool
}

// Restored is what a restoration came to.
type Restored struct {
	Info  Info      // of the store as it is now
	Until time.Time // what was decided later than this is not in it
	Kept  string    // where the store that was replaced is, "" where there was none
}

// The files that SQLite keeps beside a database.
const (
	walSuffix = "-wal" // what was written last
	shmSuffix = "-shm" // where to find it; made anew from the first
)

// Restore puts a copy, which it checks and brought up to this program's
// version, in the place of a store that no process holds, and keeps what was
// there beside it. Each lease's epoch rises above any that either of the two
// knows, so whoever held one writes nothing any more. At whatever instant it
// ends, Path is the old store or the new one, whole. ErrLocked says who holds
// the store, ErrRestore why it stayed as it was.
func Restore(ctx context.Context, r Restoration) (Restored, error) {
	held, err := lock(r.Path+".lock", r.Now)
	if err != nil {
		return Restored{}, err
	}
	defer func() { _ = unlock(held) }()
	w := &restoring{Restoration: r, fresh: r.Path + ".restoring"}
	for _, step := range w.steps() {
		if err := step(ctx); err != nil {
			_ = w.sweep(ctx)
			return Restored{}, restoreFailed(r.File, err)
		}
	}
	return w.out, nil
}

func restoreFailed(file string, err error) error {
	err = classify(err)
	if errors.Is(err, ErrFull) || errors.Is(err, context.Canceled) {
		return err
	}
	var known *fs.PathError
	if errors.As(err, &known) && known.Path == file {
		err = known.Err // the message names it anyway
	}
	return wrap(ErrRestore, fmt.Errorf("%s: %w", file, err))
}

// restoring is a restoration under way.
type restoring struct {
	Restoration
	fresh  string           // the copy of the copy that becomes the store
	epochs map[string]int64 // the replaced store's leases
	kept   string           // where the replaced store goes, "" where there is none
	wrong  string           // what is wrong with the copy's audit log, "" for nothing
	out    Restored
}

func (w *restoring) steps() []func(context.Context) error {
	return []func(context.Context) error{w.sweep, w.fetch, w.check, w.settle, w.prepare, w.keep, w.clear, w.replace}
}

// sweep removes what a restoration that was interrupted left.
func (w *restoring) sweep(context.Context) error {
	for _, suffix := range []string{"", walSuffix, shmSuffix, "-journal"} {
		if err := remove(w.fresh + suffix); err != nil {
			return err
		}
	}
	return nil
}

func remove(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// fetch copies the copy: with its latest writes, where it is the bare file of a
// store whose process was killed.
func (w *restoring) fetch(context.Context) error {
	from, err := os.Stat(w.File)
	if err != nil {
		return err
	}
	if to, err := os.Stat(w.Path); err == nil && os.SameFile(from, to) {
		return errorf(ErrRefused, "this is the store itself")
	}
	if _, err := os.Stat(w.File + ".lock"); err == nil {
		held, err := lock(w.File+".lock", w.Now)
		if errors.Is(err, ErrLocked) {
			return err // a store in use: its file alone is no copy
		}
		if err == nil {
			defer func() { _ = unlock(held) }()
		}
	}
	if err := duplicate(w.File, w.fresh); err != nil {
		return err
	}
	err = duplicate(w.File+walSuffix, w.fresh+walSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// check looks whether what was fetched is a whole store.
func (w *restoring) check(ctx context.Context) error {
	return with(w.fresh, func(db *sql.DB) error {
		_, err := inspect(ctx, db)
		if w.Altered && errors.Is(err, ErrTampered) {
			w.wrong = err.Error()
			return nil
		}
		return err
	})
}

// with runs f with a connection to a store's file, and leaves nothing of it
// beside the file.
func with(path string, f func(*sql.DB) error) error {
	db, err := dial(path, writable())
	if err != nil {
		return err
	}
	err = f(db)
	return errors.Join(err, db.Close()) // the last connection brings the file up to date
}

// settle reads the replaced store's leases and brings its file up to date. A
// store that can't be read is no reason not to replace it.
func (w *restoring) settle(ctx context.Context) error {
	if _, err := os.Stat(w.Path); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	stamp := w.Path + ".before-" + w.Now.UTC().Format("20060102T150405Z")
	w.kept = stamp
	for n := 2; taken(w.kept); n++ {
		w.kept = fmt.Sprintf("%s-%d", stamp, n)
	}
	epochs := map[string]int64{}
	err := with(w.Path, func(db *sql.DB) (err error) {
		epochs, err = epochsOf(ctx, db)
		return err
	})
	if err == nil {
		w.epochs = epochs
	}
	return ctx.Err()
}

func taken(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

func epochsOf(ctx context.Context, db *sql.DB) (map[string]int64, error) {
	out := map[string]int64{}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	err = rows(ctx, tx, func(r *sql.Rows) error {
		var env string
		var epoch int64
		err := r.Scan(&env, &epoch)
		out[env] = epoch
		return err
	}, `SELECT env, epoch FROM leases`)
	return out, err
}

// prepare brings the new store up to this program's version, ends all leases in
// it and puts on record where it comes from.
func (w *restoring) prepare(ctx context.Context) error {
	return with(w.fresh, func(db *sql.DB) error {
		dir, err := tables()
		if err != nil {
			return err
		}
		was, err := fileInfo(ctx, db)
		if err != nil {
			return err
		}
		if err := (migration{dialect: goose.DialectSQLite3, db: db, dir: dir}).run(ctx); err != nil {
			return err
		}
		if err := w.record(ctx, db, was); err != nil {
			return err
		}
		w.out.Info, err = fileInfo(ctx, db)
		w.out.Kept, w.out.Until = w.kept, was.Until
		return err
	})
}

// record ends all leases, and adds the row that says so.
func (w *restoring) record(ctx context.Context, db *sql.DB, was Info) error {
	epochs, err := epochsOf(ctx, db)
	if err != nil {
		return err
	}
	for env, epoch := range w.epochs {
		epochs[env] = max(epochs[env], epoch)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // no error after Commit matters
	for env, epoch := range epochs {
		if err := putLease(ctx, tx, Lease{Env: env, Epoch: epoch + 1}); err != nil {
			return err
		}
	}
	body := map[string]any{"file": w.File, "rows": was.AuditRows, "version": was.Version}
	if w.kept != "" {
		body["replaced"] = w.kept
	}
	if w.wrong != "" {
		body["altered"] = w.wrong
	}
	if err := audit(ctx, tx, AuditEntry{At: w.Now, Kind: restoredRow, Actor: w.By, Body: mustJSON(body)}); err != nil {
		return err
	}
	if err := putRestored(ctx, tx, w.Now); err != nil {
		return err
	}
	return tx.Commit()
}

// keep gives the replaced store its second name.
func (w *restoring) keep(context.Context) error {
	if w.kept == "" {
		return nil
	}
	for _, suffix := range []string{"", walSuffix} {
		err := os.Link(w.Path+suffix, w.kept+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			err = duplicate(w.Path+suffix, w.kept+suffix) // a file system without links
		}
		if err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return syncDir(w.Path)
}

// clear takes away what SQLite would add to the new store: the replaced one's
// latest writes, which are left only where its file could not be brought up to
// date.
func (w *restoring) clear(context.Context) error {
	for _, suffix := range []string{walSuffix, shmSuffix} {
		if err := remove(w.Path + suffix); err != nil {
			return err
		}
	}
	return syncDir(w.Path)
}

func (w *restoring) replace(context.Context) error {
	if err := os.Rename(w.fresh, w.Path); err != nil {
		return err
	}
	return syncDir(w.Path)
}
