package preview

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"isobar.dev/engine/forge"
	"isobar.dev/engine/git"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
)

// Git is the repository's mirror, which the daemon's own follower fetches.
type Git interface {
	Branch() string
	Head(ctx context.Context) (git.Commit, error)
	Resolve(ctx context.Context, rev string) (git.Commit, error)
	Tree(hash string) (fs.FS, error)
	Merge(ctx context.Context, base, head string) (git.Merged, error)
	Contains(ctx context.Context, ancestor, of string) (bool, error)
	FetchRefs(ctx context.Context, refs []string) (map[string]git.Commit, error)
	DropRefs(ctx context.Context, refs []string) error
}

// Daemon plans, and carries out what people say.
type Daemon interface {
	Estate(ctx context.Context, tree fs.FS) (spec.Estate, error)
	Concerned(ctx context.Context, base, changed fs.FS) (reconcile.Concern, error)
	Peek(ctx context.Context, p reconcile.Peek) (reconcile.Peeked, error)
	Standing(ctx context.Context, env string) (string, error)
	Verdict(ctx context.Context, env, digest, by string, v store.Verdict) (store.Environment, error)
	Cancel(ctx context.Context, run, by string) (store.Run, store.Approval, error)
	Look(ctx context.Context, env string) error
	Poke(ctx context.Context, repo string) error
}

// Kept is what the desk keeps and reads of the store.
type Kept interface {
	store.Pulls
	store.Plans
	store.Runs
	Environment(ctx context.Context, name string) (store.Environment, error)
	Audit(ctx context.Context, e store.AuditEntry) error
}

// Desk follows the pull requests of one repository. Set its fields, then hand it to
// the daemon as the repository's Reviews. Safe for concurrent use. Of several
// processes on one store one has the seat at a time; each may be asked for consents.
type Desk struct {
	Repo   string // what the daemon calls the repository
	Forge  forge.Forge
	Daemon Daemon
	Store  Kept
	Tenure reconcile.Tenure
	Now    func() time.Time
	Log    *slog.Logger
	Poll   time.Duration // between looks at the forge's list, which find what webhooks lost
	Forks  bool          // pull requests from forks are planned
	Early  bool          // a comment may have a pull request applied before its merge
	Gone   bool          // the repository has no forge any more: what its pull requests hold ends, and Forge is not asked
	Beat   time.Duration // between looks at the store for what changed meanwhile; 0 is 2 s

	bell  chan struct{}
	once  sync.Once
	mu    sync.Mutex
	git   Git // once Follow has begun; set under mu, and read without it by what Follow calls
	pulls map[int]*pull
	heard int64     // deliveries are read after this one
	list  time.Time // when the forge's list is due
	rest  time.Time // the forge asked to be left alone till then
	told  string    // what was last logged as wrong
	crowd crowd
}

// pace is how long the comment rests between two edits.
const pace = 10 * time.Second

// pull is a pull request on the desk.
type pull struct {
	record

	number int
	now    forge.Pull // as last read
	reread bool       // something was told of it
	replan bool       // what it was planned on has moved
	say    bool       // its comment may read otherwise by now
	later  time.Time  // not to be worked on before, after an error
	tries  int
	view   *made // as last planned in this process; nil for not yet
}

func (d *Desk) ready() {
	d.once.Do(func() {
		d.bell, d.pulls = make(chan struct{}, 1), map[int]*pull{}
		d.crowd = crowd{forge: d.Forge, now: d.Now}
		if d.Beat == 0 {
			d.Beat = 2 * time.Second
		}
	})
}

// Ring wakes the desk: a delivery was kept in the store.
func (d *Desk) Ring() {
	d.ready()
	select {
	case d.bell <- struct{}{}:
	default:
	}
}

// seat is the lease under which a repository's pull requests are worked on.
func (d *Desk) seat() string { return store.LeaseOfPulls(d.Repo) }

// Follow implements reconcile.Reviews.
func (d *Desk) Follow(ctx context.Context, s reconcile.Source) {
	d.ready()
	g, ok := s.(Git)
	if !ok {
		d.Log.ErrorContext(ctx, "isobar's own fault: the repository can't be merged in", "repo", d.Repo)
		return
	}
	d.mu.Lock()
	d.git = g
	d.mu.Unlock()
	tick := time.NewTicker(d.Beat)
	defer tick.Stop()
	seated := false
	for was := int64(0); ; {
		var epoch int64
		if epoch, seated = d.sit(ctx); seated {
			if epoch != was {
				d.forget()
			}
			was = epoch
			d.seatedRound(ctx)
		} else {
			was = 0
		}
		select {
		case <-ctx.Done():
			if seated && d.Tenure.Shared {
				end, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.Tenure.TTL)
				_ = d.Tenure.Leases.Release(end, d.seat(), d.Tenure.Owner) // else it runs out
				cancel()
			}
			return
		case <-d.bell:
		case <-tick.C:
		}
	}
}

// sit reports whether this process works on the repository's pull requests. The epoch
// is another one where another process did meanwhile.
func (d *Desk) sit(ctx context.Context) (epoch int64, seated bool) {
	if !d.Tenure.Shared {
		return 1, ctx.Err() == nil
	}
	epoch, err := d.Tenure.Leases.Acquire(ctx, d.seat(), d.Tenure.Owner, d.term(), d.Now())
	return epoch, err == nil
}

// term is how long the seat is kept for who does not say that it is there still.
func (d *Desk) term() time.Duration { return max(2*d.Tenure.TTL, 10*d.Beat) }

// remain reports by an error that another process has taken the seat: what this one
// knows is old then, and must not be kept.
func (d *Desk) remain(ctx context.Context) error {
	if !d.Tenure.Shared {
		return nil
	}
	return d.Tenure.Leases.Heartbeat(context.WithoutCancel(ctx), d.seat(), d.Tenure.Owner, d.term(), d.Now())
}

// seatedRound does a round, however long that takes: the seat is held meanwhile, and
// where it is lost all the same the round ends.
func (d *Desk) seatedRound(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	if d.Tenure.Shared {
		beside.Go(func() {
			tick := time.NewTicker(d.term() / 4)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				if err := d.remain(ctx); errors.Is(err, store.ErrFenced) {
					cancel()
				}
			}
		})
	}
	d.round(ctx)
}

// forget drops what was known: another process had the seat meanwhile.
func (d *Desk) forget() {
	d.pulls, d.heard, d.list, d.rest = map[int]*pull{}, 0, time.Time{}, time.Time{}
}
