package store

import (
	"context"
	"database/sql"
)

// Prune implements Upkeep.
func (s *SQL) Prune(ctx context.Context, k Retention, limit int) (out Pruned, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		p := pruning{tx: tx, keep: k, limit: max(limit, 0)}
		out = Pruned{}
		if err := p.environments(ctx); err != nil {
			return err
		}
		for _, part := range []struct {
			find  func(context.Context) ([][]any, error) // the drop's arguments
			drop  string
			count *int
		}{
			{p.runs, `DELETE FROM runs WHERE id = $1`, &out.Runs},
			{p.messages, `DELETE FROM outbox WHERE key = $1 AND sent > 0`, &out.Messages},
			{p.evaluations, `DELETE FROM evaluations WHERE digest = $1`, &out.Evaluations},
			{p.pulls, `DELETE FROM pulls WHERE repo = $1 AND number = $2`, &out.Pulls},
			{p.deliveries, `DELETE FROM deliveries WHERE n = $1`, &out.Deliveries},
		} {
			old, err := part.find(ctx)
			if err != nil {
				return err
			}
			for _, key := range old {
				if _, err := tx.ExecContext(ctx, part.drop, key...); err != nil {
					return err
				}
			}
			*part.count = len(old)
		}
		return nil
	})
	if err != nil {
		return Pruned{}, err
	}
	return out, nil
}

// pruning finds what may go, up to a limit of each kind, the oldest first.
type pruning struct {
	tx    *sql.Tx
	keep  Retention
	limit int
	asks  map[string]string // by environment, the digest of the plan that waits
	reads map[string]bool   // the digests of the environments' inputs
}

func (p *pruning) environments(ctx context.Context) error {
	p.asks, p.reads = map[string]string{}, map[string]bool{}
	return rows(ctx, p.tx, func(r *sql.Rows) error {
		var name, body string
		if err := r.Scan(&name, &body); err != nil {
			return err
		}
		e, err := decodeEnvironment(name, body)
		p.asks[name], p.reads[e.Digest] = e.PlanDigest, true
		return err
	}, `SELECT name, body FROM environments`)
}

func (p *pruning) runs(ctx context.Context) (out [][]any, err error) {
	err = rows(ctx, p.tx, func(r *sql.Rows) error {
		var id, env, body string
		var nth int
		if err := r.Scan(&id, &env, &body, &nth); err != nil {
			return err
		}
		run, err := decodeRun(id, body)
		if err == nil && len(out) < p.limit && p.keep.drops(&run, nth, p.asks[env]) {
			out = append(out, []any{id})
		}
		return err
	}, `SELECT id, env, body, nth FROM (SELECT id, env, body, started,
ROW_NUMBER() OVER (PARTITION BY env ORDER BY started DESC, id DESC) AS nth FROM runs) AS numbered
WHERE nth > $1 AND (started < $2 OR nth > $3) ORDER BY started, id LIMIT $4`,
		p.keep.AtLeast, millis(p.keep.Since), p.keep.AtMost, p.limit+slack)
	return out, err
}

func (p *pruning) messages(ctx context.Context) (out [][]any, err error) {
	var old []string
	err = rows(ctx, p.tx, func(r *sql.Rows) error {
		var key string
		err := r.Scan(&key)
		old = append(old, key)
		return err
	}, `SELECT key FROM outbox WHERE sent > 0 AND sent < $1 ORDER BY n LIMIT $2`, millis(p.keep.Since), p.limit+slack)
	if err != nil || len(old) == 0 {
		return nil, err
	}
	stay, err := p.needed(ctx)
	for _, key := range old {
		if err == nil && len(out) < p.limit && stay.drops(key) {
			out = append(out, []any{key})
		}
	}
	return out, err
}

// needed reads what runs and messages are still to come speak of.
func (p *pruning) needed(ctx context.Context) (needed, error) {
	stay := needed{}
	err := rows(ctx, p.tx, func(r *sql.Rows) error {
		var id, body string
		if err := r.Scan(&id, &body); err != nil {
			return err
		}
		run, err := decodeRun(id, body)
		stay.run(&run)
		return err
	}, `SELECT id, body FROM runs`)
	if err != nil {
		return nil, err
	}
	err = rows(ctx, p.tx, func(r *sql.Rows) error {
		var key, body string
		if err := r.Scan(&key, &body); err != nil {
			return err
		}
		m, err := decodeMessage(key, 0, body)
		stay.unsent(&m)
		return err
	}, `SELECT key, body FROM outbox WHERE sent = 0`)
	return stay, err
}

func (p *pruning) evaluations(ctx context.Context) (out [][]any, err error) {
	err = rows(ctx, p.tx, func(r *sql.Rows) error {
		var digest string
		err := r.Scan(&digest)
		if err == nil && len(out) < p.limit && !p.reads[digest] {
			out = append(out, []any{digest})
		}
		return err
	}, `SELECT digest FROM evaluations WHERE at < $1 ORDER BY at, digest LIMIT $2`, millis(p.keep.Since), p.limit+slack)
	return out, err
}
