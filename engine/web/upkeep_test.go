package web

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
)

// served gives a client of an API over a store, and the directory of its
// socket.
func served(t *testing.T, records Records) (*Client, string) {
	t.Helper()
	dir := t.TempDir()
	l, err := ListenSocket(filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	api := &API{Records: records, Now: func() time.Time { return time.UnixMilli(2000) }, Spool: filepath.Join(dir, "copying")}
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, api.Handler()) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return NewClient(filepath.Join(dir, "s")), dir
}

// written makes a store with an adoption by a run of ann's.
func written(t *testing.T, path string) *store.SQL {
	t.Helper()
	s, err := store.Open(t.Context(), path, time.UnixMilli(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	a := resource.Address{Env: "prod", Provider: "aws", Kind: "vpc", Name: "main"}
	_, err = s.Append(t.Context(), "prod", 0, 0, []ledger.Event{
		{At: time.UnixMilli(1000), Run: "r", Address: a, Token: "t", Type: ledger.Adopted, Record: &ledger.Record{ID: "vpc-1"}},
	})
	err = errors.Join(err, s.PutRun(t.Context(), store.Run{ID: "r", Env: "prod", Actor: "ann", State: store.Applied, Ended: time.UnixMilli(1500)}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAuditThroughTheSocket(t *testing.T) {
	t.Parallel()
	c, _ := served(t, written(t, filepath.Join(t.TempDir(), "store.db")))
	rows, err := c.AuditLog(t.Context(), store.AuditFilter{Env: "prod", Since: time.UnixMilli(1000)})
	if err != nil || len(rows) != 2 {
		t.Fatalf("got %+v, %v", rows, err)
	}
	if ev := rows[0].Events; len(ev) != 1 || ev[0].What != "adopted" || ev[0].Address != "aws.vpc/main" || rows[1].By != "ann" || rows[1].Events != nil {
		t.Errorf("got %+v", rows)
	}
	if rows, err = c.AuditLog(t.Context(), store.AuditFilter{Since: time.UnixMilli(1001), Limit: 5}); err != nil || len(rows) != 1 || rows[0].Row != 2 {
		t.Errorf("since: %+v, %v", rows, err)
	}
	p, err := c.VerifyAudit(t.Context(), rows[0].Hash)
	if err != nil || p.Rows != 2 || p.Events != 1 || p.Last != rows[0].Hash || !p.Since.Equal(time.UnixMilli(1000)) {
		t.Errorf("got %+v, %v", p, err)
	}
	var refused *Refused
	if _, err = c.VerifyAudit(t.Context(), "none"); !errors.As(err, &refused) || refused.Finding.Code != "STORE-605" || refused.Finding.Mend == "" {
		t.Errorf("got %v", err)
	}
	if i, err := c.Info(t.Context()); err != nil || i.AuditRows != 2 || i.Resources != 1 {
		t.Errorf("got %+v, %v", i, err)
	}
	if err := c.call(t.Context(), "GET", "/api/v1/audit?since=noon", nil, &rows); err == nil || !strings.Contains(err.Error(), "since is a time") {
		t.Errorf("got %v", err)
	}
}

func TestBackupThroughTheSocket(t *testing.T) {
	t.Parallel()
	s := written(t, filepath.Join(t.TempDir(), "store.db"))
	c, dir := served(t, s)
	if err := os.WriteFile(filepath.Join(dir, "copying"), []byte("of a daemon that was killed"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "copy")
	info, err := store.Backup(t.Context(), file, false, func(ctx context.Context, to string) error { return c.Backup(ctx, to, "mei") })
	if err != nil || info.AuditRows != 3 {
		t.Fatalf("got %+v, %v", info, err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", st.Mode(), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "copying")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the daemon kept a copy: %v", err)
	}
	last, err := s.AuditRows(t.Context(), store.AuditFilter{Limit: 1})
	if err != nil || last[0].Kind != "store copied" || last[0].Actor != "mei" || last[0].Hash != info.LastHash {
		t.Errorf("on record is %+v, %v", last, err)
	}
	if err := c.Backup(t.Context(), file+"2", ""); err == nil || !strings.Contains(err.Error(), "it says who asks") {
		t.Errorf("nobody asks: %v", err)
	}
}

func TestBackupOfNoFileIsRefused(t *testing.T) {
	t.Parallel()
	c, dir := served(t, store.NewMemory())
	var refused *Refused
	err := c.Backup(t.Context(), filepath.Join(dir, "copy"), "mei")
	if !errors.As(err, &refused) || refused.Finding.Code != "STORE-611" {
		t.Fatalf("got %v", err)
	}
	if left, err := os.ReadFile(filepath.Join(dir, "copy")); err == nil || bytes.Contains(left, []byte("SQLite")) {
		t.Errorf("something was written: %v", err)
	}
}
