package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
	"isobar.dev/engine/web"
)

// leaseTTL is how long a one-shot command's lease holds without renewal, as a
// daemon's does by default.
const leaseTTL = 6 * time.Second

// oneShotGC is how much garbage, as a share of what lives, a one-shot command
// lets lie. It is short-lived and often runs beside others in CI, so memory
// counts for more than the tenth of CPU time that this costs
// (docs/reference/performance.md).
const oneShotGC = 50

// localStore is the store that one-shot commands use.
func (a *app) localStore() (place, error) {
	at, err := a.namedStore()
	if err != nil {
		return place{}, err
	}
	home := filepath.Join(a.dir, ".isobar", "store.db")
	switch {
	case at.shared():
		at.beside = home
	case at.file == "" && a.repo != "":
		return place{}, diag.List{usage("with --repo, the ledger has no place of its own", "name it with --store sqlite:PATH")}
	case at.file == "":
		at.file, at.beside = home, home
	}
	if at.beside == home {
		at.made = func() error { return makePrivate(filepath.Dir(home)) }
	}
	return at, nil
}

// namedStore is the store that --store or the server's file names, the zero place
// where neither does.
func (a *app) namedStore() (place, error) {
	if a.store != "" {
		return placeOf(a.store)
	}
	s, err := a.server()
	if err != nil || s.Store == "" {
		return place{}, err
	}
	return s.place()
}

// openStore opens the store to work with. Where there is none it is made once
// something is to stay in it: see keep.
func (a *app) openStore(ctx context.Context, at place) (store.Store, error) {
	open := func(ctx context.Context) (*store.SQL, error) {
		st, err := at.open(ctx)
		if errors.Is(err, store.ErrLocked) {
			f, _ := store.Finding(err)
			f.Mend = "ask it with isobar status, runs or approve, let it do the work, or stop it first"
			return nil, diag.List{f}
		}
		if err != nil {
			return nil, err
		}
		if _, err := at.holder(ctx, st); err != nil { // a new one has its name from the start
			return nil, errors.Join(err, st.Close())
		}
		return st, nil
	}
	if at.empty() {
		return store.Defer(open), nil
	}
	return open(ctx)
}

// keep makes the store where there is none: what comes next is to stay.
func keep(ctx context.Context, o *reconcile.Once) error {
	if later, is := o.Store.(*store.Deferred); is && ctx.Err() == nil {
		return later.Keep(ctx)
	}
	return nil
}

// makePrivate makes the directory of the local store.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ignore := filepath.Join(dir, ".gitignore")
	if _, err := os.Stat(ignore); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(ignore, []byte("*\n"), 0o600)
}

// once opens the store and wires what one-shot runs need.
func (a *app) once(ctx context.Context) (*reconcile.Once, error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(oneShotGC)
	}
	at, err := a.localStore()
	if err != nil {
		return nil, err
	}
	st, err := a.openStore(ctx, at)
	if err != nil {
		return nil, err
	}
	tenure, err := at.tenure(st, leaseTTL)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	holder, err := at.holder(ctx, st)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	runner, err := newRunner(st, holder, nil, keeper(ctx, at, st, ownAllowance()))
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	server, err := a.server()
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	runner.Sessions.Profile = server.profile
	return &reconcile.Once{Runner: runner, Store: st, NewID: newID, Tenure: tenure}, nil
}

// records is what can be asked of a store, here or through its daemon.
type records interface {
	Environments(ctx context.Context) ([]view.Status, error)
	Served(ctx context.Context) (bool, error)
	Runs(ctx context.Context, env string, limit int) ([]view.RunLine, error)
	Run(ctx context.Context, id string) (web.RunAnswer, error)
	Plan(ctx context.Context, digest string) (view.PlanJSON, error)
	AuditLog(ctx context.Context, f store.AuditFilter) ([]view.AuditLine, error)
	VerifyAudit(ctx context.Context, known string) (store.Proof, error)
	Info(ctx context.Context) (store.Info, error)
	Backup(ctx context.Context, file, by string) error
}

// withRecords calls f with the store's records: from its daemon where one holds
// it, else from the store itself.
func (a *app) withRecords(ctx context.Context, f func(records) error) error {
	at, err := a.localStore()
	if err != nil {
		return err
	}
	if err := at.there(); err != nil {
		return err
	}
	st, err := at.open(ctx)
	if errors.Is(err, store.ErrLocked) {
		return a.throughSocket(f, at.socket(), err)
	}
	if err != nil {
		return err
	}
	return errors.Join(f(shelf{st, at.shared()}), st.Close())
}

// there fails where no store is at a place, and says where one may be.
func (p place) there() error {
	if _, err := os.Stat(p.file); p.shared() || !errors.Is(err, fs.ErrNotExist) {
		return nil // what else is wrong with it is told when it is opened
	}
	mend := "isobar apply makes one; " + cmp.Or(elsewhere(p), "-C DIR names another repository, and --store sqlite:PATH the store of a daemon")
	return errorf(diag.CommandNoStore, mend, "there is no store at %s", p)
}

// elsewhere says how to name the store that a daemon makes untold, where that is
// there and not the one at p; else it is "".
func elsewhere(p place) string {
	at, err := daemonPlace()
	if err != nil || at.file == p.file || at.there() != nil {
		return ""
	}
	return "a daemon's is there: add --store sqlite:" + shellWord(at.file)
}

// throughSocket asks the process that holds the store.
func (a *app) throughSocket(f func(records) error, socket string, held error) error {
	err := f(answering{web.NewClient(socket)})
	if errors.Is(err, web.ErrNoDaemon) {
		return held // by a process that has no socket: another one-shot command
	}
	return notLet(socket, err)
}

// answering is the daemon that answers for its store.
type answering struct{ *web.Client }

// Served implements records.
func (answering) Served(context.Context) (bool, error) { return true, nil }

// notLet makes of a socket's refusal to be opened one that says whose it is.
func notLet(socket string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return store.Foreign(socket, err)
	}
	return err
}

// interrupted is what applying comes to where nobody is at it: the process that
// was ended first.
const (
	interrupted     = "interrupted"
	interruptedNote = "its process ended first; the next apply settles what it had begun"
)

// shelf is a store that is read directly: nobody else holds it, or it is shared.
type shelf struct {
	*store.SQL
	shared bool
}

// idle reports whether no process works on an environment.
func (s shelf) idle(ctx context.Context, env string) bool {
	if !s.shared {
		return true
	}
	l, err := s.Lease(ctx, env)
	return err == nil && l.Owner == ""
}

// Environments implements records.
func (s shelf) Environments(ctx context.Context) ([]view.Status, error) {
	rows, err := s.SQL.Environments(ctx)
	for i := range rows {
		if rows[i].State == string(store.Applying) && s.idle(ctx, rows[i].Name) {
			rows[i].State, rows[i].Note = interrupted, interruptedNote
		}
	}
	return web.Statuses(rows, time.Now()), err
}

// Runs implements records.
func (s shelf) Runs(ctx context.Context, env string, limit int) ([]view.RunLine, error) {
	rows, err := s.SQL.Runs(ctx, store.RunFilter{Env: env, Limit: limit})
	for i := range rows {
		s.lapse(ctx, &rows[i])
	}
	return web.RunLines(ctx, s.SQL, rows, time.Now()), err
}

// Run implements records.
func (s shelf) Run(ctx context.Context, id string) (web.RunAnswer, error) {
	row, err := s.SQL.Run(ctx, id)
	if err != nil {
		return web.RunAnswer{}, err
	}
	if s.lapse(ctx, &row); row.State == interrupted {
		report, err := reconcile.Recorded(ctx, s.SQL, &row)
		if err != nil {
			return web.RunAnswer{}, err
		}
		row.Report = report.JSON()
	}
	return web.RunAnswer{Run: row, Plan: row.Plan, Report: row.Report}, nil
}

// Plan implements records.
func (s shelf) Plan(ctx context.Context, digest string) (view.PlanJSON, error) {
	return web.KeptPlan(ctx, s.SQL, digest)
}

// AuditLog implements records.
func (s shelf) AuditLog(ctx context.Context, f store.AuditFilter) ([]view.AuditLine, error) {
	rows, err := s.AuditRows(ctx, f)
	if err != nil {
		return nil, err
	}
	return web.AuditLines(ctx, s, rows)
}

// Backup implements records.
func (s shelf) Backup(ctx context.Context, file, by string) error {
	if err := s.Audit(ctx, store.AuditEntry{At: time.Now(), Kind: "store copied", Actor: by}); err != nil {
		return err
	}
	return s.Copy(ctx, file)
}

// lapse says of a run under way that it is no longer so.
func (s shelf) lapse(ctx context.Context, run *store.Run) {
	if run.State == store.Applying && s.idle(ctx, run.Env) {
		run.State, run.Note = interrupted, interruptedNote
	}
}
