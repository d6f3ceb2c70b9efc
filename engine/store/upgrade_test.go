package store_test

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"modernc.org/sqlite"

	"isobar.dev/engine/store"
)

// later are two versions to come: one makes a table anew, with what is in it.
var later = [][]string{
	{
		`CREATE TABLE outbox_new (key TEXT PRIMARY KEY, n BIGINT NOT NULL, not_before BIGINT NOT NULL, sent BIGINT NOT NULL, ref TEXT NOT NULL, body TEXT NOT NULL, lane TEXT NOT NULL DEFAULT '')`,
		`INSERT INTO outbox_new (key, n, not_before, sent, ref, body) SELECT key, n, not_before, sent, ref, body FROM outbox`,
		`DROP TABLE outbox`,
		`ALTER TABLE outbox_new RENAME TO outbox`,
		`CREATE INDEX outbox_due ON outbox (not_before, n) WHERE sent = 0`,
	},
	{
		`ALTER TABLE runs ADD COLUMN lane TEXT NOT NULL DEFAULT ''`,
		`UPDATE runs SET lane = env`,
	},
}

// upgrades are the migrations of a program to come. extra, unless it is "",
// stands before the statement number at, counted over both versions; at the
// end where there are no more.
func upgrades(t testing.TB, extra string, at int) fs.FS {
	t.Helper()
	known, err := store.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	out := fstest.MapFS{}
	names, err := fs.Glob(known, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(known, name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = &fstest.MapFile{Data: data}
	}
	n := 0
	for i, statements := range later {
		var b strings.Builder
		b.WriteString("-- +goose Up\n")
		put := func() {
			if n == at && extra != "" {
				b.WriteString(extra + ";\n")
			}
			n++
		}
		for _, s := range statements {
			put()
			b.WriteString(s + ";\n")
		}
		put()
		out[fmt.Sprintf("%05d_later.sql", len(names)+i+1)] = &fstest.MapFile{Data: []byte(b.String())}
	}
	return out
}

// places is where a statement may be put: before each one, and at each
// version's end.
func places() int {
	n := 0
	for _, s := range later {
		n += len(s) + 1
	}
	return n
}

// current is the version of this program's tables.
func current(t *testing.T) int {
	t.Helper()
	dir, err := store.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(dir, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// checkLived fails unless a store holds all that lived wrote, and no row that
// it should not.
func checkLived(t *testing.T, s *store.SQL, rows []store.AuditRow) {
	t.Helper()
	checkWhole(t, s, "prod", 6)
	checkWhole(t, s, "dev", 2)
	got, err := s.AuditRows(t.Context(), store.AuditFilter{})
	if err != nil || len(got) < len(rows) || got[len(rows)-1].Hash != rows[len(rows)-1].Hash {
		t.Fatalf("%d of %d audit rows, %v", len(got), len(rows), err)
	}
	if r, err := s.Run(t.Context(), "r"); err != nil || r.Note != "as it is" {
		t.Fatalf("run %+v, %v", r, err)
	}
	due, err := s.Due(t.Context(), time.UnixMilli(1), 10)
	if err != nil || len(due) != 1 || due[0].Key != "m" {
		t.Fatalf("messages %+v, %v", due, err)
	}
	if p, err := s.Pulls(t.Context(), "shop"); err != nil || len(p) != 1 || p[0].Number != 7 || !p[0].Open || string(p[0].Body) != `{}` {
		t.Fatalf("pulls %+v, %v", p, err)
	}
	if d, err := s.Deliveries(t.Context(), "shop", 0, 9); err != nil || len(d) != 1 || d[0].N != 1 || d[0].ID != "d" {
		t.Fatalf("deliveries %+v, %v", d, err)
	}
}

// TestUpgradeThatFailsLeavesTheStore: at whichever statement an upgrade fails,
// this program still opens the store, and a later one completes it.
func TestUpgradeThatFailsLeavesTheStore(t *testing.T) {
	t.Parallel()
	for at := range places() {
		t.Run(strconv.Itoa(at), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "store.db")
			rows := lived(t, path)
			_, err := store.OpenWith(t.Context(), path, time.UnixMilli(1), upgrades(t, "SELECT 1 FROM nowhere", at))
			if err == nil || !strings.Contains(err.Error(), "nowhere") {
				t.Fatalf("got %v", err)
			}
			afterUpgrade(t, path, at, rows)
		})
	}
}

// TestUpgradeThatIsKilledLeavesTheStore is the same for a process that is
// killed.
func TestUpgradeThatIsKilledLeavesTheStore(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for at := range places() {
		t.Run(strconv.Itoa(at), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "store.db")
			rows := lived(t, path)
			cmd := exec.Command(self, "-test.run=^TestKilledUpgrade$")
			cmd.Env = append(os.Environ(), envPath+"="+path, envPlace+"="+strconv.Itoa(at))
			out, err := cmd.CombinedOutput()
			var ended *exec.ExitError
			if !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("it was not killed: %v\n%s", err, out)
			}
			afterUpgrade(t, path, at, rows)
		})
	}
}

const envPlace = "ISOBAR_STORE_TEST_PLACE"

// TestKilledUpgrade is the process that is killed.
func TestKilledUpgrade(t *testing.T) {
	at, err := strconv.Atoi(os.Getenv(envPlace))
	if err != nil {
		return // not the process that is to be killed
	}
	sqlite.MustRegisterScalarFunction("kill_me", 0, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	})
	_, err = store.OpenWith(t.Context(), os.Getenv(envPath), time.UnixMilli(1), upgrades(t, "SELECT kill_me()", at))
	t.Fatalf("it lives: %v", err)
}

// afterUpgrade checks a store whose upgrade ended at a place.
func afterUpgrade(t *testing.T, path string, at int, rows []store.AuditRow) {
	t.Helper()
	v := current(t)
	kept := fmt.Sprintf("%s.before-v%d", path, v+1)
	if info, err := store.Inspect(t.Context(), kept); err != nil || info.Version != int64(v) || info.AuditRows != int64(len(rows)) {
		t.Fatalf("the copy before the upgrade: %+v, %v", info, err)
	}
	reached := at >= len(later[0])+1 // the first version is in, for good
	s, err := store.Open(t.Context(), path, time.UnixMilli(2))
	switch {
	case reached && !errors.Is(err, store.ErrNewer):
		t.Fatalf("this program opens a store of version %d: %v", v+1, err)
	case !reached && err != nil:
		t.Fatal(err)
	case !reached:
		checkLived(t, s, rows)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err = store.OpenWith(t.Context(), path, time.UnixMilli(3), upgrades(t, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	checkLived(t, s, rows)
	info, err := s.Info(t.Context())
	if err != nil || info.Version != int64(v+2) {
		t.Fatalf("got %+v, %v", info, err)
	}
	if _, err := os.Stat(kept + ".partial"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("half a copy was left: %v", err)
	}
}

// TestUpgradeKeepsACopy: the copy is the store as it was, also where a process
// that was killed left half a one, and a store that is up to date gets none.
func TestUpgradeKeepsACopy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	rows := lived(t, path)
	kept := fmt.Sprintf("%s.before-v%d", path, current(t)+1)
	if err := openFile(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(kept); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a copy though nothing was changed: %v", err)
	}
	write(t, kept+".partial", []byte("half"))
	s, err := store.OpenWith(t.Context(), path, time.UnixMilli(3), upgrades(t, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	checkLived(t, s, rows)
	all, err := s.AuditRows(t.Context(), store.AuditFilter{After: int64(len(rows))})
	if err != nil || len(all) != 1 || all[0].Kind != "store upgrade" || !strings.Contains(string(all[0].Body), `"to":`+strconv.Itoa(current(t)+2)) {
		t.Fatalf("on record is %+v, %v", all, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := store.Restore(t.Context(), store.Restoration{File: kept, Path: path, Now: time.UnixMilli(4)})
	if err != nil || got.Info.Version != int64(current(t)) {
		t.Fatalf("got %+v, %v", got, err)
	}
	checkLived(t, openFile(t, path), rows)
}

// TestNoUpgradeWithoutACopy: where no copy can be made, the tables stay.
func TestNoUpgradeWithoutACopy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	rows := lived(t, path)
	kept := fmt.Sprintf("%s.before-v%d", path, current(t)+1)
	if err := os.MkdirAll(filepath.Join(kept, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := store.OpenWith(t.Context(), path, time.UnixMilli(3), upgrades(t, "", 0))
	if err == nil || !strings.Contains(err.Error(), "no copy could be made before version") {
		t.Fatalf("got %v", err)
	}
	checkLived(t, openFile(t, path), rows)
}
