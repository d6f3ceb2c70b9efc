package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"isobar.dev/engine/store"
)

// lasthash STORE VAR makes the hash of the audit log's last row, which scripts
// see as DIGEST alone, a variable.
func lastHash(ts *testscript.TestScript, _ bool, args []string) {
	st, err := store.Open(context.Background(), ts.MkAbs(args[0]), time.Now())
	ts.Check(err)
	p, err := st.VerifyAudit(context.Background(), "")
	ts.Check(errors.Join(err, st.Close()))
	ts.Setenv(args[1], p.Last)
}

func TestSinceTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                          {},
		"24h":                       now.Add(-24 * time.Hour),
		"90m":                       now.Add(-90 * time.Minute),
		"2026-11-20":                time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC),
		"2026-11-20T12:00:00+02:00": time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC),
	} {
		if got, err := sinceTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"yesterday", "-5h", "24", "2026-13-01"} {
		if got, err := sinceTime(text, now); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
