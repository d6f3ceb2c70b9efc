package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/store"
)

// place is where a store is: a file that one process holds, or a schema of a
// PostgreSQL server that processes share.
type place struct {
	file string // of SQLite, "" else
	url  string // of PostgreSQL, "" else; it may hold a password: see String
	// beside is how the names of the files begin that this machine keeps for it:
	// mirrors, and the key that tells secrets' values apart.
	beside string
	// made says that the directory of those files is made when it is needed: it is
	// no name that a person may have misspelt.
	made func() error
}

// placeOf reads a store's name: sqlite:PATH or a bare path, or a postgres:// URL.
// Where the files for a server's store are is left to say.
func placeOf(name string) (place, error) {
	kind, path, ok := strings.Cut(name, ":")
	switch {
	case !ok:
		return place{file: name, beside: name}, nil
	case kind == "sqlite" && path == "":
		return place{}, diag.List{usage(fmt.Sprintf("the store %q names no file", name), "write --store sqlite:PATH")}
	case kind == "sqlite":
		return place{file: path, beside: path}, nil
	case strings.HasPrefix(name, "postgres://"), strings.HasPrefix(name, "postgresql://"):
		return place{url: name}, nil
	}
	return place{}, diag.List{usage(fmt.Sprintf("the store %q is of no known kind", kind+":…"), "write --store sqlite:PATH or --store postgres://USER@HOST/DATABASE")}
}

// shared reports whether several processes may be on the store.
func (p place) shared() bool { return p.url != "" }

// String names the store without a password.
func (p place) String() string {
	if !p.shared() {
		return p.file
	}
	u, err := url.Parse(p.url)
	if err != nil {
		return "postgres://…"
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	q := u.Query()
	for _, secret := range []string{"password", "sslpassword", "passfile"} {
		q.Del(secret)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// whole names the store as from anywhere.
func (p place) whole() string {
	if abs, err := filepath.Abs(p.file); err == nil && !p.shared() {
		return abs
	}
	return p.String()
}

// socket is where the process that holds a file's store answers.
func (p place) socket() string { return p.file + ".sock" }

// ready makes the directory of the place's files where it is isobar's to make.
func (p place) ready() error {
	if p.made == nil {
		return nil
	}
	return p.made()
}

// empty reports whether there is no store yet, and one can be made.
func (p place) empty() bool {
	if p.shared() {
		return false
	}
	if _, err := os.Stat(p.file); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	dir, err := os.Stat(filepath.Dir(p.file))
	return p.made != nil || err == nil && dir.IsDir()
}

// open opens the store, and makes it where there is none.
func (p place) open(ctx context.Context) (*store.SQL, error) {
	if p.shared() {
		return store.OpenPostgres(ctx, p.url)
	}
	if err := p.ready(); err != nil {
		return nil, err
	}
	return store.Open(ctx, p.file, time.Now())
}

// holder gives the store's name, which its objects' marks bear. It is made of
// where the store was when it was new, and kept in it: a copy of it elsewhere is
// the same store, and a new one in the place of one that was lost is, too.
func (p place) holder(ctx context.Context, st store.Store) (ledger.Holder, error) {
	at := p.String()
	if !p.shared() {
		host, err := os.Hostname()
		if err != nil {
			return 0, err
		}
		abs, err := filepath.Abs(p.file)
		if err != nil {
			return 0, err
		}
		at = host + " " + machine() + resolved(abs)
	}
	sql, is := st.(*store.SQL)
	if !is { // it is not made yet: then it will be there
		return ledger.HolderOf(at), nil
	}
	kept, err := sql.Agree(ctx, store.HolderName, ledger.HolderOf(at).String())
	if err != nil {
		return 0, err
	}
	return ledger.ParseHolder(kept)
}

// machine is the id that systemd gave this machine when it was set up, and a blank,
// or nothing where there is none (machine-id(5)): hosts may share a name.
func machine() string {
	id, err := os.ReadFile("/etc/machine-id")
	if err != nil || len(bytes.TrimSpace(id)) == 0 {
		return ""
	}
	return string(bytes.TrimSpace(id)) + " "
}

// resolved gives a path without symbolic links, as far as it is there: the same
// before its last directories are made and after.
func resolved(abs string) string {
	if at, err := filepath.EvalSymlinks(abs); err == nil || abs == filepath.Dir(abs) {
		return cmp.Or(at, abs)
	}
	return filepath.Join(resolved(filepath.Dir(abs)), filepath.Base(abs))
}

// lockPatience is how long a daemon that starts waits for a store in use: another
// command may be reading it just then.
const lockPatience = 2 * time.Second

// serverPatience is how long a daemon that starts waits for a server where nobody
// answers: the two may have been started together, or the server just now again.
// Longer than that, its address may be wrong.
const serverPatience = time.Minute

// openToServe opens the store for a daemon, and gives the store's name.
func (p place) openToServe(ctx context.Context, log *slog.Logger) (st *store.SQL, name ledger.Holder, err error) {
	began, told := time.Now(), false
	for {
		st, name, err = p.openNamed(ctx)
		pause := lockPatience / 40
		switch waited := time.Since(began); {
		case errors.Is(err, store.ErrLocked) && waited < lockPatience:
		case store.Passing(err) && waited < serverPatience:
			pause = min(max(pause, waited/4), 5*time.Second)
			if !told {
				f, _ := store.Finding(err)
				log.WarnContext(ctx, "nobody answers at the store's address; it is waited for", "store", p.String(), "error", err,
					"code", string(f.Code), "mend", f.Mend, "for", serverPatience.String())
				told = true
			}
		default:
			return st, name, err
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, 0, err
		}
	}
}

// openNamed opens the store, and gives its name.
func (p place) openNamed(ctx context.Context) (*store.SQL, ledger.Holder, error) {
	st, err := p.open(ctx)
	if err != nil {
		return nil, 0, err
	}
	name, err := p.holder(ctx, st)
	if err != nil {
		return nil, 0, errors.Join(err, st.Close())
	}
	return st, name, nil
}

// tenure is how this process holds the environments of the store.
func (p place) tenure(st store.Leases, ttl time.Duration) (reconcile.Tenure, error) {
	t := reconcile.Tenure{Leases: st, Owner: "local", TTL: ttl, Now: time.Now, Shared: p.shared()}
	if !t.Shared {
		return t, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return t, err
	}
	t.Owner = fmt.Sprintf("%s/%d", host, os.Getpid())
	return t, nil
}

// daemonPlace is where a daemon's store is unless it is told: isobar.db in its
// state directory.
func daemonPlace() (place, error) {
	dir, err := stateDir()
	if err != nil {
		return place{}, err
	}
	file := filepath.Join(dir, "isobar.db")
	return place{file: file, beside: file, made: func() error { return os.MkdirAll(dir, 0o700) }}, nil
}

// sharedBeside puts what a daemon keeps of its own for a shared store into its
// state directory.
func (p place) sharedBeside() (place, error) {
	dir, err := stateDir()
	p.beside, p.made = filepath.Join(dir, "isobar"), func() error { return os.MkdirAll(dir, 0o700) }
	return p, err
}

// stateDir is the directory of a daemon's own files: the first that the service
// manager gives it (systemd.exec(5), StateDirectory=), else the user's for
// state, by the XDG Base Directory Specification.
func stateDir() (string, error) {
	if dirs := filepath.SplitList(os.Getenv("STATE_DIRECTORY")); len(dirs) > 0 {
		return dirs[0], nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "isobar"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return "", errorf(diag.StorePlace, "set HOME, or STATE_DIRECTORY to a directory of the daemon's own; a store is named with --store sqlite:PATH",
			"there is no place for the daemon's state")
	}
	return filepath.Join(home, ".local", "state", "isobar"), nil
}

// claim keeps other daemons away from the files beside a shared store, until
// release: two that fetched into one mirror would damage it. A store's own file
// has its own lock.
func (p place) claim() (release func() error, err error) {
	if !p.shared() {
		return func() error { return nil }, nil
	}
	f, err := flock(p.beside + ".lock")
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errorf(diag.StoreLocked, "give this one a directory of its own: STATE_DIRECTORY=DIR", "another daemon keeps its copies of the repositories in %s", filepath.Dir(p.beside))
	}
	if err != nil {
		return nil, err
	}
	return f.Close, nil
}
