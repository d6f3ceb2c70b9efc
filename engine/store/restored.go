package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// restoredRow is what the audit log calls a restoration.
const restoredRow = "store restored"

// The names under which a store keeps when it was restored last, in milliseconds, and
// by what its tables are told from those that a dump makes.
const (
	restoredName = "restored"
	tablesName   = "tables"
)

// Restored implements Upkeep.
func (s *SQL) Restored(ctx context.Context) (out time.Time, err error) {
	err = s.read(ctx, func(tx *sql.Tx) error {
		at := int64(0)
		err := tx.QueryRowContext(ctx, `SELECT CAST(value AS BIGINT) FROM agreements WHERE name = $1`, restoredName).Scan(&at)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		out = fromMillis(at)
		return err
	})
	return out, err
}

// putRestored keeps that the store was restored at now.
func putRestored(ctx context.Context, tx *sql.Tx, now time.Time) error {
	return putAgreement(ctx, tx, restoredName, fmt.Sprint(millis(now)))
}

func putAgreement(ctx context.Context, tx *sql.Tx, name, value string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO agreements (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}

// noticeRestore puts on record that the store in PostgreSQL was restored from a dump,
// which nobody else tells: pg_restore makes the tables anew, and so with other numbers
// than those that the dump has of them. A server that was set back file by file keeps
// its numbers, and is not noticed.
func (s *SQL) noticeRestore(ctx context.Context) error {
	system, err := s.systemOf(ctx)
	if err != nil {
		return err
	}
	return s.tx(ctx, func(tx *sql.Tx) error {
		var tables string
		err := tx.QueryRowContext(ctx, `SELECT (SELECT oid FROM pg_database WHERE datname = current_database())::TEXT || '/' || to_regclass('events')::OID::TEXT`).Scan(&tables)
		if err != nil {
			return err
		}
		tables = system + "/" + tables
		var was string
		err = tx.QueryRowContext(ctx, `SELECT value FROM agreements WHERE name = $1`, tablesName).Scan(&was)
		switch {
		case errors.Is(err, sql.ErrNoRows): // new, or of a version that did not ask
			return putAgreement(ctx, tx, tablesName, tables)
		case err != nil || was == tables:
			return err
		}
		now, err := s.pg.clock(ctx, tx, time.Time{})
		if err != nil {
			return err
		}
		if err := errors.Join(putAgreement(ctx, tx, tablesName, tables), putRestored(ctx, tx, now)); err != nil {
			return err
		}
		return audit(ctx, tx, AuditEntry{At: now, Kind: restoredRow, Body: mustJSON(map[string]any{"tables": tables, "were": was})})
	})
}

// systemOf gives the number by which the server's cluster is told from any other, ""
// where it tells it not to us (PostgreSQL's manual, "Control Data Functions").
func (s *SQL) systemOf(ctx context.Context) (system string, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT system_identifier::TEXT FROM pg_control_system()`).Scan(&system)
	var e *pgconn.PgError
	if errors.As(err, &e) && (e.Code[:2] == "42" || e.Code[:2] == "0A") { // no right, no such function, not supported
		return "", nil
	}
	return system, err
}
