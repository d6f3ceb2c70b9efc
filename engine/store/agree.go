package store

import (
	"context"
	"database/sql"
)

// HolderName is what the processes on a store agree on as the store's own name, which
// the marks of objects bear.
const HolderName = "holder"

// Agree keeps a value that all processes on the store must share, where none is
// kept yet, and gives the one that is kept.
func (s *SQL) Agree(ctx context.Context, name, value string) (kept string, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO agreements (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, value)
		if err != nil {
			return err
		}
		return one(ctx, tx, name, ask(`SELECT value FROM agreements WHERE name = $1`, name), &kept)
	})
	return kept, err
}
