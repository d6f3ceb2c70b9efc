package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/store"
)

// alter runs statements on a closed store's file.
func alter(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// filled makes a store with six audit rows and ten events.
func filled(t *testing.T, path string) {
	t.Helper()
	s := openFile(t, path)
	for i := range 5 {
		if _, err := s.Append(t.Context(), "prod", int64(2*i), 0, made("main", fmt.Sprint("t", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Audit(t.Context(), store.AuditEntry{Kind: "login", Actor: "ann"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, change, says string }{
		{"a row's actor", `UPDATE audit_log SET actor = 'bob' WHERE seq = 6`, "row 6"},
		{"a row before the first", `UPDATE audit_log SET seq = -6 WHERE seq = 6`, "row 1 is missing"},
		{"text where a number was", `UPDATE audit_log SET at = 'noon' WHERE seq = 3`, "row 3, after row 2 (events of prod, 2027-01-15T08:00:00Z), can't be read"},
		{"an event before the first", `INSERT INTO events SELECT env, -1, at, run, address, token, type, body FROM events WHERE seq = 10`, "event 11 of prod has no row"},
		{"a row's body", `UPDATE audit_log SET body = '{}' WHERE seq = 2`, "row 2"},
		{"a row's hash", `UPDATE audit_log SET hash = 'x' WHERE seq = 3`, "row 3"},
		{"a row removed", `DELETE FROM audit_log WHERE seq = 3`, "row 3 is missing"},
		{"an event's body", `UPDATE events SET body = '{"gone":true}' WHERE seq = 4`, "row 2 (events of prod, 2027-01-15T08:00:00Z): the events 3 to 4 of prod (prod/aws.vpc/main)"},
		{"an event removed", `DELETE FROM events WHERE seq = 5`, "row 3"},
		{"an event added", `INSERT INTO events SELECT env, 11, at, run, address, token, type, body FROM events WHERE seq = 10`, "event 11 of prod has no row"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "store.db")
			filled(t, path)
			alter(t, path, c.change)
			_, err := openFile(t, path).VerifyAudit(t.Context(), "")
			if !errors.Is(err, store.ErrTampered) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want %q", err, c.says)
			}
		})
	}
}

func TestDamagedAndForeignFilesAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, path string)
		want   error
	}{
		{"no database", func(t *testing.T, path string) {
			t.Helper()
			write(t, path, bytes.Repeat([]byte("not a store\n"), 1000))
		}, store.ErrCorrupt},
		{"overwritten pages", func(t *testing.T, path string) {
			t.Helper()
			filled(t, path)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := 100; i < len(b); i++ {
				b[i] = 0xa5
			}
			write(t, path, b)
		}, store.ErrCorrupt},
		{"newer", func(t *testing.T, path string) {
			t.Helper()
			filled(t, path)
			alter(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
		}, store.ErrNewer},
		{"a directory", func(t *testing.T, path string) {
			t.Helper()
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "store.db")
			c.damage(t, path)
			_, err := store.Open(t.Context(), path, time.UnixMilli(0))
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			// A failed open gives the lock up.
			if _, err := store.Open(t.Context(), path, time.UnixMilli(0)); errors.Is(err, store.ErrLocked) {
				t.Fatal("it holds the lock still")
			}
		})
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestMoveIsProjected reads, after a restart, what a move changed in entries
// other than its own.
func TestMoveIsProjected(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := openFile(t, path)
	from := vpc("a")
	refers := ledger.Record{ID: "2", Deps: []ledger.Dep{{Address: from, Token: "1"}}}
	_, err := s.Append(t.Context(), "prod", 0, 0, []ledger.Event{
		{Address: from, Token: "1", Type: ledger.Adopted, Record: &ledger.Record{ID: "1"}},
		{Address: vpc("b"), Token: "2", Type: ledger.Adopted, Record: &refers},
		{Address: vpc("b"), Token: "2", Type: ledger.Intended, Intent: &ledger.Intent{Op: ledger.Update, Record: refers}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Append(t.Context(), "prod", 3, 0, []ledger.Event{{Address: vpc("c"), Token: "1", Type: ledger.Moved, From: &from}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkWhole(t, openFile(t, path), "prod", 4)
}

func TestReopenedStoreHoldsEverything(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	filled(t, path)
	s := openFile(t, path)
	checkWhole(t, s, "prod", 10)
	if _, err := s.Append(t.Context(), "prod", 10, 0, made("main", "t9")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the store: %v", info.Mode())
	}
}
