package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// lease reads an environment's lease within a transaction.
func lease(ctx context.Context, tx *sql.Tx, env string) (Lease, error) {
	l := Lease{Env: env}
	var expires int64
	err := one(ctx, tx, env, ask(`SELECT owner, epoch, expires FROM leases WHERE env = $1`, env), &l.Owner, &l.Epoch, &expires)
	if errors.Is(err, ErrNotFound) {
		return l, nil
	}
	l.Expires = fromMillis(expires)
	return l, err
}

func putLease(ctx context.Context, tx *sql.Tx, l Lease) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO leases (env, owner, epoch, expires) VALUES ($1, $2, $3, $4)
ON CONFLICT (env) DO UPDATE SET owner = excluded.owner, epoch = excluded.epoch, expires = excluded.expires`,
		l.Env, l.Owner, l.Epoch, millis(l.Expires))
	return err
}

// Acquire implements Leases.
func (s *SQL) Acquire(ctx context.Context, env, owner string, ttl time.Duration, now time.Time) (int64, error) {
	var epoch int64
	err := s.tx(ctx, func(tx *sql.Tx) error {
		was, err := lease(ctx, tx, env)
		if err == nil {
			now, err = s.clock(ctx, tx, now)
		}
		if err != nil {
			return err
		}
		l, err := acquire(was, owner, ttl, now)
		if err != nil {
			return err
		}
		epoch = l.Epoch
		if err := putLease(ctx, tx, l); err != nil || !tookOver(was, l) {
			return err
		}
		return audit(ctx, tx, leaseEntry(l, millis(now)))
	})
	if err != nil {
		return 0, err
	}
	return epoch, nil
}

// Heartbeat implements Leases.
func (s *SQL) Heartbeat(ctx context.Context, env, owner string, ttl time.Duration, now time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		l, err := lease(ctx, tx, env)
		if err == nil {
			now, err = s.clock(ctx, tx, now)
		}
		if err == nil {
			l, err = heartbeat(l, owner, ttl, now)
		}
		if err != nil {
			return err
		}
		return putLease(ctx, tx, l)
	})
}

// Release implements Leases.
func (s *SQL) Release(ctx context.Context, env, owner string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		was, err := lease(ctx, tx, env)
		if err != nil {
			return err
		}
		l, ok := release(was, owner)
		if !ok {
			return nil
		}
		return putLease(ctx, tx, l)
	})
}

// Lease implements Leases.
func (s *SQL) Lease(ctx context.Context, env string) (Lease, error) {
	var out Lease
	err := s.read(ctx, func(tx *sql.Tx) (err error) {
		out, err = lease(ctx, tx, env)
		return err
	})
	if err != nil || out.Epoch == 0 {
		return Lease{}, err
	}
	return out, nil
}

// PutApproval implements Approvals.
func (s *SQL) PutApproval(ctx context.Context, a Approval) error {
	if err := a.check(); err != nil {
		return err
	}
	a = a.normal()
	return s.tx(ctx, func(tx *sql.Tx) error {
		// The row is locked before it is compared: of two who speak at once, the
		// second finds what the first said.
		res, err := tx.ExecContext(ctx, `INSERT INTO approvals (env, digest, by_whom, at, verdict, consumed)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (env, digest) DO UPDATE SET by_whom = excluded.by_whom,
at = excluded.at, verdict = excluded.verdict, consumed = excluded.consumed
WHERE excluded.verdict <> 'approve' OR CAST($7 AS BIGINT) = 0 OR approvals.verdict NOT IN ('reject', 'cancel') OR approvals.at < CAST($7 AS BIGINT)`,
			a.Env, a.Digest, a.By, millis(a.At), string(a.Verdict), a.Run, millis(a.Asked))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		if n == 0 {
			was, err := approval(ctx, tx, a.Env, a.Digest)
			if err != nil {
				return err
			}
			return barred(was)
		}
		return audit(ctx, tx, approvalEntry(a))
	})
}

func approval(ctx context.Context, tx *sql.Tx, env, digest string) (Approval, error) {
	a := Approval{Env: env, Digest: digest}
	var at int64
	err := one(ctx, tx, "approval of "+digest+" in "+env,
		ask(`SELECT by_whom, at, verdict, consumed FROM approvals WHERE env = $1 AND digest = $2`, env, digest),
		&a.By, &at, &a.Verdict, &a.Run)
	if err != nil {
		return Approval{}, err
	}
	a.At = fromMillis(at)
	return a, nil
}

// Approval implements Approvals.
func (s *SQL) Approval(ctx context.Context, env, digest string) (Approval, error) {
	var out Approval
	err := s.read(ctx, func(tx *sql.Tx) (err error) {
		out, err = approval(ctx, tx, env, digest)
		return err
	})
	return out, err
}

// Words implements Approvals.
func (s *SQL) Words(ctx context.Context, env string) (out []Approval, err error) {
	err = s.read(ctx, func(tx *sql.Tx) error {
		out = nil
		return rows(ctx, tx, func(r *sql.Rows) error {
			a, at := Approval{Env: env}, int64(0)
			if err := r.Scan(&a.Digest, &a.By, &at, &a.Verdict); err != nil {
				return err
			}
			a.At = fromMillis(at)
			out = append(out, a)
			return nil
		}, `SELECT digest, by_whom, at, verdict FROM approvals WHERE env = $1 AND verdict IN ($2, $3, $4)`,
			env, string(Delete), string(Release), string(Keep))
	})
	slices.SortFunc(out, func(a, b Approval) int { return strings.Compare(a.Digest, b.Digest) }) // as Go compares
	return out, err
}

// Consume implements Approvals.
func (s *SQL) Consume(ctx context.Context, env, digest, run string, at time.Time) (Approval, error) {
	var out Approval
	err := s.tx(ctx, func(tx *sql.Tx) error {
		a, err := approval(ctx, tx, env, digest)
		if err != nil {
			return err
		}
		a, used, err := consume(a, run)
		if err != nil {
			return err
		}
		out = a
		if !used {
			return nil
		}
		_, err = tx.ExecContext(ctx, `UPDATE approvals SET consumed = $1 WHERE env = $2 AND digest = $3`, run, env, digest)
		if err != nil {
			return err
		}
		return audit(ctx, tx, consumeEntry(a, millis(at)))
	})
	if err != nil {
		return Approval{}, err
	}
	return out, nil
}

// PutPlan implements Plans.
func (s *SQL) PutPlan(ctx context.Context, p Plan) error {
	if err := p.check(); err != nil {
		return err
	}
	return s.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO plans (env, digest, shown, body) VALUES ($1, $2, $3, $4)
ON CONFLICT (env, digest) DO UPDATE SET shown = excluded.shown, body = excluded.body`, p.Env, p.Digest, millis(p.Shown), string(p.Body))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM plans WHERE env = $1 AND digest NOT IN
(SELECT digest FROM plans WHERE env = $1 ORDER BY shown DESC, digest LIMIT $2)`, p.Env, plansKept)
		return err
	})
}

// PlansOf implements Plans.
func (s *SQL) PlansOf(ctx context.Context, env, prefix string) ([]Plan, error) {
	var out []Plan
	err := s.read(ctx, func(tx *sql.Tx) error {
		return rows(ctx, tx, func(r *sql.Rows) error {
			var p Plan
			var shown int64
			var body string
			err := r.Scan(&p.Env, &p.Digest, &shown, &body)
			p.Shown, p.Body = fromMillis(shown), raw(body)
			out = append(out, p)
			return err
		}, `SELECT env, digest, shown, body FROM plans WHERE ($1 = '' OR env = $1) AND substr(digest, 1, $2) = $3 ORDER BY shown DESC, digest, env`,
			env, len(prefix), prefix)
	})
	return out, err
}

// Enqueue implements Outbox.
func (s *SQL) Enqueue(ctx context.Context, m Message) (bool, error) {
	if m.Key == "" {
		return false, errorf(ErrRefused, "a message wants a key")
	}
	if err := check("message "+m.Key, m.Body); err != nil {
		return false, err
	}
	m = m.normal()
	body, err := json.Marshal(m)
	if err != nil {
		return false, wrap(ErrRefused, err)
	}
	added := false
	err = s.tx(ctx, func(tx *sql.Tx) error {
		var n int64
		if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(n), 0) + 1 FROM outbox`).Scan(&n); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `INSERT INTO outbox (key, n, not_before, sent, ref, body)
VALUES ($1, $2, $3, 0, '', $4) ON CONFLICT (key) DO NOTHING`, m.Key, n, millis(m.NotBefore), string(body))
		if err != nil {
			return err
		}
		rows, err := res.RowsAffected()
		added = rows > 0
		return err
	})
	return added && err == nil, err
}

func decodeMessage(key string, notBefore int64, body string) (Message, error) {
	var m Message
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		return m, errorf(ErrCorrupt, "message %s: %v", key, err)
	}
	m.Key, m.NotBefore = key, fromMillis(notBefore)
	return m, nil
}

// Due implements Outbox.
func (s *SQL) Due(ctx context.Context, now time.Time, limit int) ([]Message, error) {
	var out []Message
	err := s.read(ctx, func(tx *sql.Tx) error {
		return rows(ctx, tx, func(r *sql.Rows) error {
			var key, body string
			var notBefore int64
			if err := r.Scan(&key, &notBefore, &body); err != nil {
				return err
			}
			m, err := decodeMessage(key, notBefore, body)
			out = append(out, m)
			return err
		}, `SELECT key, not_before, body FROM outbox WHERE sent = 0 AND not_before <= $1 ORDER BY n LIMIT $2`,
			millis(now), max(limit, 0))
	})
	return out, err
}

// Sent implements Outbox.
func (s *SQL) Sent(ctx context.Context, key, ref string, at time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		var was string
		return one(ctx, tx, "message "+key,
			ask(`UPDATE outbox SET sent = $1, ref = $2 WHERE key = $3 RETURNING key`, max(millis(at), 1), ref, key), &was)
	})
}

// Retry implements Outbox.
func (s *SQL) Retry(ctx context.Context, key string, notBefore time.Time, why string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		var body string
		err := one(ctx, tx, "unsent message "+key, ask(`SELECT body FROM outbox WHERE key = $1 AND sent = 0`, key), &body)
		if err != nil {
			return err
		}
		m, err := decodeMessage(key, 0, body)
		if err != nil {
			return err
		}
		m.Tries++
		m.LastError = why
		_, err = tx.ExecContext(ctx, `UPDATE outbox SET not_before = $1, body = $2 WHERE key = $3`,
			millis(notBefore), string(mustJSON(m)), key)
		return err
	})
}

// Ref implements Outbox.
func (s *SQL) Ref(ctx context.Context, key string) (string, error) {
	var ref string
	err := s.read(ctx, func(tx *sql.Tx) error {
		return one(ctx, tx, "delivered message "+key, ask(`SELECT ref FROM outbox WHERE key = $1 AND sent > 0`, key), &ref)
	})
	return ref, err
}
