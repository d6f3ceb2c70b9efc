package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// PutEnvironment implements Environments.
func (s *SQL) PutEnvironment(ctx context.Context, e Environment) error {
	if e.Name == "" {
		return errorf(ErrRefused, "an environment wants a name")
	}
	if err := check("environment "+e.Name, e.Cycle, e.Flaps); err != nil {
		return err
	}
	body, err := json.Marshal(e.normal())
	if err != nil {
		return wrap(ErrRefused, err)
	}
	return s.exec(ctx, `INSERT INTO environments (name, body) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET body = excluded.body`, e.Name, string(body))
}

// Environment implements Environments.
func (s *SQL) Environment(ctx context.Context, name string) (Environment, error) {
	var body string
	err := s.read(ctx, func(tx *sql.Tx) error {
		return one(ctx, tx, "environment "+name, ask(`SELECT body FROM environments WHERE name = $1`, name), &body)
	})
	if err != nil {
		return Environment{}, err
	}
	return decodeEnvironment(name, body)
}

func decodeEnvironment(name, body string) (Environment, error) {
	var e Environment
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return e, errorf(ErrCorrupt, "environment %s: %v", name, err)
	}
	return e, nil
}

// Environments implements Environments.
func (s *SQL) Environments(ctx context.Context) ([]Environment, error) {
	var out []Environment
	err := s.read(ctx, func(tx *sql.Tx) error {
		return rows(ctx, tx, func(r *sql.Rows) error {
			var name, body string
			if err := r.Scan(&name, &body); err != nil {
				return err
			}
			e, err := decodeEnvironment(name, body)
			out = append(out, e)
			return err
		}, `SELECT name, body FROM environments`)
	})
	// Here, since how a database sorts text is its own affair.
	slices.SortFunc(out, func(a, b Environment) int { return cmp.Compare(a.Name, b.Name) })
	return out, err
}

// PutRun implements Runs.
func (s *SQL) PutRun(ctx context.Context, r Run) error {
	if err := r.check(); err != nil {
		return err
	}
	fence := r.Fence
	r = r.normal()
	body, err := json.Marshal(r)
	if err != nil {
		return wrap(ErrRefused, err)
	}
	return s.tx(ctx, func(tx *sql.Tx) error {
		if fence != 0 {
			l, err := lease(ctx, tx, r.Env)
			if err == nil {
				err = within(l, fence)
			}
			if err != nil {
				return err
			}
		}
		was, err := runState(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO runs (id, env, started, body, plan, report) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET env = excluded.env, started = excluded.started, body = excluded.body,
plan = excluded.plan, report = excluded.report`,
			r.ID, r.Env, millis(r.Started), string(body), string(r.Plan), string(r.Report))
		if err != nil || !audited(was, r.State) {
			return err
		}
		return audit(ctx, tx, runEntry(r))
	})
}

// runState is the state that a run is kept in, "" where it is not kept yet.
func runState(ctx context.Context, tx *sql.Tx, id string) (RunState, error) {
	var body string
	err := one(ctx, tx, "run "+id, ask(`SELECT body FROM runs WHERE id = $1`, id), &body)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	r, err := decodeRun(id, body)
	return r.State, err
}

// Run implements Runs.
func (s *SQL) Run(ctx context.Context, id string) (Run, error) {
	var out Run
	err := s.read(ctx, func(tx *sql.Tx) error {
		var ids []string
		err := rows(ctx, tx, func(r *sql.Rows) error {
			var found string
			err := r.Scan(&found)
			ids = append(ids, found)
			return err
		}, `SELECT id FROM runs WHERE substr(id, 1, $1) = $2 ORDER BY id`, len(id), id)
		if err != nil {
			return err
		}
		if id, err = oneRun(id, ids); err != nil {
			return err
		}
		var body, plan, report string
		err = one(ctx, tx, "run "+id, ask(`SELECT body, plan, report FROM runs WHERE id = $1`, id), &body, &plan, &report)
		if err != nil {
			return err
		}
		if out, err = decodeRun(id, body); err != nil {
			return err
		}
		out.Plan, out.Report = raw(plan), raw(report)
		return nil
	})
	return out, err
}

func decodeRun(id, body string) (Run, error) {
	var r Run
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return r, errorf(ErrCorrupt, "run %s: %v", id, err)
	}
	return r, nil
}

// noLimit stands for no limit in SQL.
const noLimit = 1 << 31

// Runs implements Runs.
func (s *SQL) Runs(ctx context.Context, f RunFilter) ([]Run, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = noLimit
	}
	q := ask(`SELECT id, body FROM runs ORDER BY started DESC, id DESC LIMIT $1`, limit)
	if f.Env != "" {
		q = ask(`SELECT id, body FROM runs WHERE env = $1 ORDER BY started DESC, id DESC LIMIT $2`, f.Env, limit)
	}
	var out []Run
	err := s.read(ctx, func(tx *sql.Tx) error {
		return rows(ctx, tx, func(r *sql.Rows) error {
			var id, body string
			if err := r.Scan(&id, &body); err != nil {
				return err
			}
			run, err := decodeRun(id, body)
			out = append(out, run)
			return err
		}, q.text, q.args...)
	})
	return out, err
}

// PutObservation implements Observations.
func (s *SQL) PutObservation(ctx context.Context, o Observation) error {
	if err := check("observation "+o.Scope, o.Body); err != nil {
		return err
	}
	return s.exec(ctx, `INSERT INTO observations (env, scope, seen, body) VALUES ($1, $2, $3, $4)
ON CONFLICT (env, scope) DO UPDATE SET seen = excluded.seen, body = excluded.body
WHERE observations.seen <= excluded.seen`, o.Env, o.Scope, millis(o.Seen), string(o.Body))
}

// Observation implements Observations.
func (s *SQL) Observation(ctx context.Context, env, scope string) (Observation, error) {
	var seen int64
	var body string
	err := s.read(ctx, func(tx *sql.Tx) error {
		return one(ctx, tx, "observation "+scope+" of "+env,
			ask(`SELECT seen, body FROM observations WHERE env = $1 AND scope = $2`, env, scope), &seen, &body)
	})
	if err != nil {
		return Observation{}, err
	}
	return Observation{Env: env, Scope: scope, Seen: fromMillis(seen), Body: raw(body)}, nil
}

// PutEvaluation implements Evaluations.
func (s *SQL) PutEvaluation(ctx context.Context, digest string, body []byte, at time.Time) error {
	if err := check("evaluation "+digest, body); err != nil {
		return err
	}
	return s.exec(ctx, `INSERT INTO evaluations (digest, at, body) VALUES ($1, $2, $3)
ON CONFLICT (digest) DO UPDATE SET at = excluded.at, body = excluded.body`, digest, millis(at), string(body))
}

// Evaluation implements Evaluations.
func (s *SQL) Evaluation(ctx context.Context, digest string) ([]byte, error) {
	var body string
	err := s.read(ctx, func(tx *sql.Tx) error {
		return one(ctx, tx, "evaluation "+digest, ask(`SELECT body FROM evaluations WHERE digest = $1`, digest), &body)
	})
	return raw(body), err
}
