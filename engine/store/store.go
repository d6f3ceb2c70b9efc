// Package store keeps what isobar must not lose: the ledger's events and their
// fold, environments, runs, leases, approvals, observations, evaluations,
// messages to send and the audit log. It owns the tables and their
// transactions, in memory, in SQLite and in PostgreSQL, with one meaning for
// all; in PostgreSQL also the queue that processes share. It reads no clock and
// makes no ids: both are inputs. It must not know what a plan, a spec or a cloud
// is. Floor 4; the only importer of database/sql.
package store

import (
	"context"
	"time"

	"isobar.dev/engine/ledger"
)

// Store is everything that a back end offers; consumers take the ports that
// they need. Every method is safe for concurrent use, and each one is a single
// transaction: on error nothing of it was written, unless the process died, the
// context ended or the connection broke while it was being committed. Times are kept as whole
// milliseconds, in UTC.
type Store interface {
	Ledger
	Environments
	Runs
	Leases
	Approvals
	Plans
	Outbox
	Observations
	Evaluations
	Heads
	Pulls
	AuditLog
	Upkeep
	// Close gives up the store; each later call fails with ErrClosed.
	Close() error
}

// Ledger keeps events and what follows from them.
type Ledger interface {
	// Append writes events after the last one that the caller folded (expect)
	// under the lease epoch that it holds, and gives them back with their Seq.
	// ErrConflict says that expect is stale, ErrFenced that the epoch moved,
	// ErrRefused that an event cannot follow those before it. An environment
	// that was never leased has epoch 0.
	Append(ctx context.Context, env string, expect, epoch int64, evs []ledger.Event) ([]ledger.Event, error)
	// Events gives an environment's events after a Seq, in order.
	Events(ctx context.Context, env string, after int64) ([]ledger.Event, error)
	// State gives the fold of an environment's events: a copy, the caller's own.
	State(ctx context.Context, env string) (*ledger.State, error)
}

// Environments keeps what was last known of each environment.
type Environments interface {
	PutEnvironment(ctx context.Context, e Environment) error
	// Environment fails with ErrNotFound.
	Environment(ctx context.Context, name string) (Environment, error)
	// Environments gives all of them, in order of name.
	Environments(ctx context.Context) ([]Environment, error)
}

// Runs keeps runs.
type Runs interface {
	// PutRun keeps a run, new or known. ErrFenced says that its Fence is not the
	// epoch of its environment's lease any more.
	PutRun(ctx context.Context, r Run) error
	// Run finds a run by its id, or by the beginning of just one id. It fails
	// with ErrNotFound or ErrAmbiguous.
	Run(ctx context.Context, id string) (Run, error)
	// Runs lists runs, newest first, without Plan and Report.
	Runs(ctx context.Context, f RunFilter) ([]Run, error)
}

// Leases says which process may work on an environment.
type Leases interface {
	// Acquire takes or renews the lease until now + ttl. Its epoch rises at
	// each change of owner. ErrHeld says that another owner's has not expired.
	// A PostgreSQL store measures by the server's clock, not by now: its owners'
	// clocks may differ.
	Acquire(ctx context.Context, env, owner string, ttl time.Duration, now time.Time) (epoch int64, err error)
	// Heartbeat prolongs the lease that owner holds, else ErrFenced.
	Heartbeat(ctx context.Context, env, owner string, ttl time.Duration, now time.Time) error
	// Release gives the lease up and raises its epoch, so that nothing can be
	// written under it any more. Releasing what owner does not hold is no error.
	Release(ctx context.Context, env, owner string) error
	// Lease gives the lease; the zero Lease where there never was one.
	Lease(ctx context.Context, env string) (Lease, error)
}

// Approvals keeps people's verdicts on plans.
type Approvals interface {
	// PutApproval records a verdict, in place of an earlier one on the same
	// digest. An Approve fails with ErrRejected where somebody turned that plan
	// away since Asked.
	PutApproval(ctx context.Context, a Approval) error
	// Approval fails with ErrNotFound.
	Approval(ctx context.Context, env, digest string) (Approval, error)
	// Words gives the verdicts on objects of an environment, by their digests.
	Words(ctx context.Context, env string) ([]Approval, error)
	// Consume uses an approval up for a run. It may be repeated for the same
	// run; for another it fails with ErrConsumed. ErrRejected and ErrNotFound
	// say that there is no approval to use.
	Consume(ctx context.Context, env, digest, run string, at time.Time) (Approval, error)
}

// Plans keeps the plans that people were shown outside of a run, so that they can
// name them later.
type Plans interface {
	// PutPlan keeps a plan, in place of one of the same digest; of each environment
	// the last few.
	PutPlan(ctx context.Context, p Plan) error
	// PlansOf gives an environment's plans, or ("") those of all, whose digest begins
	// with prefix, the last shown first.
	PlansOf(ctx context.Context, env, prefix string) ([]Plan, error)
}

// Outbox keeps messages until they are delivered.
type Outbox interface {
	// Enqueue adds a message unless its Key was used before, sent or not.
	Enqueue(ctx context.Context, m Message) (added bool, err error)
	// Due gives unsent messages whose NotBefore has come, oldest first.
	Due(ctx context.Context, now time.Time, limit int) ([]Message, error)
	// Sent marks a message delivered, with the reference that the receiver gave.
	Sent(ctx context.Context, key, ref string, at time.Time) error
	// Retry puts a message off and says why.
	Retry(ctx context.Context, key string, notBefore time.Time, why string) error
	// Ref gives a delivered message's reference. It fails with ErrNotFound.
	Ref(ctx context.Context, key string) (string, error)
}

// Observations keeps the last observation of each scope.
type Observations interface {
	// PutObservation keeps o unless a later one is there.
	PutObservation(ctx context.Context, o Observation) error
	// Observation fails with ErrNotFound.
	Observation(ctx context.Context, env, scope string) (Observation, error)
}

// Evaluations keeps evaluated specs by their input digest.
type Evaluations interface {
	PutEvaluation(ctx context.Context, digest string, body []byte, at time.Time) error
	// Evaluation fails with ErrNotFound.
	Evaluation(ctx context.Context, digest string) ([]byte, error)
}

// Heads keeps where repositories are, for the processes that share a store: none
// of them works on a commit that another has seen replaced.
type Heads interface {
	// Head gives the commit that a process last saw and its generation; "" and 0
	// where none did.
	Head(ctx context.Context, repo string) (commit string, gen int64, err error)
	// PutHead keeps the commit that was seen in a look that began after Head gave
	// gen. ErrConflict says that another look ended meanwhile: look again.
	PutHead(ctx context.Context, repo, commit string, gen int64) error
}

// Pulls keeps what is known of pull requests, and what forges told of them.
type Pulls interface {
	// PutPull keeps a pull, in place of what was kept of it.
	PutPull(ctx context.Context, p Pull) error
	// Pulls gives what is kept of a repository's pulls, by number.
	Pulls(ctx context.Context, repo string) ([]Pull, error)
	// Deliver keeps what a forge told, unless it was kept already by the same
	// repository and id: a forge may deliver twice.
	Deliver(ctx context.Context, d Delivery) (added bool, err error)
	// Deliveries gives what was told of a repository after one with this number,
	// oldest first, at most limit. None with a lower number comes later.
	Deliveries(ctx context.Context, repo string, after int64, limit int) ([]Delivery, error)
}

// AuditLog keeps who did what. Each row's hash covers the row before it, and
// the rows that Append writes cover the events.
type AuditLog interface {
	// Audit adds a row. Approvals, leases, events and runs, where their state is
	// new, add theirs themselves.
	Audit(ctx context.Context, e AuditEntry) error
	// AuditRows gives rows in order.
	AuditRows(ctx context.Context, f AuditFilter) ([]AuditRow, error)
	// VerifyAudit recomputes the chain and the events that it covers, as they
	// are at one moment, and holds nobody up. It fails with ErrTampered, naming
	// the first row that does not fit. Rows cut off at the end are told by a
	// hash that was noted elsewhere: where known is not "", a row must have it.
	VerifyAudit(ctx context.Context, known string) (Proof, error)
}

// Upkeep is what keeps the store itself well.
type Upkeep interface {
	// Info sums the store up.
	Info(ctx context.Context) (Info, error)
	// Restored says when the store was last restored from a backup, and so set back; zero
	// for never.
	Restored(ctx context.Context) (time.Time, error)
	// Copy writes what the store holds at one moment to a new file, which only
	// its owner may read, and holds nobody up. ErrBackup says that this store is
	// not one that it can copy.
	Copy(ctx context.Context, file string) error
	// Prune takes out what k does not keep: of each kind the oldest, up to limit, so
	// that nobody waits long for the transaction. Call it again until nothing goes.
	Prune(ctx context.Context, k Retention, limit int) (Pruned, error)
}
