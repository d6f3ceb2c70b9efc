package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"isobar.dev/engine/diag"
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
}

// placeOf reads a store's name: sqlite:PATH or a bare path, or a postgres:// URL.
// Files for a server's store begin with beside.
func placeOf(name, beside string) (place, error) {
	kind, path, ok := strings.Cut(name, ":")
	switch {
	case !ok:
		return place{file: name, beside: name}, nil
	case kind == "sqlite" && path != "":
		return place{file: path, beside: path}, nil
	case strings.HasPrefix(name, "postgres://"), strings.HasPrefix(name, "postgresql://"):
		return place{url: name, beside: beside}, nil
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

// socket is where the process that holds a file's store answers.
func (p place) socket() string { return p.file + ".sock" }

// open opens the store, and makes it where there is none.
func (p place) open(ctx context.Context) (*store.SQL, error) {
	if p.shared() {
		return store.OpenPostgres(ctx, p.url)
	}
	return store.Open(ctx, p.file, time.Now())
}

// lockPatience is how long a daemon that starts waits for a store in use: another
// command may be reading it just then.
const lockPatience = 2 * time.Second

// openToServe opens the store for a daemon.
func (p place) openToServe(ctx context.Context) (*store.SQL, error) {
	for until := time.Now().Add(lockPatience); ; {
		st, err := p.open(ctx)
		if !errors.Is(err, store.ErrLocked) || time.Now().After(until) {
			return st, err
		}
		if err := sleep(ctx, lockPatience/40); err != nil {
			return nil, err
		}
	}
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

// stateDir is where a daemon keeps what is its own: what the service manager
// gives it, else the working directory.
func stateDir(name string) string { return filepath.Join(os.Getenv("STATE_DIRECTORY"), name) }
