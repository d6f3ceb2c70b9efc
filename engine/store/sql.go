package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"sync"

	"isobar.dev/engine/ledger"
)

// SQL is a store in an SQL database.
type SQL struct {
	db   *sql.DB
	file string    // of SQLite; "" elsewhere
	held *os.File  // the lock of a file, or nil
	path string    // the file, for what goes wrong with it; "" for none
	pg   *postgres // nil: SQLite

	mu    sync.Mutex // taken before a transaction that uses folds
	folds map[string]*ledger.State

	closing sync.Once
	closed  error
	done    chan struct{}
	asides  sync.RWMutex // read-held by connections beside db
}

func newSQL(db *sql.DB) *SQL {
	return &SQL{db: db, folds: map[string]*ledger.State{}, done: make(chan struct{})}
}

// Close gives up the database and the lock. It waits for calls under way, and
// ends those that may take long: VerifyAudit and Copy.
func (s *SQL) Close() error {
	s.closing.Do(func() {
		close(s.done)
		s.asides.Lock() // what reads aside is interrupted, and ends
		defer s.asides.Unlock()
		s.closed = s.db.Close()
		if s.pg != nil {
			s.pg.pool.Close()
		}
		if s.held != nil {
			s.closed = errors.Join(s.closed, unlock(s.held))
		}
	})
	return s.closed
}

// tx runs f in a transaction that writes: one after another, whichever process
// it is of.
func (s *SQL) tx(ctx context.Context, f func(*sql.Tx) error) error {
	return s.run(ctx, nil, func(tx *sql.Tx) error {
		if s.pg != nil {
			if err := s.pg.queueUp(ctx, tx); err != nil {
				return err
			}
		}
		return f(tx)
	})
}

// read runs f in a transaction that writes nothing and sees one moment.
func (s *SQL) read(ctx context.Context, f func(*sql.Tx) error) error {
	if s.pg == nil {
		return s.run(ctx, nil, f)
	}
	return s.run(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, f)
}

func (s *SQL) run(ctx context.Context, opts *sql.TxOptions, f func(*sql.Tx) error) error {
	select {
	case <-s.done:
		return ErrClosed
	default:
	}
	tx, err := s.db.BeginTx(ctx, opts)
	if err != nil {
		return s.classify(err)
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback() // err says more
		return s.classify(err)
	}
	return s.classify(tx.Commit())
}

// classify sorts an error, and says which file it is about where that matters.
func (s *SQL) classify(err error) error {
	sorted := classify(err)
	var f *failure
	if s.path != "" && errors.As(sorted, &f) && (f.class == ErrFull || f.class == ErrCorrupt) && f.cause != nil { //nolint:errorlint // a class, not a chain
		return &failure{class: f.class, text: s.path + ": " + f.text, cause: f.cause}
	}
	return sorted
}

// aside runs f with a way to read of its own, so that what takes long holds
// nobody up: the one connection to SQLite is needed for the leases' heartbeats.
func (s *SQL) aside(ctx context.Context, f func(context.Context, *sql.DB) error) (err error) {
	s.asides.RLock()
	defer s.asides.RUnlock()
	select {
	case <-s.done:
		return ErrClosed
	default:
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		select {
		case <-s.done:
			end(ErrClosed)
		case <-ctx.Done():
		}
	}()
	db := s.db
	if s.file != "" {
		if db, err = dial(s.file, readOnly()); err != nil {
			return classify(err)
		}
		defer func() { err = errors.Join(err, db.Close()) }()
	}
	if err = f(ctx, db); err != nil && errors.Is(context.Cause(ctx), ErrClosed) {
		return ErrClosed
	}
	return classify(err)
}

// exec runs one statement as a transaction of its own.
func (s *SQL) exec(ctx context.Context, text string, args ...any) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, text, args...)
		return err
	})
}

// rows calls each for every row.
func rows(ctx context.Context, tx *sql.Tx, each func(*sql.Rows) error, text string, args ...any) (err error) {
	rs, err := tx.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rs.Close()) }()
	for rs.Next() {
		if err := each(rs); err != nil {
			return err
		}
	}
	return rs.Err()
}

// one scans the only row into dest; ErrNotFound names what is missing.
func one(ctx context.Context, tx *sql.Tx, what string, q query, dest ...any) error {
	err := tx.QueryRowContext(ctx, q.text, q.args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return errorf(ErrNotFound, "%s", what)
	}
	return err
}

type query struct {
	text string
	args []any
}

func ask(text string, args ...any) query { return query{text, args} }

// audit adds a row to the chain.
func audit(ctx context.Context, tx *sql.Tx, e AuditEntry) error {
	var prev AuditRow
	err := tx.QueryRowContext(ctx, `SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1`).Scan(&prev.Seq, &prev.Hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	r := chain(prev, e)
	_, err = tx.ExecContext(ctx, `INSERT INTO audit_log (seq, at, kind, env, run, actor, body, prev, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		r.Seq, millis(r.At), r.Kind, r.Env, r.Run, r.Actor, string(r.Body), r.Prev, r.Hash)
	return err
}
