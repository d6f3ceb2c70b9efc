package store

import (
	"context"
	"database/sql"
	"errors"
)

func head(ctx context.Context, tx *sql.Tx, repo string) (commit string, gen int64, err error) {
	err = one(ctx, tx, "head of "+repo, ask(`SELECT commit_hash, gen FROM heads WHERE repo = $1`, repo), &commit, &gen)
	if errors.Is(err, ErrNotFound) {
		return "", 0, nil
	}
	return commit, gen, err
}

// Head implements Heads.
func (s *SQL) Head(ctx context.Context, repo string) (commit string, gen int64, err error) {
	err = s.read(ctx, func(tx *sql.Tx) (err error) {
		commit, gen, err = head(ctx, tx, repo)
		return err
	})
	return commit, gen, err
}

// PutHead implements Heads.
func (s *SQL) PutHead(ctx context.Context, repo, commit string, gen int64) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		_, have, err := head(ctx, tx, repo)
		if err == nil {
			err = succeeds(repo, have, gen)
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO heads (repo, commit_hash, gen) VALUES ($1, $2, $3)
ON CONFLICT (repo) DO UPDATE SET commit_hash = excluded.commit_hash, gen = excluded.gen`, repo, commit, gen+1)
		return err
	})
}
