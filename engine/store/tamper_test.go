package store_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"isobar.dev/engine/store"
)

// lived makes a store with rows of every kind that isobar writes, and gives the
// audit rows.
func lived(t *testing.T, path string) []store.AuditRow {
	t.Helper()
	ctx, at := t.Context(), time.UnixMilli(1_800_000_000_000)
	s := openFile(t, path)
	epoch, err := s.Acquire(ctx, "prod", "a", time.Minute, at)
	for i := 0; i < 3 && err == nil; i++ {
		_, err = s.Append(ctx, "prod", int64(2*i), epoch, made("main", fmt.Sprint("t", i)))
	}
	far := made("main", "t9")
	far[0].Address.Env, far[1].Address.Env = "dev", "dev"
	_, other := s.Append(ctx, "dev", 0, 0, far)
	if err := errors.Join(err, other,
		s.PutApproval(ctx, store.Approval{Env: "prod", Digest: "d", By: "ann", At: at, Verdict: store.Approve}),
		s.PutRun(ctx, store.Run{ID: "r", Env: "prod", State: store.Applied, Started: at, Note: "as it is"}),
		s.Audit(ctx, store.AuditEntry{At: at, Kind: "policy", Env: "prod", Body: json.RawMessage(`{"rule":"SG-004"}`)}),
		s.Release(ctx, "prod", "a"),
	); err != nil {
		t.Fatal(err)
	}
	_, told := s.Enqueue(ctx, store.Message{Key: "m"})
	_, heard := s.Deliver(ctx, store.Delivery{Repo: "shop", ID: "d", Event: "pull", Pull: 7, At: at})
	pull := s.PutPull(ctx, store.Pull{Repo: "shop", Number: 7, Open: true, Updated: at, Body: json.RawMessage(`{}`)})
	rows, err := s.AuditRows(ctx, store.AuditFilter{})
	if err := errors.Join(err, told, heard, pull, s.Close()); err != nil {
		t.Fatal(err)
	}
	return rows
}

// cells are the columns that the chain covers.
var cells = map[string][]string{
	"audit_log": {"seq", "at", "kind", "env", "run", "actor", "body", "prev", "hash"},
	"events":    {"env", "seq", "at", "run", "address", "token", "type", "body"},
}

// cell is one value of a table.
type cell struct {
	table, column string
	rowid         int64
}

// flip changes one byte of a cell, and says whether there was one to change.
func flip(t *rapid.T, db *sql.DB, c cell) bool {
	var kind string
	var value []byte
	var number int64
	//nolint:gosec // names of this file's own
	q := fmt.Sprintf("SELECT typeof(%[1]s), CAST(%[1]s AS BLOB), CAST(%[1]s AS INTEGER) FROM %[2]s WHERE rowid = %[3]d", c.column, c.table, c.rowid)
	if err := db.QueryRow(q).Scan(&kind, &value, &number); err != nil {
		t.Fatal(err)
	}
	var to any
	if kind == "integer" {
		to = number ^ 1<<rapid.IntRange(0, 63).Draw(t, "bit")
	} else {
		if len(value) == 0 {
			return false
		}
		at := rapid.IntRange(0, len(value)-1).Draw(t, "byte")
		value[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		to = string(value)
	}
	if _, err := db.Exec(fmt.Sprintf("UPDATE %s SET %s = ? WHERE rowid = %d", c.table, c.column, c.rowid), to); err != nil {
		t.Skip("the database itself refuses it: ", err)
	}
	return true
}

// TestEveryFlippedByteIsFound: whichever byte of whichever row that the chain
// covers is changed, it is found, and the row is named.
func TestEveryFlippedByteIsFound(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	rows := lived(t, path)
	s := openFile(t, path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	if p, err := s.VerifyAudit(t.Context(), rows[2].Hash); err != nil || p.Rows != int64(len(rows)) {
		t.Fatalf("before any change: %+v, %v", p, err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		table := rapid.SampledFrom([]string{"audit_log", "events"}).Draw(rt, "table")
		column := rapid.SampledFrom(cells[table]).Draw(rt, "column")
		var count int64
		if err := db.QueryRow("SELECT COUNT(*) FROM " + table).Scan(&count); err != nil {
			rt.Fatal(err)
		}
		rowid := rapid.Int64Range(1, count).Draw(rt, "row")
		//nolint:gosec // names of this file's own
		if _, err := db.Exec("CREATE TEMP TABLE was AS SELECT rowid AS was_row, * FROM " + table); err != nil {
			rt.Fatal(err)
		}
		defer func() {
			names := strings.Join(cells[table], ", ")
			for _, q := range []string{
				"DELETE FROM " + table, "INSERT INTO " + table + " (rowid, " + names + ") SELECT was_row, " + names + " FROM was", "DROP TABLE was",
			} {
				if _, err := db.Exec(q); err != nil {
					rt.Fatal(err)
				}
			}
		}()
		if !flip(rt, db, cell{table, column, rowid}) {
			return
		}
		_, err := s.VerifyAudit(t.Context(), "")
		if !errors.Is(err, store.ErrTampered) {
			rt.Fatalf("row %d of %s, %s: got %v", rowid, table, column, err)
		}
		if table == "audit_log" && column != "seq" && !strings.Contains(err.Error(), fmt.Sprintf("row %d ", rowid)) {
			rt.Fatalf("row %d of %s, %s: %v", rowid, table, column, err)
		}
	})
	if _, err := s.VerifyAudit(t.Context(), rows[len(rows)-1].Hash); err != nil {
		t.Fatalf("put back: %v", err)
	}
}

// TestRowsCutOffAreTold: without the last rows the rest is a whole log, so
// only a hash that was noted tells.
func TestRowsCutOffAreTold(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	rows := lived(t, path)
	last := rows[len(rows)-1]
	alter(t, path, fmt.Sprintf("DELETE FROM audit_log WHERE seq = %d", last.Seq))
	s := openFile(t, path)
	p, err := s.VerifyAudit(t.Context(), rows[0].Hash)
	if err != nil || p.Last != last.Prev {
		t.Fatalf("got %+v, %v", p, err)
	}
	_, err = s.VerifyAudit(t.Context(), last.Hash)
	if !errors.Is(err, store.ErrTampered) || !strings.Contains(err.Error(), fmt.Sprintf("cut off after row %d (run of prod", last.Seq-1)) {
		t.Fatalf("got %v", err)
	}
}

// TestVerifyHoldsNobodyUp: the log is verified by a connection of its own, so a
// transaction that is under way meanwhile neither waits nor is waited for.
func TestVerifyHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	rows := lived(t, path)
	s := openFile(t, path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `INSERT INTO environments (name, body) VALUES ('x', '{}')`); err != nil {
		t.Fatal(err)
	}
	p, err := s.VerifyAudit(t.Context(), "")
	if err != nil || p.Rows != int64(len(rows)) {
		t.Fatalf("got %+v, %v", p, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
}
