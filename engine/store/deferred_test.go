package store_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"isobar.dev/engine/store"
)

// TestDeferred: nothing is on disk before Keep, and then what was evaluated
// and what was told of environments is, beside what another process wrote meanwhile.
func TestDeferred(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "isobar.db")
	ctx, now := t.Context(), time.Unix(1_700_000_000, 0).UTC()
	opens := 0
	d := store.Defer(func(ctx context.Context) (*store.SQL, error) {
		opens++
		return store.Open(ctx, path, now)
	})
	for _, name := range []string{"prod", "test"} {
		if err := d.PutEnvironment(ctx, store.Environment{Name: name, Note: "ours"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.PutEvaluation(ctx, "read", []byte(`{"name":"prod"}`), now); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("there is a file: %v", err)
	}
	other, err := store.Open(ctx, path, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.PutEnvironment(ctx, store.Environment{Name: "prod", Note: "theirs"}); err != nil {
		t.Fatal(err)
	}
	if err := d.Keep(ctx); !errors.Is(err, store.ErrLocked) {
		t.Fatalf("while another has it: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Keep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for name, note := range map[string]string{"prod": "theirs", "test": "ours"} {
		if got, err := d.Environment(ctx, name); err != nil || got.Note != note {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := d.Evaluation(ctx, "read"); err != nil || string(got) != `{"name":"prod"}` {
		t.Errorf("what was evaluated: %s, %v", got, err)
	}
	if opens != 2 {
		t.Errorf("opened %d times", opens)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Environment(ctx, "prod"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
