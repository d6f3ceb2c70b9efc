package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"isobar.dev/engine/lab/postgres"
)

// TestServer keeps what was written when it ends without warning.
func TestServer(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, err := postgres.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	url, err := s.Schema(ctx, "one")
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, "CREATE TABLE words (w TEXT); INSERT INTO words VALUES ('kept')"); err != nil {
		t.Fatal(err)
	}
	s.Down()
	if err := c.Ping(ctx); err == nil {
		t.Fatal("a connection outlived the server")
	}
	if err := s.Up(ctx); err != nil {
		t.Fatal(err)
	}
	if c, err = pgx.Connect(ctx, url); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	var w string
	if err := c.QueryRow(ctx, "SELECT w FROM one.words").Scan(&w); err != nil || w != "kept" {
		t.Fatalf("got %q, %v", w, err)
	}
}

// TestStop ends it and keeps what was written; it may be started again.
func TestStop(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, err := postgres.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Exec(ctx, "CREATE TABLE words (w TEXT, n INT); INSERT INTO words VALUES ('kept', NULL)"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Ask(ctx, "SELECT 1"); err == nil {
			t.Fatal("it still answers")
		}
		if err := s.Up(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Up(ctx); err != nil { // it is up
		t.Fatal(err)
	}
	got, err := s.Ask(ctx, "SELECT w, n FROM words")
	if err != nil || len(got) != 1 || got[0][0] != "kept" || got[0][1] != "" {
		t.Fatalf("%q, %v", got, err)
	}
}
