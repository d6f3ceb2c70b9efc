package store

import (
	"context"
	"database/sql"

	"isobar.dev/engine/ledger"
)

// Append implements Ledger.
func (s *SQL) Append(ctx context.Context, env string, expect, epoch int64, evs []ledger.Event) ([]ledger.Event, error) {
	if len(evs) == 0 {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []ledger.Event
	err := s.tx(ctx, func(tx *sql.Tx) error {
		l, err := lease(ctx, tx, env)
		if err != nil {
			return err
		}
		state, err := s.fold(ctx, tx, env)
		if err != nil {
			return err
		}
		if err := admit(l, epoch, state.Seq, expect); err != nil {
			return err
		}
		b, err := newBatch(env, expect, evs)
		if err != nil {
			return err
		}
		delete(s.folds, env) // spoilt until all of it is durable
		touched, err := fold(state, b.events)
		if err != nil {
			return err
		}
		if err := writeEvents(ctx, tx, env, b); err != nil {
			return err
		}
		if err := project(ctx, tx, env, state, touched); err != nil {
			return err
		}
		out = b.out
		s.folds[env] = state
		return audit(ctx, tx, b.audit(env))
	})
	if err != nil {
		if out != nil {
			delete(s.folds, env)
		}
		return nil, err
	}
	return out, nil
}

func writeEvents(ctx context.Context, tx *sql.Tx, env string, b *batch) error {
	st, err := tx.PrepareContext(ctx, `INSERT INTO events (env, seq, at, run, address, token, type, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`)
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	for _, r := range b.rows {
		if _, err := st.ExecContext(ctx, env, r.seq, r.at, r.run, r.address, r.token, r.kind, r.body); err != nil {
			return err
		}
	}
	return nil
}

// project brings the rows of the touched keys up to state.
func project(ctx context.Context, tx *sql.Tx, env string, state *ledger.State, touched map[ledger.Key]bool) error {
	for k := range touched {
		if err := projectEntry(ctx, tx, env, k, state.Entries[k]); err != nil {
			return err
		}
		var err error
		if why, ended := state.Ended[k.Token]; ended {
			err = projectEnded(ctx, tx, endedKey{env, k.Token}, ending{why, state.Undone[k.Token]})
		} else {
			_, err = tx.ExecContext(ctx, `DELETE FROM ended WHERE env = $1 AND token = $2`, env, k.Token)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type endedKey struct{ env, token string }

type ending struct {
	why    string
	undone *ledger.Entry // nil: it was not given up
}

// projectEnded keeps how a token ended; of a create that was given up also where
// it would be.
func projectEnded(ctx context.Context, tx *sql.Tx, k endedKey, how ending) error {
	var address, body string
	if how.undone != nil {
		var err error
		address = how.undone.Address.String()
		if body, err = encodeEntry(how.undone); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO ended (env, token, why, address, body) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (env, token) DO UPDATE SET why = excluded.why, address = excluded.address, body = excluded.body`, k.env, k.token, how.why, address, body)
	return err
}

func projectEntry(ctx context.Context, tx *sql.Tx, env string, k ledger.Key, e *ledger.Entry) error {
	if e == nil {
		_, err := tx.ExecContext(ctx, `DELETE FROM resources WHERE env = $1 AND address = $2 AND token = $3`,
			env, k.Address.String(), k.Token)
		return err
	}
	body, err := encodeEntry(e)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO resources (env, address, token, role, body) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (env, address, token) DO UPDATE SET role = excluded.role, body = excluded.body`,
		env, k.Address.String(), k.Token, string(e.Role), body)
	return err
}

// fold gives the environment's state as the database has it: the kept one where
// it is current, else the one that the projection describes.
func (s *SQL) fold(ctx context.Context, tx *sql.Tx, env string) (*ledger.State, error) {
	var last int64
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM events WHERE env = $1`, env).Scan(&last); err != nil {
		return nil, err
	}
	if kept := s.folds[env]; kept != nil && kept.Seq == last {
		return kept, nil
	}
	var entries []*ledger.Entry
	err := rows(ctx, tx, func(r *sql.Rows) error {
		var address, token, role, body string
		if err := r.Scan(&address, &token, &role, &body); err != nil {
			return err
		}
		e, err := decodeEntry(address, token, role, body)
		entries = append(entries, e)
		return err
	}, `SELECT address, token, role, body FROM resources WHERE env = $1`, env)
	if err != nil {
		return nil, err
	}
	ended, undone := map[string]string{}, []*ledger.Entry(nil)
	err = rows(ctx, tx, func(r *sql.Rows) error {
		var token, why, address, body string
		if err := r.Scan(&token, &why, &address, &body); err != nil {
			return err
		}
		ended[token] = why
		if address == "" {
			return nil
		}
		e, err := decodeEntry(address, token, "", body)
		undone = append(undone, e)
		return err
	}, `SELECT token, why, address, body FROM ended WHERE env = $1`, env)
	if err != nil {
		return nil, err
	}
	state := ledger.Restore(last, entries, ended, undone)
	s.folds[env] = state
	return state, nil
}

// State implements Ledger.
func (s *SQL) State(ctx context.Context, env string) (*ledger.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out *ledger.State
	err := s.read(ctx, func(tx *sql.Tx) error {
		state, err := s.fold(ctx, tx, env)
		if err == nil {
			out = state.Clone()
		}
		return err
	})
	return out, err
}

// Events implements Ledger.
func (s *SQL) Events(ctx context.Context, env string, after int64) ([]ledger.Event, error) {
	var out []ledger.Event
	err := s.read(ctx, func(tx *sql.Tx) error {
		rs, err := eventRows(ctx, tx, ask(`SELECT seq, at, run, address, token, type, body FROM events
WHERE env = $1 AND seq > $2 ORDER BY seq`, env, after))
		for _, r := range rs {
			ev, err := decodeEvent(r)
			if err != nil {
				return err
			}
			out = append(out, ev)
		}
		return err
	})
	return out, err
}

func eventRows(ctx context.Context, tx *sql.Tx, q query) ([]eventRow, error) {
	var out []eventRow
	err := rows(ctx, tx, func(r *sql.Rows) error {
		var e eventRow
		err := r.Scan(&e.seq, &e.at, &e.run, &e.address, &e.token, &e.kind, &e.body)
		out = append(out, e)
		return err
	}, q.text, q.args...)
	return out, err
}
