package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Open opens or makes the SQLite store in the file path, and holds
// path + ".lock" until Close; now is when it was opened. ErrLocked says which
// other process holds it, ErrNewer that a later version wrote it, ErrCorrupt
// that it is no store, ErrFull that it cannot be written to.
func Open(ctx context.Context, path string, now time.Time) (*SQL, error) {
	held, err := lock(path+".lock", now)
	if err != nil {
		return nil, err
	}
	s, err := openSQLite(ctx, path)
	if err != nil {
		_ = held.Close()
		return nil, fmt.Errorf("store %s: %w", path, classify(err))
	}
	s.held = held
	return s, nil
}

func openSQLite(ctx context.Context, path string) (*SQL, error) {
	// The file is made here, so that only its owner may read it.
	//nolint:gosec // the store is where a person put it
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	q := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if err := migrate(ctx, goose.DialectSQLite3, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return newSQL(db), nil
}

// migrate brings the tables up to this program's version and refuses later ones.
func migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, db, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	have, know, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > know {
		return errorf(ErrNewer, "its tables are of version %d, this program knows %d", have, know)
	}
	_, err = p.Up(ctx)
	return err
}

// driverClass gives the class of the database driver's own error, or nil.
func driverClass(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code() & 0xff { // the primary result code
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return ErrFull
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return ErrCorrupt
	}
	return nil
}
