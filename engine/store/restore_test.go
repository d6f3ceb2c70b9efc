package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"isobar.dev/engine/store"
)

// backup makes a copy of a store in use.
func backup(t *testing.T, s *store.SQL, file string) store.Info {
	t.Helper()
	info, err := store.Backup(t.Context(), file, false, s.Copy)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// only fails unless a directory holds these files and no other.
func only(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("there is %v, want %v", got, want)
	}
}

// TestBackupIsAStore: a copy made while the store is written to is a whole
// store, with all that was acknowledged before it, and the owner's alone.
func TestBackupIsAStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, file := filepath.Join(dir, "store.db"), filepath.Join(dir, "a copy?.db")
	rows := lived(t, path)
	s := openFile(t, path)
	var halt atomic.Bool
	began, wrote := make(chan struct{}), make(chan error, 1)
	go func() {
		err := s.Audit(t.Context(), store.AuditEntry{Kind: "busy"})
		close(began)
		for err == nil && !halt.Load() {
			err = s.Audit(t.Context(), store.AuditEntry{Kind: "busy"})
		}
		wrote <- err
	}()
	<-began
	info := backup(t, s, file)
	halt.Store(true)
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if info.AuditRows <= int64(len(rows)) || info.Events != 8 || info.Environments != 0 || info.LastHash == "" || info.Bytes == 0 {
		t.Errorf("got %+v", info)
	}
	if _, err := s.VerifyAudit(t.Context(), info.LastHash); err != nil {
		t.Errorf("the copy's last row is none of the store's: %v", err)
	}
	st, err := os.Stat(file)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", st.Mode(), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	only(t, dir, "a copy?.db", "store.db", "store.db.lock")
	checkLived(t, openFile(t, file), rows)
}

// TestBackupLeavesWhatIsNoFile: a pipe, a device or a link is not replaced, forced
// or not.
func TestBackupLeavesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	link := filepath.Join(t.TempDir(), "null")
	if err := os.Symlink(os.DevNull, link); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{os.DevNull, link} {
		_, err := store.Backup(t.Context(), at, true, func(context.Context, string) error { t.Error("it was begun"); return nil })
		if !errors.Is(err, store.ErrBackup) || !strings.Contains(err.Error(), "is no regular file, and stays") {
			t.Errorf("%s: %v", at, err)
		}
	}
}

func TestBackupRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, file := filepath.Join(dir, "store.db"), filepath.Join(dir, "copy.db")
	rows := lived(t, path)
	s := openFile(t, path)
	write(t, file, []byte("precious"))
	if _, err := store.Backup(t.Context(), file, false, s.Copy); !errors.Is(err, store.ErrBackup) || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("over a file: %v", err)
	}
	for name, write := range map[string]func(context.Context, string) error{
		"a writer that fails": func(context.Context, string) error { return errors.New("no wire") },
		"half a copy": func(ctx context.Context, to string) error {
			if err := s.Copy(ctx, to); err != nil {
				return err
			}
			return os.Truncate(to, 8192)
		},
	} {
		if _, err := store.Backup(t.Context(), file, true, write); !errors.Is(err, store.ErrBackup) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := store.Backup(t.Context(), filepath.Join(dir, "none", "x"), false, s.Copy); !errors.Is(err, store.ErrBackup) {
		t.Errorf("into no directory: %v", err)
	}
	if b, err := os.ReadFile(file); string(b) != "precious" || err != nil {
		t.Errorf("the file there is now %.20q, %v", b, err)
	}
	write(t, file+".partial", []byte("of a process that was killed"))
	if _, err := store.Backup(t.Context(), file, true, s.Copy); err != nil {
		t.Errorf("over a file, when told: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	only(t, dir, "copy.db", "store.db", "store.db.lock")
	checkLived(t, openFile(t, file), rows)
	mem := store.NewMemory()
	if err := mem.Copy(t.Context(), file); !errors.Is(err, store.ErrBackup) {
		t.Errorf("of memory: %v", err)
	}
}

// moved makes a store, a copy of it, and goes on with the store: it comes to a
// higher epoch, and an environment more.
func moved(t *testing.T, path, file string) (rows []store.AuditRow, epoch int64) {
	t.Helper()
	rows = lived(t, path)
	s := openFile(t, path)
	backup(t, s, file)
	at := time.UnixMilli(1_800_000_001_000)
	for _, who := range []string{"b", "c"} {
		var err error
		if epoch, err = s.Acquire(t.Context(), "prod", who, time.Second, at); err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Minute)
	}
	if _, err := s.Acquire(t.Context(), "new", "c", time.Hour, at); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), "prod", 6, epoch, made("main", "later")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return rows, epoch
}

func TestRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, file := filepath.Join(dir, "store.db"), filepath.Join(dir, "copy")
	rows, epoch := moved(t, path, file)
	at := time.Date(2027, 1, 15, 9, 0, 0, 0, time.UTC)
	got, err := store.Restore(t.Context(), store.Restoration{File: file, Path: path, By: "ann", Now: at})
	if err != nil {
		t.Fatal(err)
	}
	kept := path + ".before-20270115T090000Z"
	if got.Kept != kept || got.Info.AuditRows != int64(len(rows))+1 || got.Info.Events != 8 {
		t.Errorf("got %+v", got)
	}
	only(t, dir, "copy", "store.db", "store.db.before-20270115T090000Z", "store.db.lock")
	s := openFile(t, path)
	checkLived(t, s, rows)
	last, err := s.AuditRows(t.Context(), store.AuditFilter{Limit: 1})
	if err != nil || last[0].Kind != "store restored" || last[0].Actor != "ann" || !strings.Contains(string(last[0].Body), `"replaced":"`+kept) {
		t.Errorf("on record is %+v, %v", last, err)
	}
	if was, err := s.Restored(t.Context()); err != nil || !was.Equal(at) {
		t.Errorf("restored at %s, want %s, %v", was, at, err)
	}
	// Whoever held the replaced store's lease, or the copy's, is fenced.
	for e := range epoch + 1 {
		if _, err := s.Append(t.Context(), "prod", 6, e, made("main", "x")); !errors.Is(err, store.ErrFenced) {
			t.Errorf("epoch %d: %v", e, err)
		}
	}
	for env, above := range map[string]int64{"prod": epoch, "new": 1} {
		if l, err := s.Lease(t.Context(), env); err != nil || l.Owner != "" || l.Epoch <= above {
			t.Errorf("the lease of %s: %+v, %v", env, l, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	old := openFile(t, kept)
	checkWhole(t, old, "prod", 8)
	if was, err := old.Restored(t.Context()); err != nil || !was.IsZero() {
		t.Errorf("the store that was replaced was restored at %s, %v", was, err)
	}
	// A second one within a second keeps both.
	if got, err = store.Restore(t.Context(), store.Restoration{File: file, Path: path, Now: at}); err != nil || got.Kept != kept+"-2" {
		t.Errorf("again: %+v, %v", got, err)
	}
}

// TestRestoreAtEveryStep: wherever a restoration is killed, the store is the
// old or the new one, whole, and it can be made again.
func TestRestoreAtEveryStep(t *testing.T) {
	t.Parallel()
	for n, more := 0, true; more; n++ {
		dir := t.TempDir()
		path, file := filepath.Join(dir, "store.db"), filepath.Join(dir, "copy")
		rows, _ := moved(t, path, file)
		r := store.Restoration{File: file, Path: path, Now: time.UnixMilli(1_800_000_600_000)}
		var err error
		if more, err = store.RestoreUntil(t.Context(), r, n); err != nil {
			t.Fatal(err)
		}
		s := openFile(t, path)
		events := int64(8)
		if !more {
			events = 6
		}
		checkWhole(t, s, "prod", events)
		if evs, err := s.Events(t.Context(), "prod", 0); err != nil || int64(len(evs)) != events {
			t.Errorf("after %d steps: %d events, %v", n, len(evs), err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Restore(t.Context(), r); err != nil {
			t.Fatalf("after %d steps: %v", n, err)
		}
		s = openFile(t, path)
		checkLived(t, s, rows)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path + ".restoring"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after %d steps something is left: %v", n, err)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, file string)
		says   string
	}{
		{"none", func(t *testing.T, file string) { t.Helper(); remove(t, file) }, "no such file"},
		{"no database", func(t *testing.T, file string) { t.Helper(); write(t, file, []byte(strings.Repeat("x", 5000))) }, "the store is damaged"},
		{"nothing in it", func(t *testing.T, file string) { t.Helper(); write(t, file, nil) }, "no store of isobar's"},
		{"cut off", func(t *testing.T, file string) {
			t.Helper()
			if err := os.Truncate(file, 20_000); err != nil {
				t.Fatal(err)
			}
		}, "the store is damaged"},
		{"newer", func(t *testing.T, file string) {
			t.Helper()
			alter(t, file, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
		}, "written by a newer isobar"},
		{"altered", func(t *testing.T, file string) {
			t.Helper()
			alter(t, file, `UPDATE audit_log SET actor = 'bob' WHERE seq = 2`)
		}, "row 2 ("},
		{"in use", func(t *testing.T, file string) { t.Helper(); openFile(t, file) }, "another process holds the store"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, file := filepath.Join(dir, "store.db"), filepath.Join(dir, "copy")
			moved(t, path, file)
			c.damage(t, file)
			_, err := store.Restore(t.Context(), store.Restoration{File: file, Path: path, Now: time.UnixMilli(1)})
			if !errors.Is(err, store.ErrRestore) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v", err)
			}
			if f, ok := store.Finding(err); !ok || f.Code != "STORE-612" || f.Mend == "" {
				t.Errorf("finding %+v", f)
			}
			checkWhole(t, openFile(t, path), "prod", 8)
			left, err := filepath.Glob(path + ".*before*")
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// TestAlteredStoreIsCopiedAndSaidSo: backups go on where the audit log was
// altered, and a person may take one.
func TestAlteredStoreIsCopiedAndSaidSo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, file := filepath.Join(dir, "store.db"), filepath.Join(dir, "copy")
	rows := lived(t, path)
	alter(t, path, `UPDATE audit_log SET actor = 'bob' WHERE seq = 2`)
	s := openFile(t, path)
	info, err := store.Backup(t.Context(), file, false, s.Copy)
	if !errors.Is(err, store.ErrTampered) || info.AuditRows != int64(len(rows)) {
		t.Fatalf("got %+v, %v", info, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := store.Restore(t.Context(), store.Restoration{File: file, Path: path, Now: time.UnixMilli(1), Altered: true})
	if err != nil || got.Info.AuditRows != int64(len(rows))+1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	last, err := openFile(t, path).AuditRows(t.Context(), store.AuditFilter{Limit: 1})
	if err != nil || !strings.Contains(string(last[0].Body), `"altered":"the audit log was altered: row 2 (`) {
		t.Fatalf("on record is %+v, %v", last, err)
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

func TestRestoreKeepsOutOfAStoreInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, file := filepath.Join(dir, "store.db"), filepath.Join(dir, "copy")
	moved(t, path, file)
	s := openFile(t, path)
	_, err := store.Restore(t.Context(), store.Restoration{File: file, Path: path, Now: time.UnixMilli(1)})
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), "process ") {
		t.Fatalf("got %v", err)
	}
	checkWhole(t, s, "prod", 8)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = store.Restore(t.Context(), store.Restoration{File: path, Path: path, Now: time.UnixMilli(1)})
	if !errors.Is(err, store.ErrRestore) || !strings.Contains(err.Error(), "the store itself") {
		t.Fatalf("got %v", err)
	}
}

// TestRestoreOverRuins: what is to be replaced may be beyond reading, with
// writes of its own that must not get into the new store; or there is nothing.
func TestRestoreOverRuins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, file := filepath.Join(dir, "store.db"), filepath.Join(dir, "copy")
	rows, _ := moved(t, path, file)
	dead := filepath.Join(dir, "dead.db")
	killed(t, dead)
	if err := openFile(t, dead).Close(); err != nil { // brought up to date, so that what follows builds on its file
		t.Fatal(err)
	}
	killed(t, dead)
	wal, err := os.ReadFile(dead + "-wal")
	if err != nil || len(wal) == 0 {
		t.Fatalf("%d bytes, %v", len(wal), err)
	}
	write(t, path, []byte(strings.Repeat("ruins ", 50_000)))
	write(t, path+"-wal", wal)
	write(t, path+"-shm", []byte("x"))
	got, err := store.Restore(t.Context(), store.Restoration{File: file, Path: path, Now: time.UnixMilli(1)})
	if err != nil {
		t.Fatal(err)
	}
	s := openFile(t, path)
	checkLived(t, s, rows)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(got.Kept); err != nil || !strings.Contains(string(b), "ruins ") {
		t.Errorf("the ruins were not kept: %v", err)
	}
	// And the bare files of the killed process are a copy, latest writes and all.
	path = filepath.Join(dir, "fresh.db")
	got, err = store.Restore(t.Context(), store.Restoration{File: dead, Path: path, Now: time.UnixMilli(1)})
	if err != nil || got.Kept != "" || got.Info.Events < 10 {
		t.Fatalf("got %+v, %v", got, err)
	}
	checkWhole(t, openFile(t, path), "prod", 10)
}

// killed lets a process write to a store until it is killed.
func killed(t *testing.T, path string) {
	t.Helper()
	cmd, lines, _ := second(t, "write", path)
	for i := 0; i < 5 && lines.Scan(); i++ {
		continue
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
}

// TestRestoredIsBackedUp: a copy of a store that was restored says so, and when it is
// restored itself the later time counts.
func TestRestoredIsBackedUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, file := filepath.Join(dir, "store.db"), filepath.Join(dir, "copy")
	moved(t, path, file)
	restored := func(from string, at time.Time) *store.SQL {
		if _, err := store.Restore(t.Context(), store.Restoration{File: from, Path: path, Now: at}); err != nil {
			t.Fatal(err)
		}
		s := openFile(t, path)
		if got, err := s.Restored(t.Context()); err != nil || !got.Equal(at) {
			t.Errorf("restored at %s, want %s, %v", got, at, err)
		}
		return s
	}
	first := time.Date(2027, 1, 15, 9, 0, 0, 0, time.UTC)
	s, later := restored(file, first), filepath.Join(dir, "later")
	if err := errors.Join(s.Copy(t.Context(), later), s.Close()); err != nil {
		t.Fatal(err)
	}
	if got, err := openFile(t, later).Restored(t.Context()); err != nil || !got.Equal(first) {
		t.Errorf("the copy says %s, want %s, %v", got, first, err)
	}
}

// TestMemorySetBack: a store in memory is told.
func TestMemorySetBack(t *testing.T) {
	t.Parallel()
	m, at := store.NewMemory(), time.Date(2027, 1, 15, 9, 0, 0, 0, time.UTC)
	if err := m.SetBack(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	got, err := m.Reopen().Restored(t.Context())
	if err != nil || !got.Equal(at) {
		t.Errorf("restored at %s, want %s, %v", got, at, err)
	}
}
