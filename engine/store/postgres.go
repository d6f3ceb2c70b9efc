package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// postgres is what a store in PostgreSQL has beside its tables.
type postgres struct {
	pool   *pgxpool.Pool
	schema string
	// clock gives the time by which leases are measured: the server's.
	clock func(ctx context.Context, tx *sql.Tx, now time.Time) (time.Time, error)
}

// A process that is stopped within a transaction would keep every other from
// writing: the server ends its session after idleLimit. A transaction holds the
// turn for a few statements, so who waits longer than waitLimit is told.
const (
	idleLimit    = 3 * time.Second
	waitLimit    = 30 * time.Second
	connectLimit = 5 * time.Second
	connections  = 12
)

// turns is the class of the advisory locks that isobar takes: the bytes "iso".
const turns = 0x69736f

// OpenPostgres opens or makes a store in the schema that a postgres:// URL (or
// libpq's keywords, with libpq's environment variables) leads to. Several
// processes may share it. ErrAway says that the server can't be reached or does
// not let us in, ErrNewer that a later version wrote the tables. A password
// never shows in an error. The connection must be a session of its own: a pool
// that hands out transactions (PgBouncer's transaction mode) will not do.
func OpenPostgres(ctx context.Context, url string) (*SQL, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, wrap(ErrAway, err) // pgx leaves the password out
	}
	run := cfg.ConnConfig.RuntimeParams
	run["application_name"] = "isobar"
	run["idle_in_transaction_session_timeout"] = fmt.Sprint(idleLimit.Milliseconds())
	run["lock_timeout"] = fmt.Sprint(waitLimit.Milliseconds())
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectLimit
	}
	cfg.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, wrap(ErrAway, err)
	}
	db := stdlib.OpenDBFromPool(pool)
	s := newSQL(db)
	s.pg = &postgres{pool: pool, clock: serverClock}
	if err := s.prepare(ctx); err != nil {
		_ = s.Close() // err says more
		return nil, classify(err)
	}
	return s, nil
}

// prepare makes the tables, or brings them up to this version: one process at a
// time.
func (s *SQL) prepare(ctx context.Context) (err error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var schema sql.NullString
	if err := conn.QueryRowContext(ctx, `SELECT current_schema()`).Scan(&schema); err != nil {
		return err
	}
	if !schema.Valid {
		return errorf(ErrAway, "the schema that its search_path names does not exist: make it with CREATE SCHEMA")
	}
	if !plainName.MatchString(schema.String) { // River listens on topics that begin with it, unquoted
		return errorf(ErrAway, "the schema %q: write a name of lower-case letters, digits and underscores", schema.String)
	}
	s.pg.schema = schema.String
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1, hashtext('migrate ' || $2))`, turns, schema.String); err != nil {
		return err
	}
	defer func() {
		_, uerr := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1, hashtext('migrate ' || $2))`, turns, schema.String)
		err = errors.Join(err, uerr)
	}()
	dir, err := tables()
	if err != nil {
		return err
	}
	if err := (migration{dialect: goose.DialectPostgres, db: s.db, dir: dir}).run(ctx); err != nil {
		return err
	}
	if err := s.noticeRestore(ctx); err != nil {
		return err
	}
	return s.migrateQueue(ctx)
}

// queueUp waits for this transaction's turn: writers go one after another, as
// with SQLite, so that the audit log's chain has one end and what a transaction
// read stays so until it commits.
func (p *postgres) queueUp(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1, hashtext($2))`, turns, p.schema)
	return err
}

// clock gives the time by which leases are measured.
func (s *SQL) clock(ctx context.Context, tx *sql.Tx, now time.Time) (time.Time, error) {
	if s.pg == nil {
		return now, nil
	}
	return s.pg.clock(ctx, tx, now)
}

func serverClock(ctx context.Context, tx *sql.Tx, _ time.Time) (now time.Time, err error) {
	err = tx.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&now)
	return now, err
}

var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,45}$`)

// postgresClass gives the class of PostgreSQL's own error, or nil (its manual,
// appendix A).
func postgresClass(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch {
		case e.Code == "53100", e.Code == "25006": // disk full, a read-only transaction
			return ErrFull
		case e.Code[:2] == "08", e.Code[:2] == "28", e.Code[:2] == "53", e.Code[:2] == "57", e.Code == "3D000",
			e.Code == "25P03", e.Code == "42501", e.Code == "55P03": // idle too long, no right, no lock in time
			return ErrAway
		case e.Code == "XX001", e.Code == "XX002":
			return ErrCorrupt
		}
		return nil
	}
	var refused *pgconn.ConnectError
	if errors.As(err, &refused) || brokeOff(err) || pgconn.SafeToRetry(err) {
		return ErrAway
	}
	return nil
}

// brokeOff reports whether nobody answers, or whoever did stopped within a word.
func brokeOff(err error) bool {
	var broken net.Error
	return errors.As(err, &broken) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn)
}

// Passing reports of an ErrAway whether it may pass by itself: nobody answers at
// the server's address just now, or it says that it starts, ends or is too busy.
// A name that leads nowhere and a server that lets this account not in do not.
func Passing(err error) bool {
	var e *pgconn.PgError
	var name *net.DNSError
	switch {
	case !errors.Is(err, ErrAway):
		return false
	case errors.As(err, &e):
		return e.Code[:2] == "57" || e.Code[:2] == "53" || e.Code[:2] == "08" || e.Code == "25P03" || e.Code == "55P03"
	case errors.As(err, &name):
		return name.IsTemporary || name.IsTimeout
	}
	return brokeOff(err) || pgconn.SafeToRetry(err)
}
