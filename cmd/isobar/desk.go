package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/store"
	"isobar.dev/engine/web"
)

// desk takes what people tell daemons.
type desk interface {
	Verdict(ctx context.Context, env, digest, by string, v store.Verdict) (web.VerdictAnswer, error)
	Refresh(ctx context.Context, env string, lookups []string) error
	Say(ctx context.Context, w reconcile.Word) error
	Resume(ctx context.Context, env string, fields []string, by string) error
	Cancel(ctx context.Context, what, by string) (web.CancelAnswer, error)
}

// withDesk calls f with the daemon that holds a file's store, or with the store
// that daemons share. mend says what to do where no daemon answers.
func (a *app) withDesk(ctx context.Context, mend string, f func(desk) error) error {
	at, err := a.localStore()
	if err != nil {
		return err
	}
	if !at.shared() {
		err := f(web.NewClient(at.socket()))
		if errors.Is(err, web.ErrNoDaemon) {
			return errorf(diag.CommandDaemon, cmp.Or(elsewhere(at), mend), "no isobar daemon answers at %s", at.socket())
		}
		return notLet(at.socket(), err)
	}
	st, err := at.open(ctx)
	if err != nil {
		return err
	}
	err = serveDesk(st, f)
	return errors.Join(err, st.Close())
}

// refusal makes a finding of what a desk refused, about what is named, if
// anything. That no daemon answers, or that its socket may not be opened, stays
// as it is: withDesk has the words for those.
func refusal(err error, code diag.Code, about, mend string) error {
	if err == nil || errors.Is(err, web.ErrNoDaemon) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	if about != "" {
		about += ": "
	}
	return errorf(code, mend, "%s%v", about, err)
}

// serveDesk calls f with a store that daemons share: what is left there they
// find, whichever comes first.
func serveDesk(st *store.SQL, f func(desk) error) error {
	quiet := slog.New(slog.DiscardHandler)
	inbox, err := st.Queue(quiet)
	if err != nil {
		return err
	}
	cat, err := catalogue()
	if err != nil {
		return err
	}
	return f(counter{&reconcile.Daemon{
		Store: st, Inbox: inbox, Log: quiet, Runner: &reconcile.Runner{Ledger: st, Catalogue: cat, Now: time.Now},
	}})
}

// counter is a desk at the store itself: a daemon that takes orders and does not
// run.
type counter struct{ *reconcile.Daemon }

// Verdict implements desk.
func (c counter) Verdict(ctx context.Context, env, digest, by string, v store.Verdict) (web.VerdictAnswer, error) {
	row, err := c.Daemon.Verdict(ctx, env, digest, by, v)
	return web.VerdictAnswer{Env: row.Name, Digest: row.PlanDigest}, err
}

// Cancel implements desk.
func (c counter) Cancel(ctx context.Context, what, by string) (web.CancelAnswer, error) {
	run, word, err := c.Daemon.Cancel(ctx, what, by)
	return web.Cancelling(run, word), err
}
