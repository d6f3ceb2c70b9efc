package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"isobar.dev/engine/forge"
	"isobar.dev/engine/preview"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
)

// desks follow the pull requests of the repositories that have a forge. One stays
// for as long as what the settings say of its repository does. Safe for concurrent
// use.
type desks struct {
	daemon *reconcile.Daemon
	store  *store.SQL
	log    *slog.Logger

	mu   sync.Mutex
	desk map[string]*seated // by repository
}

// seated is a desk, and the settings that it was made by.
type seated struct {
	*preview.Desk

	version string
}

// of gives what follows a repository's pull requests, nil where nothing does. A
// forge that can't be spoken to is told of and tried again with each look: what its
// pull requests hold is kept in the store, and holds meanwhile.
func (ds *desks) of(ctx context.Context, s *settings, r spec.ServerRepo, version string) reconcile.Reviews {
	if ds == nil {
		return nil
	}
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if had := ds.desk[r.Name]; had != nil && had.version == version {
		return had.Desk
	}
	if r.Forge == nil {
		return ds.windingUp(ctx, r, version)
	}
	open := func() (forge.Forge, error) {
		o, err := s.forgeOptions(r)
		if err != nil {
			return nil, err
		}
		return forge.New(o)
	}
	speaker, err := open()
	if err != nil {
		ds.log.WarnContext(ctx, "pull requests are not followed until their forge can be spoken to", "repo", r.Name, "error", err)
		speaker = forge.Later(forge.Kind(r.Forge.Kind), open)
	}
	desk := &preview.Desk{
		Repo: r.Name, Forge: speaker, Daemon: ds.daemon, Store: ds.store, Tenure: ds.daemon.Tenure, Now: time.Now, Log: ds.log,
		Poll: r.Forge.Poll, Forks: r.Forge.Plan, Early: r.Forge.Early,
	}
	return ds.seat(desk, version)
}

// windingUp gives what ends the pins of a repository whose forge was taken out of the
// server's file, nil where there is nothing to end.
func (ds *desks) windingUp(ctx context.Context, r spec.ServerRepo, version string) reconcile.Reviews {
	kept, err := ds.store.Pulls(ctx, r.Name)
	if err == nil && !slices.ContainsFunc(kept, func(p store.Pull) bool { return p.Open }) {
		return nil
	}
	none := forge.Later("", func() (forge.Forge, error) { return nil, errNoForge })
	return ds.seat(&preview.Desk{
		Repo: r.Name, Forge: none, Gone: true, Daemon: ds.daemon, Store: ds.store, Tenure: ds.daemon.Tenure, Now: time.Now, Log: ds.log,
	}, version)
}

var errNoForge = errors.New("the server's file names no forge for the repository")

// seat keeps a desk for as long as its settings stay.
func (ds *desks) seat(desk *preview.Desk, version string) *preview.Desk {
	if ds.desk == nil {
		ds.desk = map[string]*seated{}
	}
	ds.desk[desk.Repo] = &seated{desk, version}
	return desk
}

// ring tells a repository's desk that something was delivered.
func (ds *desks) ring(repo string) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if s := ds.desk[repo]; s != nil {
		s.Ring()
	}
}
