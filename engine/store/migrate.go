package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// tables gives this program's migrations.
func tables() (fs.FS, error) { return fs.Sub(migrations, "migrations") }

// migration brings a database's tables up to the last version in dir, and
// refuses later ones. Each version is one transaction with the note that it was
// reached, so a process that dies meanwhile leaves a whole earlier version, and
// the next one goes on from there.
type migration struct {
	dialect goose.Dialect
	db      *sql.DB
	dir     fs.FS
	// before is called before tables that hold something are changed; on error
	// they stay. It may be nil.
	before func(ctx context.Context, have, want int64) error
}

func (m migration) run(ctx context.Context) error {
	p, err := m.provider()
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return err
	case have > want:
		return newer(have, want)
	case have > 0 && have < want && m.before != nil:
		if err := m.before(ctx, have, want); err != nil {
			return err
		}
	}
	_, err = p.Up(ctx)
	return err
}

func (m migration) provider() (*goose.Provider, error) {
	return goose.NewProvider(m.dialect, m.db, m.dir, goose.WithDisableGlobalRegistry(true))
}

func newer(have, know int64) error {
	return errorf(ErrNewer, "its tables are of version %d, this program knows %d", have, know)
}

// upgrade is a store's way from one version to another.
type upgrade struct {
	path       string
	now        time.Time
	have, want int64
}

// beforeUpgrade leaves a copy of the store beside it and puts on record that it
// is about to be brought up to date.
func beforeUpgrade(ctx context.Context, db *sql.DB, u upgrade) error {
	kept := fmt.Sprintf("%s.before-v%d", u.path, u.have+1)
	partial := kept + ".partial"
	if err := os.Remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := copyInto(ctx, db, partial)
	if err == nil {
		err = place(partial, kept, true)
	}
	if err != nil {
		return fmt.Errorf("no copy could be made before version %d: %w", u.have+1, err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	err = audit(ctx, tx, AuditEntry{
		At: u.now, Kind: "store upgrade", Body: mustJSON(map[string]any{"from": u.have, "to": u.want, "copy": kept}),
	})
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
