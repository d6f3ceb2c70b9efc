package store

import (
	"context"
	"database/sql"
	"io/fs"
	"time"
)

// OpenWith is Open with other migrations, for tests of upgrades.
func OpenWith(ctx context.Context, path string, now time.Time, dir fs.FS) (*SQL, error) {
	return open(ctx, path, now, dir)
}

// Migrations are this program's.
func Migrations() (fs.FS, error) { return tables() }

// RestoreUntil does the first n steps of a restoration and no more, as a
// process that is killed would; more says whether there are further ones.
func RestoreUntil(ctx context.Context, r Restoration, n int) (more bool, err error) {
	w := &restoring{Restoration: r, fresh: r.Path + ".restoring"}
	steps := w.steps()
	for _, step := range steps[:min(n, len(steps))] {
		if err := step(ctx); err != nil {
			return false, err
		}
	}
	return n < len(steps), nil
}

// CallersClock makes a PostgreSQL store measure leases by the time it is given,
// as the other back ends do.
func CallersClock(s *SQL) {
	s.pg.clock = func(_ context.Context, _ *sql.Tx, now time.Time) (time.Time, error) { return now, nil }
}

// Within runs do in the middle of a writing transaction.
func Within(ctx context.Context, s *SQL, do func()) error {
	return s.tx(ctx, func(*sql.Tx) error { do(); return nil })
}
