package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
)

func openMemory(t *testing.T) store.Store {
	t.Helper()
	s := store.NewMemory()
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func openFile(tb testing.TB, path string) *store.SQL {
	tb.Helper()
	s, err := store.Open(tb.Context(), path, time.UnixMilli(1_800_000_000_000))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, openMemory)
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		t.Helper()
		return openFile(t, filepath.Join(t.TempDir(), "odd name?#%20.db"))
	})
}
