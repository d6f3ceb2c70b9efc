package store_test

import (
	"context"
	"errors"
	"fmt"
	neturl "net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"isobar.dev/engine/lab/postgres"
	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
)

// The server of all tests of this package; TestMain ends it.
var (
	server     *postgres.Server
	startUp    sync.Once
	startError error
	schemas    atomic.Int64
)

// cluster gives the server, started at its first use.
func cluster(tb testing.TB) *postgres.Server {
	tb.Helper()
	startUp.Do(func() { server, startError = postgres.Start(context.Background()) })
	if startError != nil {
		tb.Fatal(startError)
	}
	return server
}

// emptySchema gives the URL of a new schema, and its name.
func emptySchema(tb testing.TB) (url, name string) {
	tb.Helper()
	name = fmt.Sprintf("store_%d", schemas.Add(1))
	url, err := cluster(tb).Schema(tb.Context(), name)
	if err != nil {
		tb.Fatal(err)
	}
	return url, name
}

// openSchema opens a store; by is whose clock leases go by.
func openSchema(tb testing.TB, url string, by func(*store.SQL)) *store.SQL {
	tb.Helper()
	s, err := store.OpenPostgres(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	by(s)
	return s
}

func serversClock(*store.SQL) {}

func TestPostgres(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		t.Helper()
		url, _ := emptySchema(t)
		return openSchema(t, url, store.CallersClock)
	})
}

// TestMemoryAndPostgresAgree is TestMemoryAndSQLiteAgree for PostgreSQL.
func TestMemoryAndPostgresAgree(t *testing.T) {
	t.Parallel()
	url, name := emptySchema(t)
	rapid.Check(t, func(t *rapid.T) {
		compare(t, func() (*store.SQL, error) {
			s, err := store.OpenPostgres(context.Background(), url)
			if err == nil {
				store.CallersClock(s)
			}
			return s, err
		})
		var tables []string
		for _, table := range []string{
			"environments", "leases", "runs", "events", "resources", "ended", "observations", "evaluations", "approvals", "outbox",
			"audit_log", "heads", "agreements", "pulls", "deliveries",
		} {
			tables = append(tables, name+"."+table)
		}
		if err := server.Exec(context.Background(), "TRUNCATE "+strings.Join(tables, ", ")); err != nil {
			t.Fatal(err)
		}
	})
}

// TestReplicas open one empty schema at once, append by turns and read what
// each other wrote; of those who want a lease, one has it.
func TestReplicas(t *testing.T) {
	t.Parallel()
	url, _ := emptySchema(t)
	const replicas, rounds = 4, 5
	var wg sync.WaitGroup
	stores := make([]*store.SQL, replicas)
	for i := range stores {
		wg.Go(func() { stores[i], _ = store.OpenPostgres(context.Background(), url) })
	}
	wg.Wait()
	for i, s := range stores {
		if s == nil {
			t.Fatalf("replica %d did not open the store", i)
		}
		defer func() { _ = s.Close() }()
	}
	held := make(chan int, replicas)
	for i, s := range stores {
		wg.Go(func() {
			if _, err := s.Acquire(t.Context(), "other", fmt.Sprint("replica-", i), time.Minute, time.Now()); err == nil {
				held <- i
			} else if !errors.Is(err, store.ErrHeld) {
				t.Error(err)
			}
			for round := 0; round < rounds; {
				state, err := s.State(t.Context(), "prod")
				if err == nil {
					_, err = s.Append(t.Context(), "prod", state.Seq, 0, made(fmt.Sprint("v", i), fmt.Sprintf("t%d-%d", i, round)))
				}
				switch {
				case err == nil:
					round++
				case !errors.Is(err, store.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if len(held) != 1 {
		t.Errorf("%d replicas hold the lease", len(held))
	}
	for _, s := range stores {
		checkWhole(t, s, "prod", 2*replicas*rounds)
	}
}

// TestStoppedWriter ends the session of a process that stops within a
// transaction, so that the others go on.
func TestStoppedWriter(t *testing.T) {
	t.Parallel()
	url, _ := emptySchema(t)
	stopped, other := openSchema(t, url, serversClock), openSchema(t, url, serversClock)
	inside := make(chan struct{})
	goOn := make(chan struct{})
	ended := make(chan error)
	go func() {
		ended <- store.Within(t.Context(), stopped, func() {
			close(inside)
			<-goOn
		})
	}()
	<-inside
	if err := other.Audit(t.Context(), store.AuditEntry{Kind: "login", Actor: "ann"}); err != nil {
		t.Error(err)
	}
	close(goOn)
	if err := <-ended; !errors.Is(err, store.ErrAway) {
		t.Errorf("the stopped one is told %v", err)
	}
}

// TestServersClock measures leases by the server, whatever an owner's clock says.
func TestServersClock(t *testing.T) {
	t.Parallel()
	url, _ := emptySchema(t)
	s := openSchema(t, url, serversClock)
	if _, err := s.Acquire(t.Context(), "prod", "fast", time.Hour, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(t.Context(), "prod", "slow", time.Hour, time.Now().Add(24*time.Hour)); !errors.Is(err, store.ErrHeld) {
		t.Fatalf("a clock that is a day ahead took the lease: %v", err)
	}
}

// TestAgree keeps what the first one said.
func TestAgree(t *testing.T) {
	t.Parallel()
	url, _ := emptySchema(t)
	for _, value := range []string{"first", "second"} {
		kept, err := openSchema(t, url, serversClock).Agree(t.Context(), "key", value)
		if err != nil || kept != "first" {
			t.Fatalf("kept %q, %v", kept, err)
		}
	}
}

// TestAwayIsTold for what can't be reached or is no schema, without a password.
func TestAwayIsTold(t *testing.T) {
	t.Parallel()
	real := cluster(t).URL("")
	odd, err := cluster(t).Schema(t.Context(), "Odd \"name'")
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{
		"postgres://ann:hunter2@127.0.0.1:1/none?connect_timeout=1",
		"postgres://ann:hunter2@127.0.0.1:port/none",
		cluster(t).URL("nowhere"), odd,
		strings.Replace(real, "isobar@", "stranger:hunter2@", 1),
		strings.Replace(real, "/postgres", "/none", 1),
	} {
		_, err := store.OpenPostgres(t.Context(), url)
		f, ok := store.Finding(err)
		if !errors.Is(err, store.ErrAway) || !ok || strings.Contains(f.Message, "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

// TestPassing tells a server that is away from one that is not to be had.
func TestPassing(t *testing.T) {
	t.Parallel()
	url, _ := emptySchema(t)
	at := func(change func(*neturl.URL)) string {
		u, err := neturl.Parse(url)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	for name, c := range map[string]struct {
		url     string
		passing bool
	}{
		"nobody":    {at(func(u *neturl.URL) { u.Host = "127.0.0.1:1" }), true},
		"no schema": {at(func(u *neturl.URL) { u.RawQuery = "search_path=none" }), false},
		"database":  {at(func(u *neturl.URL) { u.Path = "/none" }), false},
		"account":   {at(func(u *neturl.URL) { u.User = neturl.User("nobody_here") }), false},
		"garbage":   {"postgres://[", false},
	} {
		_, err := store.OpenPostgres(t.Context(), c.url)
		if !errors.Is(err, store.ErrAway) || store.Passing(err) != c.passing {
			t.Errorf("%s: %v, passing is %v, want %v", name, err, store.Passing(err), c.passing)
		}
	}
	if store.Passing(nil) || store.Passing(store.ErrFull) {
		t.Error("what is no ErrAway passes")
	}
}

// TestPostgresRestored: tables that a dump made anew are told from those that the
// store made, once; a store that is only opened again is not.
func TestPostgresRestored(t *testing.T) {
	t.Parallel()
	url, name := emptySchema(t)
	restored := func(url string) time.Time {
		s := openSchema(t, url, serversClock)
		at, err := s.Restored(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.VerifyAudit(t.Context(), ""); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return at
	}
	for range 2 {
		if at := restored(url); !at.IsZero() {
			t.Fatalf("a new store was restored at %s", at)
		}
	}
	made, again := emptySchema(t)
	tables, err := cluster(t).Ask(t.Context(), "SELECT tablename FROM pg_tables WHERE schemaname = '"+name+"' AND tablename NOT LIKE 'river%'")
	if err != nil || len(tables) < 10 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, row := range tables { // as pg_restore makes them
		from, to := name+"."+row[0], again+"."+row[0]
		if err := cluster(t).Exec(t.Context(), "CREATE TABLE "+to+" (LIKE "+from+" INCLUDING ALL); INSERT INTO "+to+" OVERRIDING SYSTEM VALUE SELECT * FROM "+from); err != nil {
			t.Fatal(err)
		}
	}
	first := restored(made)
	if first.IsZero() {
		t.Fatal("nobody noticed")
	}
	if second := restored(made); !second.Equal(first) {
		t.Errorf("restored at %s, then at %s", first, second)
	}
	if at := restored(url); !at.IsZero() {
		t.Errorf("the one that was dumped was restored at %s", at)
	}
}
