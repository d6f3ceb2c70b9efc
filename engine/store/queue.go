package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/rivermigrate"
)

// Queue is the work that the processes on one PostgreSQL store share: what is to
// be told to an environment waits in the inbox, and a River job wakes a worker
// somewhere. The inbox is the truth and a job only a nudge: a worker that finds
// nothing has nothing to do, and an overdue inbox is nudged again by Reap. Safe
// for concurrent use.
type Queue struct {
	s      *SQL
	client *river.Client[*sql.Tx] // inserts only
	log    *slog.Logger           // faults of our own
	quiet  *slog.Logger           // River's words
}

// Inboxed is something that waits for a key's worker.
type Inboxed struct {
	N    int64 // for Ack
	Body json.RawMessage
}

// nudge is a River job: somebody should look at the key's inbox.
type nudge struct {
	Key string `json:"key"`
}

// Kind is the job's name in River's tables.
func (nudge) Kind() string { return "nudge" }

// overdue is how long an inbox may wait before it is nudged again: its job was
// lost with the process that had taken it, or is to be woken by River's leader,
// which died: another is elected once the dead one's term is over, 15 seconds.
const overdue = 10 * time.Second

// Who is served first where workers are short, as River's priorities: an
// environment whose process died, then what has just come in, then what was put
// off until now, such as the regular look.
const (
	lapsed = iota + 1
	prompt
	putOff
)

// jobsKept is how long done jobs stay in River's tables.
const jobsKept = 10 * time.Minute

// Queue gives the queue of a PostgreSQL store; other stores have none
// (ErrRefused). log is told River's warnings.
func (s *SQL) Queue(log *slog.Logger) (*Queue, error) {
	if s.pg == nil {
		return nil, errorf(ErrRefused, "only a store in PostgreSQL can be shared")
	}
	q := &Queue{s: s, log: log, quiet: slog.New(warnings{log.Handler()})}
	client, err := river.NewClient(s.riverDriver(), &river.Config{Logger: q.quiet})
	if err != nil {
		return nil, err
	}
	q.client = client
	return q, nil
}

func (s *SQL) riverDriver() *riverdatabasesql.Driver {
	return riverdatabasesql.NewWithPgxListener(s.db, s.pg.pool)
}

// migrateQueue makes River's tables, or brings them up to its version.
func (s *SQL) migrateQueue(ctx context.Context) error {
	quiet := slog.New(slog.DiscardHandler) // what goes wrong is in the error
	m, err := rivermigrate.New(s.riverDriver(), &rivermigrate.Config{Logger: quiet})
	if err != nil {
		return err
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// Put leaves bodies in a key's inbox for whoever works on it at least after from
// now, and wakes a worker then. With a slot it takes the place of what was in it.
func (q *Queue) Put(ctx context.Context, key, slot string, after time.Duration, bodies ...json.RawMessage) error {
	return q.s.tx(ctx, func(tx *sql.Tx) error { return q.put(ctx, tx, inboxed{key, slot, after, bodies}) })
}

// slotLapsed is where word of a lease that ran out waits.
const slotLapsed = "lapsed"

type inboxed struct {
	key, slot string
	after     time.Duration
	bodies    []json.RawMessage
}

func (q *Queue) put(ctx context.Context, tx *sql.Tx, in inboxed) error {
	now, err := q.s.clock(ctx, tx, time.Time{})
	if err != nil {
		return err
	}
	if in.slot != "" {
		if _, err := tx.ExecContext(ctx, `DELETE FROM inbox WHERE key = $1 AND slot = $2`, in.key, in.slot); err != nil {
			return err
		}
	}
	for _, b := range in.bodies {
		if err := check("inbox of "+in.key, b); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO inbox (n, key, slot, due, body)
VALUES ((SELECT GREATEST($5, COALESCE(MAX(n), 0) + 1) FROM inbox WHERE key = $1), $1, $2, $3, $4)`,
			in.key, in.slot, millis(now.Add(in.after)), string(b), numberAt(now))
		if err != nil {
			return err
		}
	}
	return q.nudge(ctx, tx, now, &in)
}

// priority is how soon somebody is to look at it, once it is due.
func (in *inboxed) priority() int {
	switch {
	case in.slot == slotLapsed:
		return lapsed
	case in.after > 0:
		return putOff
	}
	return prompt
}

// numberAt is a number for the inbox that was never given before, since a worker
// says by it what it is done with: what takes the place of that must have another
// one, and so must what comes into an empty inbox. It rises by the millisecond; of
// the same one, chance tells them apart.
func numberAt(now time.Time) int64 { return millis(now)<<20 | rand.Int64N(1<<20) } //nolint:gosec // no secret

// nudge has a worker woken once something is due. What is due now names no time: a
// job that does waits for River's leader to look, each five seconds, and for the next
// one where that process died or stopped.
func (q *Queue) nudge(ctx context.Context, tx *sql.Tx, now time.Time, in *inboxed) error {
	opts := &river.InsertOpts{Priority: in.priority()}
	if in.after > 0 {
		opts.ScheduledAt = now.Add(in.after)
	}
	_, err := q.client.InsertTx(ctx, tx, nudge{in.key}, opts)
	return err
}

// Take gives what is due in a key's inbox, oldest first. It stays there until
// Ack: a worker that dies loses nothing.
func (q *Queue) Take(ctx context.Context, key string) ([]Inboxed, error) {
	var out []Inboxed
	err := q.s.read(ctx, func(tx *sql.Tx) error {
		now, err := q.s.clock(ctx, tx, time.Time{})
		if err != nil {
			return err
		}
		return rows(ctx, tx, func(r *sql.Rows) error {
			var in Inboxed
			var body string
			err := r.Scan(&in.N, &body)
			in.Body = raw(body)
			out = append(out, in)
			return err
		}, `SELECT n, body FROM inbox WHERE key = $1 AND due <= $2 ORDER BY n`, key, millis(now))
	})
	return out, err
}

// Ack takes out of a key's inbox what its worker is done with.
func (q *Queue) Ack(ctx context.Context, key string, done []Inboxed) error {
	if len(done) == 0 {
		return nil
	}
	return q.s.tx(ctx, func(tx *sql.Tx) error {
		for _, in := range done {
			if _, err := tx.ExecContext(ctx, `DELETE FROM inbox WHERE key = $1 AND n = $2`, key, in.N); err != nil {
				return err
			}
		}
		return nil
	})
}

// Waiting counts the keys that have something due.
func (q *Queue) Waiting(ctx context.Context) (n int, err error) {
	err = q.s.read(ctx, func(tx *sql.Tx) error {
		now, err := q.s.clock(ctx, tx, time.Time{})
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT COUNT(DISTINCT key) FROM inbox WHERE due <= $1`, millis(now)).Scan(&n)
	})
	return n, err
}

// Reap gives up the leases that ran out in their owners' hands: their epochs
// rise, so that those owners write nothing any more, and body goes into the
// inbox of each one's environment. It also nudges what is overdue. It gives the
// environments whose leases it took. Leases on something else (names that begin with
// a slash, LeaseOfPulls) are given up alone: nobody is woken for them.
func (q *Queue) Reap(ctx context.Context, body json.RawMessage) (dead []Lease, err error) {
	err = q.s.tx(ctx, func(tx *sql.Tx) error {
		dead = nil
		now, err := q.s.clock(ctx, tx, time.Time{})
		if err != nil {
			return err
		}
		all, err := q.expired(ctx, tx, now)
		if err != nil {
			return err
		}
		for _, was := range all {
			l, _ := release(was, was.Owner)
			if err := putLease(ctx, tx, l); err != nil {
				return err
			}
			if ofNoEnvironment(was.Env) {
				continue
			}
			dead = append(dead, was)
			if err := audit(ctx, tx, lapsedEntry(was, millis(now))); err != nil {
				return err
			}
			if err := q.put(ctx, tx, inboxed{was.Env, slotLapsed, 0, []json.RawMessage{body}}); err != nil {
				return err
			}
		}
		return q.remind(ctx, tx, now)
	})
	return dead, err
}

func (q *Queue) expired(ctx context.Context, tx *sql.Tx, now time.Time) ([]Lease, error) {
	var out []Lease
	err := rows(ctx, tx, func(r *sql.Rows) error {
		var l Lease
		var expires int64
		err := r.Scan(&l.Env, &l.Owner, &l.Epoch, &expires)
		l.Expires = fromMillis(expires)
		out = append(out, l)
		return err
	}, `SELECT env, owner, epoch, expires FROM leases WHERE owner <> '' AND expires <= $1`, millis(now))
	return out, err
}

// remind nudges the keys whose inbox is overdue and that nobody works on, once
// for each span of that length.
func (q *Queue) remind(ctx context.Context, tx *sql.Tx, now time.Time) error {
	var keys []string
	err := rows(ctx, tx, func(r *sql.Rows) error {
		var key string
		err := r.Scan(&key)
		keys = append(keys, key)
		return err
	}, `SELECT DISTINCT key FROM inbox WHERE due <= $1
AND NOT EXISTS (SELECT 1 FROM leases WHERE leases.env = inbox.key AND leases.owner <> '')`, millis(now.Add(-overdue)))
	if err != nil {
		return err
	}
	for _, key := range keys {
		_, err := q.client.InsertTx(ctx, tx, nudge{key}, &river.InsertOpts{
			Tags: []string{"reminder"}, Priority: prompt, UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: overdue},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// vacancy is how long the seat of those who run a queue may stand empty while
// some of them live: they ask for one that is free every 5 to 6 seconds.
const vacancy = 10 * time.Second

// Served reports whether a process is known to run the queue of a store in
// PostgreSQL, as daemons do: one of them has River's seat of the leader, for 15
// seconds at a time, and leaves it when it stops. A store in a file has no queue:
// a daemon that works on it lets nobody else open it.
func (s *SQL) Served(ctx context.Context) (served bool, err error) {
	if s.pg == nil {
		return false, nil
	}
	err = s.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM river_leader WHERE expires_at > clock_timestamp() - make_interval(secs => $1))`,
			vacancy.Seconds()).Scan(&served)
	})
	return served, err
}

// Run works until ctx ends: do is called for a key that was woken, for several
// keys at once but never more than workers. again > 0 has the key woken anew
// after it. When ctx ends Run waits for the calls under way.
func (q *Queue) Run(ctx context.Context, workers int, do func(ctx context.Context, key string) (again time.Duration)) error {
	known := river.NewWorkers()
	err := river.AddWorkerSafely(known, river.WorkFunc(func(_ context.Context, job *river.Job[nudge]) error {
		if ctx.Err() != nil {
			return river.JobSnooze(0) // for another process
		}
		if again := do(ctx, job.Args.Key); again > 0 {
			return river.JobSnooze(again)
		}
		return nil
	}))
	if err != nil {
		return err
	}
	client, err := river.NewClient(q.s.riverDriver(), &river.Config{
		Logger: q.quiet, Workers: known, Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		JobTimeout: -1, CompletedJobRetentionPeriod: jobsKept, ErrorHandler: &logged{q.log},
	})
	if err != nil {
		return err
	}
	keep := context.WithoutCancel(ctx)
	if err := client.Start(keep); err != nil {
		return classify(err)
	}
	<-ctx.Done()
	if err := client.Stop(keep); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("the queue did not stop: %w", err)
	}
	return nil
}
