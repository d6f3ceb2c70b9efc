package store

import (
	"context"
	"database/sql"
)

// Audit implements AuditLog.
func (s *SQL) Audit(ctx context.Context, e AuditEntry) error {
	if err := e.check(); err != nil {
		return err
	}
	return s.tx(ctx, func(tx *sql.Tx) error { return audit(ctx, tx, e) })
}

// AuditRows implements AuditLog.
func (s *SQL) AuditRows(ctx context.Context, after int64, limit int) ([]AuditRow, error) {
	var out []AuditRow
	err := s.tx(ctx, func(tx *sql.Tx) (err error) {
		out, err = auditRows(ctx, tx, after, limit)
		return err
	})
	return out, err
}

func auditRows(ctx context.Context, tx *sql.Tx, after int64, limit int) ([]AuditRow, error) {
	var out []AuditRow
	err := rows(ctx, tx, func(r *sql.Rows) error {
		var a AuditRow
		var at int64
		var body string
		err := r.Scan(&a.Seq, &at, &a.Kind, &a.Env, &a.Run, &a.Actor, &body, &a.Prev, &a.Hash)
		a.At, a.Body = fromMillis(at), raw(body)
		out = append(out, a)
		return err
	}, `SELECT seq, at, kind, env, run, actor, body, prev, hash FROM audit_log WHERE seq > $1 ORDER BY seq LIMIT $2`,
		after, max(limit, 0))
	return out, err
}

// verifyPage bounds how many audit rows are held at once.
const verifyPage = 1000

// VerifyAudit implements AuditLog.
func (s *SQL) VerifyAudit(ctx context.Context) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		v := verifier{seen: map[string]int64{}}
		v.events = func(env string, first, last int64) ([]eventRow, error) {
			return eventRows(ctx, tx, ask(`SELECT seq, at, run, address, token, type, body FROM events
WHERE env = $1 AND seq >= $2 AND seq <= $3 ORDER BY seq`, env, first, last))
		}
		for {
			page, err := auditRows(ctx, tx, v.prev.Seq, verifyPage)
			if err != nil {
				return err
			}
			for _, r := range page {
				if err := v.row(r); err != nil {
					return err
				}
			}
			if len(page) < verifyPage {
				break
			}
		}
		last := map[string]int64{}
		err := rows(ctx, tx, func(r *sql.Rows) error {
			var env string
			var seq int64
			err := r.Scan(&env, &seq)
			last[env] = seq
			return err
		}, `SELECT env, MAX(seq) FROM events GROUP BY env`)
		if err != nil {
			return err
		}
		return v.done(last)
	})
}
