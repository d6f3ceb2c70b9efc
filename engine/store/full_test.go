package store

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// TestFullStoreStaysReadable limits the database's pages, which gives the same
// result code as a full disk.
func TestFullStoreStaysReadable(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, err := Open(ctx, filepath.Join(t.TempDir(), "store.db"), time.UnixMilli(0))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.db.ExecContext(ctx, `PRAGMA max_page_count = 100`); err != nil {
		t.Fatal(err)
	}
	a := resource.Address{Env: "prod", Provider: "aws", Kind: "vpc", Name: "main"}
	rec := &ledger.Record{ID: "vpc-1", Applied: resource.Map{"x": resource.String(strings.Repeat("x", 10_000))}}
	var seq int64
	for err == nil {
		var got []ledger.Event
		got, err = s.Append(ctx, "prod", seq, 0, []ledger.Event{{Address: a, Token: "t", Type: ledger.Adopted, Record: rec}})
		seq += int64(len(got))
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	if f, ok := Finding(errors.Join(err, err)); !ok || f.Code != "STORE-603" || strings.Count(f.Message, "store.db: ") != 1 {
		t.Fatalf("finding %+v", f)
	}
	evs, err := s.Events(ctx, "prod", 0)
	if err != nil || seq == 0 || int64(len(evs)) != seq {
		t.Fatalf("%d events, %d were acknowledged, %v", len(evs), seq, err)
	}
	state, err := s.State(ctx, "prod")
	if err != nil || state.Seq != seq {
		t.Fatalf("state at %d of %d, %v", state.Seq, seq, err)
	}
	if _, err := s.VerifyAudit(ctx, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.ExecContext(ctx, `PRAGMA max_page_count = 10000`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(ctx, "prod", seq, 0, []ledger.Event{{Address: a, Token: "t", Type: ledger.Adopted, Record: rec}}); err != nil {
		t.Fatalf("after room was made: %v", err)
	}
}
