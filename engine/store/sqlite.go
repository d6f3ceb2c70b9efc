package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Open opens or makes the SQLite store in the file path, and holds
// path + ".lock" until Close; now is when it was opened. ErrLocked says which
// other process holds it, ErrNewer that a later version wrote it, ErrCorrupt
// that it is no store, ErrFull that it cannot be written to, ErrPlace that no
// file can be there, ErrForeign that it is another user's. A store of an
// earlier version is brought up to this one's; a copy of it as it was is left
// beside it, as path + ".before-vN", N being the first version that it had not.
func Open(ctx context.Context, path string, now time.Time) (*SQL, error) {
	dir, err := tables()
	if err != nil {
		return nil, err
	}
	return open(ctx, path, now, dir)
}

// open is Open with the migrations in dir.
func open(ctx context.Context, path string, now time.Time, dir fs.FS) (*SQL, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, unopened(path, syscall.EISDIR) // before a lock is left beside it
	}
	held, err := lock(path+".lock", now)
	if err != nil {
		return nil, err
	}
	s, err := openSQLite(ctx, path, now, dir)
	if err != nil {
		_ = unlock(held)
		return nil, fmt.Errorf("store %s: %w", path, unopened(path, err))
	}
	s.held, s.path = held, path
	return s, nil
}

func openSQLite(ctx context.Context, path string, now time.Time, dir fs.FS) (*SQL, error) {
	// The file is made here, so that only its owner may read it.
	//nolint:gosec // the store is where a person put it
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	db, err := dial(path, writable())
	if err != nil {
		return nil, err
	}
	m := migration{dialect: goose.DialectSQLite3, db: db, dir: dir, before: func(ctx context.Context, have, want int64) error {
		return beforeUpgrade(ctx, db, upgrade{path, now, have, want})
	}}
	if err := m.run(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := newSQL(db)
	s.file = path
	return s, nil
}

// writable are the settings of a store's own connection.
func writable() url.Values {
	return url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
	}
}

// readOnly are those of a connection that writes nothing.
func readOnly() url.Values {
	return url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(10000)"}}
}

// dial gives one connection to a database's file.
func dial(path string, settings url.Values) (*sql.DB, error) {
	name := &url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: settings.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// driverClass gives the class of the database driver's own error, or nil.
func driverClass(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return postgresClass(err)
	}
	switch e.Code() & 0xff { // the primary result code
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return ErrFull
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return ErrCorrupt
	}
	return nil
}
