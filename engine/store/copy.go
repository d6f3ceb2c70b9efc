package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Copy implements Upkeep.
func (s *SQL) Copy(ctx context.Context, file string) error {
	if s.file == "" {
		return errorf(ErrBackup, "the store is in PostgreSQL, which copies it itself: pg_dump --format=custom --file=FILE URL")
	}
	return s.aside(ctx, func(ctx context.Context, db *sql.DB) error { return copyInto(ctx, db, file) })
}

// copyInto writes what a database holds at this moment to a new file.
func copyInto(ctx context.Context, db *sql.DB, file string) error {
	abs, err := filepath.Abs(file) // SQLite takes names that begin with "file:" for addresses
	if err != nil {
		return err
	}
	// The file is made here, so that only its owner may read it. SQLite fills an
	// empty one.
	f, err := os.OpenFile(abs, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // where a person wants it
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO $1`, abs)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(abs))
	}
	return nil
}

// Backup lets write make a copy of a store in a new file beside file, reads it
// back, and gives it the name file once it was found whole. It never leaves
// half a copy under that name; over says that one may be there already.
// ErrBackup says why no copy was made, ErrTampered that one was made, of a
// store whose audit log was altered.
func Backup(ctx context.Context, file string, over bool, write func(ctx context.Context, file string) error) (Info, error) {
	switch there, err := os.Lstat(file); {
	case err != nil: // none, or the write says what is wrong
	case !there.Mode().IsRegular():
		return Info{}, errorf(ErrBackup, "%s is no regular file, and stays", file)
	case !over:
		return Info{}, errorf(ErrBackup, "%s is there already", file)
	}
	partial := file + ".partial"
	if err := os.Remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Info{}, wrap(ErrBackup, err)
	}
	err := write(ctx, partial)
	if err != nil {
		return Info{}, backupFailed(err, partial)
	}
	info, altered := Inspect(ctx, partial)
	if altered != nil && !errors.Is(altered, ErrTampered) {
		return Info{}, backupFailed(fmt.Errorf("the copy that was read back is not whole: %w", altered), partial)
	}
	if err := place(partial, file, over); err != nil {
		return Info{}, backupFailed(err, partial)
	}
	return info, altered
}

func backupFailed(err error, partial string) error {
	_ = os.Remove(partial) // it may not be there
	if errors.Is(err, ErrBackup) || errors.Is(err, context.Canceled) {
		return err
	}
	return wrap(ErrBackup, err)
}

// place gives a whole file its name, for good. Unless over is set, a file of
// this name stays, and the error is ErrBackup.
func place(partial, file string, over bool) error {
	if !over {
		switch err := os.Link(partial, file); {
		case errors.Is(err, fs.ErrExist):
			return errorf(ErrBackup, "%s is there already", file)
		case err == nil:
			return errors.Join(os.Remove(partial), syncDir(file))
		} // a file system without links
	}
	if err := os.Rename(partial, file); err != nil {
		return err
	}
	return syncDir(file)
}

// syncDir makes the names in a file's directory durable.
func syncDir(file string) error {
	d, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// duplicate copies a file's bytes to a new file that only its owner may read.
func duplicate(from, to string) error {
	in, err := os.Open(from) //nolint:gosec // the file that a person named
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // beside the store
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}
