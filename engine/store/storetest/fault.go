package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/store"
)

// ErrCrashed is what a crashed process's calls give.
var ErrCrashed = errors.New("storetest: the process crashed")

// Moment is when a fault strikes.
type Moment int

// The moments.
const (
	Before  Moment = iota // nothing is written, and the process is dead
	After                 // it is durable, but the caller is dead before it hears so
	Refuse                // nothing is written: this write fails with store.ErrFull, the process lives on
	Full                  // as Refuse, and so does every later write: the disk is full
	Unheard               // it is durable, but fails with store.ErrFull, and the process lives on
)

// Fault says at which write to fail, counted from 1, and how. The zero Fault
// never strikes.
type Fault struct {
	Write int
	When  Moment
}

// Faulty is a store that fails at a chosen write. After a crash every call,
// reads too, fails with ErrCrashed, as nothing runs in a dead process; open the
// data again (store.Memory's Reopen) to go on. Safe for concurrent use.
type Faulty struct {
	under store.Store

	mu     sync.Mutex
	fault  Fault
	writes int
	dead   bool
	full   bool
	lost   bool
	died   chan struct{} // closed once dead
	halted chan struct{} // closed by Continue; nil: nothing is held up
}

var _ store.Store = (*Faulty)(nil)

// NewFaulty wraps a store. A simulation first runs with the zero Fault, takes
// Writes, and then runs once for each write and moment.
func NewFaulty(under store.Store, f Fault) *Faulty {
	return &Faulty{under: under, fault: f, died: make(chan struct{})}
}

// Writes counts the writes so far.
func (f *Faulty) Writes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

// Crashed reports whether the fault struck and killed the process.
func (f *Faulty) Crashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

// Dead gives a channel that is closed once the process has crashed.
func (f *Faulty) Dead() <-chan struct{} { return f.died }

// Kill crashes the process now, between two calls.
func (f *Faulty) Kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.die()
}

// die has every later call fail. The lock is held.
func (f *Faulty) die() {
	if !f.dead {
		f.dead = true
		close(f.died)
	}
}

// Stop holds up every call about leases that comes, until Continue, so that they
// run out as those of a process that was sent SIGSTOP. Other calls go on: some are
// made under locks, in which nobody may wait for a clock that testing/synctest has.
func (f *Faulty) Stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.halted == nil {
		f.halted = make(chan struct{})
	}
}

// Continue lets go on what Stop holds up.
func (f *Faulty) Continue() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.halted != nil {
		close(f.halted)
		f.halted = nil
	}
}

// await waits while calls are held up.
func (f *Faulty) await() {
	for {
		f.mu.Lock()
		halted := f.halted
		f.mu.Unlock()
		if halted == nil {
			return
		}
		<-halted
	}
}

// Fill lets every write fail with store.ErrFull from now on, as on a full disk,
// or none any more.
func (f *Faulty) Fill(full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full = full
}

// Lose lets every call, reads too, fail with store.ErrAway from now on, as of a
// server that is away, or none any more.
func (f *Faulty) Lose(lost bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = lost
}

// write makes one write. Writes are made one at a time, so that their count
// is their order.
func (f *Faulty) write(do func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return ErrCrashed
	}
	if f.lost {
		return store.ErrAway
	}
	if f.full {
		return store.ErrFull
	}
	f.writes++
	if f.writes != f.fault.Write {
		return do()
	}
	switch f.fault.When {
	case Refuse:
		return store.ErrFull
	case Full:
		f.full = true
		return store.ErrFull
	case Unheard:
		if err := do(); err != nil {
			return err
		}
		return store.ErrFull
	case After:
		_ = do() // its outcome is never heard
	case Before:
	}
	f.die()
	return ErrCrashed
}

func (f *Faulty) alive() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return ErrCrashed
	}
	if f.lost {
		return store.ErrAway
	}
	return nil
}

func read[T any](f *Faulty, do func() (T, error)) (T, error) {
	if err := f.alive(); err != nil {
		var zero T
		return zero, err
	}
	return do()
}

func written[T any](f *Faulty, do func() (T, error)) (T, error) {
	var out T
	err := f.write(func() (err error) {
		out, err = do()
		return err
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return out, nil
}

// Append implements store.Store.
func (f *Faulty) Append(ctx context.Context, env string, expect, epoch int64, evs []ledger.Event) ([]ledger.Event, error) {
	return written(f, func() ([]ledger.Event, error) { return f.under.Append(ctx, env, expect, epoch, evs) })
}

// Events implements store.Store.
func (f *Faulty) Events(ctx context.Context, env string, after int64) ([]ledger.Event, error) {
	return read(f, func() ([]ledger.Event, error) { return f.under.Events(ctx, env, after) })
}

// State implements store.Store.
func (f *Faulty) State(ctx context.Context, env string) (*ledger.State, error) {
	return read(f, func() (*ledger.State, error) { return f.under.State(ctx, env) })
}

// PutEnvironment implements store.Store.
func (f *Faulty) PutEnvironment(ctx context.Context, e store.Environment) error {
	return f.write(func() error { return f.under.PutEnvironment(ctx, e) })
}

// Environment implements store.Store.
func (f *Faulty) Environment(ctx context.Context, name string) (store.Environment, error) {
	return read(f, func() (store.Environment, error) { return f.under.Environment(ctx, name) })
}

// Environments implements store.Store.
func (f *Faulty) Environments(ctx context.Context) ([]store.Environment, error) {
	return read(f, func() ([]store.Environment, error) { return f.under.Environments(ctx) })
}

// PutRun implements store.Store.
func (f *Faulty) PutRun(ctx context.Context, r store.Run) error {
	return f.write(func() error { return f.under.PutRun(ctx, r) })
}

// Run implements store.Store.
func (f *Faulty) Run(ctx context.Context, id string) (store.Run, error) {
	return read(f, func() (store.Run, error) { return f.under.Run(ctx, id) })
}

// Runs implements store.Store.
func (f *Faulty) Runs(ctx context.Context, by store.RunFilter) ([]store.Run, error) {
	return read(f, func() ([]store.Run, error) { return f.under.Runs(ctx, by) })
}

// Acquire implements store.Store.
func (f *Faulty) Acquire(ctx context.Context, env, owner string, ttl time.Duration, now time.Time) (int64, error) {
	f.await()
	return written(f, func() (int64, error) { return f.under.Acquire(ctx, env, owner, ttl, now) })
}

// Heartbeat implements store.Store.
func (f *Faulty) Heartbeat(ctx context.Context, env, owner string, ttl time.Duration, now time.Time) error {
	f.await()
	return f.write(func() error { return f.under.Heartbeat(ctx, env, owner, ttl, now) })
}

// Release implements store.Store.
func (f *Faulty) Release(ctx context.Context, env, owner string) error {
	f.await()
	return f.write(func() error { return f.under.Release(ctx, env, owner) })
}

// Lease implements store.Store.
func (f *Faulty) Lease(ctx context.Context, env string) (store.Lease, error) {
	return read(f, func() (store.Lease, error) { return f.under.Lease(ctx, env) })
}

// PutApproval implements store.Store.
func (f *Faulty) PutApproval(ctx context.Context, a store.Approval) error {
	return f.write(func() error { return f.under.PutApproval(ctx, a) })
}

// Words implements store.Store.
func (f *Faulty) Words(ctx context.Context, env string) ([]store.Approval, error) {
	return read(f, func() ([]store.Approval, error) { return f.under.Words(ctx, env) })
}

// Approval implements store.Store.
func (f *Faulty) Approval(ctx context.Context, env, digest string) (store.Approval, error) {
	return read(f, func() (store.Approval, error) { return f.under.Approval(ctx, env, digest) })
}

// Consume implements store.Store.
func (f *Faulty) Consume(ctx context.Context, env, digest, run string, at time.Time) (store.Approval, error) {
	return written(f, func() (store.Approval, error) { return f.under.Consume(ctx, env, digest, run, at) })
}

// PutPlan implements store.Store.
func (f *Faulty) PutPlan(ctx context.Context, p store.Plan) error {
	return f.write(func() error { return f.under.PutPlan(ctx, p) })
}

// PlansOf implements store.Store.
func (f *Faulty) PlansOf(ctx context.Context, env, prefix string) ([]store.Plan, error) {
	return read(f, func() ([]store.Plan, error) { return f.under.PlansOf(ctx, env, prefix) })
}

// Enqueue implements store.Store.
func (f *Faulty) Enqueue(ctx context.Context, m store.Message) (bool, error) {
	return written(f, func() (bool, error) { return f.under.Enqueue(ctx, m) })
}

// Due implements store.Store.
func (f *Faulty) Due(ctx context.Context, now time.Time, limit int) ([]store.Message, error) {
	return read(f, func() ([]store.Message, error) { return f.under.Due(ctx, now, limit) })
}

// Sent implements store.Store.
func (f *Faulty) Sent(ctx context.Context, key, ref string, at time.Time) error {
	return f.write(func() error { return f.under.Sent(ctx, key, ref, at) })
}

// Retry implements store.Store.
func (f *Faulty) Retry(ctx context.Context, key string, notBefore time.Time, why string) error {
	return f.write(func() error { return f.under.Retry(ctx, key, notBefore, why) })
}

// Ref implements store.Store.
func (f *Faulty) Ref(ctx context.Context, key string) (string, error) {
	return read(f, func() (string, error) { return f.under.Ref(ctx, key) })
}

// PutObservation implements store.Store.
func (f *Faulty) PutObservation(ctx context.Context, o store.Observation) error {
	return f.write(func() error { return f.under.PutObservation(ctx, o) })
}

// Observation implements store.Store.
func (f *Faulty) Observation(ctx context.Context, env, scope string) (store.Observation, error) {
	return read(f, func() (store.Observation, error) { return f.under.Observation(ctx, env, scope) })
}

// PutEvaluation implements store.Store.
func (f *Faulty) PutEvaluation(ctx context.Context, digest string, body []byte, at time.Time) error {
	return f.write(func() error { return f.under.PutEvaluation(ctx, digest, body, at) })
}

// Evaluation implements store.Store.
func (f *Faulty) Evaluation(ctx context.Context, digest string) ([]byte, error) {
	return read(f, func() ([]byte, error) { return f.under.Evaluation(ctx, digest) })
}

// Head implements store.Store.
func (f *Faulty) Head(ctx context.Context, repo string) (commit string, gen int64, err error) {
	commit, err = read(f, func() (string, error) {
		commit, gen, err = f.under.Head(ctx, repo)
		return commit, err
	})
	return commit, gen, err
}

// PutHead implements store.Store.
func (f *Faulty) PutHead(ctx context.Context, repo, commit string, gen int64) error {
	return f.write(func() error { return f.under.PutHead(ctx, repo, commit, gen) })
}

// PutPull implements store.Store.
func (f *Faulty) PutPull(ctx context.Context, p store.Pull) error {
	return f.write(func() error { return f.under.PutPull(ctx, p) })
}

// Pulls implements store.Store.
func (f *Faulty) Pulls(ctx context.Context, repo string) ([]store.Pull, error) {
	return read(f, func() ([]store.Pull, error) { return f.under.Pulls(ctx, repo) })
}

// Deliver implements store.Store.
func (f *Faulty) Deliver(ctx context.Context, d store.Delivery) (bool, error) {
	return written(f, func() (bool, error) { return f.under.Deliver(ctx, d) })
}

// Deliveries implements store.Store.
func (f *Faulty) Deliveries(ctx context.Context, repo string, after int64, limit int) ([]store.Delivery, error) {
	return read(f, func() ([]store.Delivery, error) { return f.under.Deliveries(ctx, repo, after, limit) })
}

// Audit implements store.Store.
func (f *Faulty) Audit(ctx context.Context, e store.AuditEntry) error {
	return f.write(func() error { return f.under.Audit(ctx, e) })
}

// AuditRows implements store.Store.
func (f *Faulty) AuditRows(ctx context.Context, by store.AuditFilter) ([]store.AuditRow, error) {
	return read(f, func() ([]store.AuditRow, error) { return f.under.AuditRows(ctx, by) })
}

// VerifyAudit implements store.Store.
func (f *Faulty) VerifyAudit(ctx context.Context, known string) (store.Proof, error) {
	return read(f, func() (store.Proof, error) { return f.under.VerifyAudit(ctx, known) })
}

// Restored implements store.Store.
func (f *Faulty) Restored(ctx context.Context) (time.Time, error) {
	return read(f, func() (time.Time, error) { return f.under.Restored(ctx) })
}

// Info implements store.Store.
func (f *Faulty) Info(ctx context.Context) (store.Info, error) {
	return read(f, func() (store.Info, error) { return f.under.Info(ctx) })
}

// Copy implements store.Store.
func (f *Faulty) Copy(ctx context.Context, file string) error {
	_, err := read(f, func() (struct{}, error) { return struct{}{}, f.under.Copy(ctx, file) })
	return err
}

// Prune implements store.Store.
func (f *Faulty) Prune(ctx context.Context, k store.Retention, limit int) (store.Pruned, error) {
	return written(f, func() (store.Pruned, error) { return f.under.Prune(ctx, k, limit) })
}

// Close implements store.Store. A crashed process closes nothing.
func (f *Faulty) Close() error {
	if err := f.alive(); err != nil {
		return err
	}
	return f.under.Close()
}
