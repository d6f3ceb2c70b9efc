package store

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
)

// Audit implements AuditLog.
func (s *SQL) Audit(ctx context.Context, e AuditEntry) error {
	if err := e.check(); err != nil {
		return err
	}
	return s.tx(ctx, func(tx *sql.Tx) error { return audit(ctx, tx, e) })
}

// AuditRows implements AuditLog.
func (s *SQL) AuditRows(ctx context.Context, f AuditFilter) ([]AuditRow, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = noLimit
	}
	const columns = `SELECT seq, at, kind, env, run, actor, body, prev, hash FROM audit_log WHERE `
	q := ask(columns+`seq > $1 AND at >= $2 ORDER BY seq DESC LIMIT $3`, f.After, millis(f.Since), limit)
	if f.Env != "" {
		q = ask(columns+`env = $1 AND seq > $2 AND at >= $3 ORDER BY seq DESC LIMIT $4`, f.Env, f.After, millis(f.Since), limit)
	}
	var out []AuditRow
	err := s.read(ctx, func(tx *sql.Tx) (err error) {
		out, err = auditRows(ctx, tx, q)
		return err
	})
	slices.Reverse(out)
	return out, err
}

func auditRows(ctx context.Context, tx *sql.Tx, q query) ([]AuditRow, error) {
	var out []AuditRow
	err := rows(ctx, tx, func(r *sql.Rows) error {
		var a AuditRow
		var at int64
		var body string
		err := r.Scan(&a.Seq, &at, &a.Kind, &a.Env, &a.Run, &a.Actor, &body, &a.Prev, &a.Hash)
		if err != nil {
			return err
		}
		a.At, a.Body = fromMillis(at), raw(body)
		out = append(out, a)
		return nil
	}, q.text, q.args...)
	return out, err
}

// verifyPage bounds how many audit rows are held at once.
const verifyPage = 1000

// VerifyAudit implements AuditLog.
func (s *SQL) VerifyAudit(ctx context.Context, known string) (out Proof, err error) {
	err = s.aside(ctx, func(ctx context.Context, db *sql.DB) error {
		out, err = verifyAudit(ctx, db, known)
		return err
	})
	return out, err
}

// verifyAudit verifies what a database holds at one moment.
func verifyAudit(ctx context.Context, db *sql.DB, known string) (Proof, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return Proof{}, classify(err)
	}
	defer func() { _ = tx.Rollback() }() // it only read
	v := verifier{known: known, seen: map[string]int64{}}
	v.events = func(env string, first, last int64) ([]eventRow, error) {
		return eventRows(ctx, tx, ask(`SELECT seq, at, run, address, token, type, body FROM events
WHERE env = $1 AND seq >= $2 AND seq <= $3 ORDER BY seq`, env, first, last))
	}
	for after := int64(math.MinInt64); ; after = v.prev.Seq {
		page, err := auditRows(ctx, tx, ask(`SELECT seq, at, kind, env, run, actor, body, prev, hash FROM audit_log
WHERE seq > $1 ORDER BY seq LIMIT $2`, after, verifyPage))
		for _, r := range page {
			if err := v.row(r); err != nil {
				return Proof{}, unreadable(err, r.name()+": an event that it covers")
			}
		}
		if err != nil {
			return Proof{}, unreadable(err, v.next())
		}
		if len(page) < verifyPage {
			break
		}
	}
	last := map[string]int64{}
	err = rows(ctx, tx, func(r *sql.Rows) error {
		var env string
		var count, seq int64
		err := r.Scan(&env, &count, &seq)
		last[env] = max(count, seq) // more than the last one says: some stand before the first
		return err
	}, `SELECT env, COUNT(*), MAX(seq) FROM events GROUP BY env`)
	if err != nil {
		return Proof{}, unreadable(err, "an event")
	}
	return v.done(last)
}

// unreadable is what an error of reading comes to: a column that holds what
// isobar never writes was altered.
func unreadable(err error, what string) error {
	err = classify(err)
	var known *failure
	if errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return errorf(ErrTampered, "%s can't be read: %v", what, err)
}
