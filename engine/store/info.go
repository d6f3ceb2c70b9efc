package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/pressly/goose/v3"
)

// Info sums a store up.
type Info struct {
	Kind         string    `json:"kind"`             // sqlite, postgres or memory
	Version      int64     `json:"version"`          // of its tables
	Holder       string    `json:"holder,omitempty"` // its own name, as the marks of objects bear it; "" where no run was made with it yet
	Bytes        int64     `json:"bytes"`            // of its file or tables, without what was written last
	Environments int64     `json:"environments"`
	Resources    int64     `json:"resources"` // in the ledger
	Events       int64     `json:"events"`    // of the ledger
	Runs         int64     `json:"runs"`
	AuditRows    int64     `json:"audit_rows"`
	Since        time.Time `json:"since,omitzero"`      // the first audit row's
	Until        time.Time `json:"until,omitzero"`      // the last audit row's: what was decided later is not in it
	LastHash     string    `json:"last_hash,omitempty"` // the last audit row's
}

// Info implements Upkeep.
func (s *SQL) Info(ctx context.Context) (out Info, err error) {
	err = s.aside(ctx, func(ctx context.Context, db *sql.DB) error {
		if s.pg != nil {
			out, err = infoOf(ctx, db, "postgres", postgresSize)
		} else {
			out, err = fileInfo(ctx, db)
		}
		return err
	})
	return out, err
}

// agreeing is the first version of the tables that have agreements.
const agreeing = 3

// How a database says how large its tables are.
const (
	sqliteSize   = `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`
	postgresSize = `SELECT COALESCE(SUM(pg_total_relation_size(c.oid)), 0)::BIGINT FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind = 'r'`
)

// infoOf sums up what a database holds at one moment; size asks for its size.
func infoOf(ctx context.Context, db *sql.DB, kind, size string) (Info, error) {
	out := Info{Kind: kind}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return out, err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	var since, until int64
	for _, q := range []struct {
		text string
		dest []any
	}{
		{`SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`, []any{&out.Version}},
		{size, []any{&out.Bytes}},
		{`SELECT (SELECT COUNT(*) FROM environments), (SELECT COUNT(*) FROM resources), (SELECT COUNT(*) FROM events),
(SELECT COUNT(*) FROM runs), (SELECT COUNT(*) FROM audit_log)`, []any{&out.Environments, &out.Resources, &out.Events, &out.Runs, &out.AuditRows}},
		{`SELECT COALESCE(MIN(at), 0) FROM audit_log WHERE seq = 1`, []any{&since}},
		{`SELECT at, hash FROM audit_log ORDER BY seq DESC LIMIT 1`, []any{&until, &out.LastHash}},
	} {
		if err := tx.QueryRowContext(ctx, q.text).Scan(q.dest...); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return out, err
		}
	}
	out.Since, out.Until = fromMillis(since), fromMillis(until)
	if out.Version < agreeing {
		return out, nil
	}
	err = tx.QueryRowContext(ctx, `SELECT value FROM agreements WHERE name = $1`, HolderName).Scan(&out.Holder)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return out, err
}

// fileInfo is infoOf for an SQLite file.
func fileInfo(ctx context.Context, db *sql.DB) (Info, error) {
	return infoOf(ctx, db, "sqlite", sqliteSize)
}

// Inspect sums up the store in a file that no process holds, and writes nothing
// to it. ErrCorrupt says that it is no store or is damaged, ErrNewer that a later
// version wrote it; ErrTampered, with the sum, that only its audit log was
// altered.
func Inspect(ctx context.Context, file string) (Info, error) {
	db, err := dial(file, readOnly())
	if err != nil {
		return Info{}, classify(err)
	}
	info, err := inspect(ctx, db)
	return info, errors.Join(classify(err), db.Close())
}

// inspect checks all of a store that can be checked.
func inspect(ctx context.Context, db *sql.DB) (Info, error) {
	var found int
	err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'
AND name IN ('goose_db_version', 'events', 'leases', 'audit_log')`).Scan(&found)
	if err != nil {
		return Info{}, err
	}
	if found < 4 {
		return Info{}, errorf(ErrCorrupt, "this is a database, but no store of isobar's")
	}
	dir, err := tables()
	if err != nil {
		return Info{}, err
	}
	p, err := migration{dialect: goose.DialectSQLite3, db: db, dir: dir}.provider()
	if err != nil {
		return Info{}, err
	}
	have, know, err := p.GetVersions(ctx)
	if err != nil {
		return Info{}, err
	}
	if have > know {
		return Info{}, newer(have, know)
	}
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&verdict); err != nil {
		return Info{}, err
	}
	if verdict != "ok" {
		return Info{}, errorf(ErrCorrupt, "%s", verdict)
	}
	info, err := fileInfo(ctx, db)
	if err != nil {
		return Info{}, err
	}
	_, err = verifyAudit(ctx, db, "")
	return info, err
}
