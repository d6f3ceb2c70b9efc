package store

import (
	"context"
	"database/sql"
)

// PutPull implements Pulls.
func (s *SQL) PutPull(ctx context.Context, p Pull) error {
	if err := p.check(); err != nil {
		return err
	}
	open := 0
	if p.Open {
		open = 1
	}
	return s.exec(ctx, `INSERT INTO pulls (repo, number, open, updated, body) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (repo, number) DO UPDATE SET open = excluded.open, updated = excluded.updated, body = excluded.body`,
		p.Repo, p.Number, open, millis(p.Updated), string(p.Body))
}

// Pulls implements Pulls.
func (s *SQL) Pulls(ctx context.Context, repo string) (out []Pull, err error) {
	err = s.read(ctx, func(tx *sql.Tx) error {
		out = nil
		return rows(ctx, tx, func(r *sql.Rows) error {
			p := Pull{Repo: repo}
			var open, updated int64
			var body string
			err := r.Scan(&p.Number, &open, &updated, &body)
			p.Open, p.Updated, p.Body = open != 0, fromMillis(updated), raw(body)
			out = append(out, p)
			return err
		}, `SELECT number, open, updated, body FROM pulls WHERE repo = $1 ORDER BY number`, repo)
	})
	return out, err
}

// Deliver implements Pulls. Writers take turns until they have committed, so that
// whoever has read one number misses none below it.
func (s *SQL) Deliver(ctx context.Context, d Delivery) (added bool, err error) {
	d = d.normal()
	if err := d.check(); err != nil {
		return false, err
	}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO deliveries (n, repo, id, event, pull, ref, at)
VALUES ((SELECT COALESCE(MAX(n), 0) + 1 FROM deliveries), $1, $2, $3, $4, $5, $6) ON CONFLICT (repo, id) DO NOTHING`,
			d.Repo, d.ID, d.Event, d.Pull, d.Ref, millis(d.At))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		added = n > 0
		return err
	})
	return added && err == nil, err
}

// Deliveries implements Pulls.
func (s *SQL) Deliveries(ctx context.Context, repo string, after int64, limit int) (out []Delivery, err error) {
	err = s.read(ctx, func(tx *sql.Tx) error {
		out = nil
		return rows(ctx, tx, func(r *sql.Rows) error {
			d := Delivery{Repo: repo}
			var at int64
			err := r.Scan(&d.N, &d.ID, &d.Event, &d.Pull, &d.Ref, &at)
			d.At = fromMillis(at)
			out = append(out, d)
			return err
		}, `SELECT n, id, event, pull, ref, at FROM deliveries WHERE repo = $1 AND n > $2 ORDER BY n LIMIT $3`, repo, after, max(limit, 0))
	})
	return out, err
}

func (p *pruning) pulls(ctx context.Context) (out [][]any, err error) {
	err = rows(ctx, p.tx, func(r *sql.Rows) error {
		var repo string
		var number int64
		err := r.Scan(&repo, &number)
		out = append(out, []any{repo, number})
		return err
	}, `SELECT repo, number FROM pulls WHERE open = 0 AND updated < $1 ORDER BY updated, repo, number LIMIT $2`, millis(p.keep.Since), p.limit)
	return out, err
}

func (p *pruning) deliveries(ctx context.Context) (out [][]any, err error) {
	err = rows(ctx, p.tx, func(r *sql.Rows) error {
		var n int64
		err := r.Scan(&n)
		out = append(out, []any{n})
		return err
	}, `SELECT n FROM deliveries WHERE at < $1 AND n < (SELECT MAX(n) FROM deliveries) ORDER BY n LIMIT $2`, millis(p.keep.Told), p.limit)
	return out, err
}
