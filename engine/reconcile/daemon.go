package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"isobar.dev/engine/cycle"
	"isobar.dev/engine/git"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// Source is a repository that is followed.
type Source interface {
	Fetch(ctx context.Context) (changed bool, err error)
	Head(ctx context.Context) (git.Commit, error)
	Tree(hash string) (fs.FS, error)
}

// trouble is why a repository can not be read.
type trouble struct {
	text  string
	kind  git.Kind // "" of what is not Git's
	since time.Time
}

// Chat delivers messages. Each call may be repeated: the same key is never
// posted twice. ref is the receiver's own name for the message.
type Chat interface {
	Post(ctx context.Context, channel, key string, text view.Rich) (ref string, err error)
	Edit(ctx context.Context, ref string, text view.Rich) error
	Reply(ctx context.Context, ref, key string, text view.Rich) error
}

// Meter is told what happened, for metrics. Safe for concurrent use.
type Meter interface {
	Run(env string, trigger cycle.Trigger, state store.RunState, took time.Duration)
	Looked(row store.Environment)
	Fetched(repo string, err error)
	Refused(repo string, envs int) // environments that it has and may not have, now
	Delivered(err error)
}

// Daemon keeps environments as their repositories want them. Set its fields,
// then call Run once.
type Daemon struct {
	Runner   *Runner
	Store    store.Store
	Inbox    Inbox // of processes that share the store; nil: there is just this one
	Tenure   Tenure
	Repos    []Repo // to begin with; see Refollow
	Chat     Chat   // nil: nobody is told
	Channel  string // where estates that name no channel are told of
	Meter    Meter
	Log      *slog.Logger
	NewID    func() string // UUIDv7 text
	Poll     time.Duration // between fetches
	Interval time.Duration // between looks for drift
	Backoff  time.Duration // before the first retry of what failed
	Workers  int           // environments at once
	History  History

	once      sync.Once
	queue     work
	orders    chan repoOrder
	claiming  sync.Mutex // one assign at a time
	mu        sync.Mutex
	repos     map[string]Repo      // that are followed, by name
	heads     map[string]*head     // by repository
	envs      map[string]home      // by environment
	trouble   map[string]trouble   // repository → why it can not be read now
	lamented  map[string]lamented  // by repository: what chat was told of it
	refused   map[string]Refusal   // by repository and environment
	live      map[string]*underway // by environment
	deaf      map[string]deaf      // by channel: why it can't be told
	retry     bool                 // the outbox is to try at once
	hitch     hitch                // what is wrong with the store now
	hitches   int                  // uses of it that failed so
	owed      map[string]*turn     // by environment: what could not keep and tell its run
	bell      chan struct{}        // rung when a message waits
	delivered map[string]string    // key → reference of messages that could not be noted as sent; the outbox's alone
	followers map[string]*follower // by repository
}

// head is a repository as last fetched.
type head struct {
	commit  git.Commit
	tree    fs.FS
	channel string // where to tell, as its isobar.cue says
	rules   fs.FS  // where policies/ is read; nil: tree
	pin     *Pin   // the pull request that it is of, for one environment; nil: it is the branch's

	names      []string // its environments, sorted
	unreadable bool     // its isobar.cue is: names is empty
}

// ready makes what the daemon keeps in memory, once: people may ask and decide
// before Run has begun.
func (d *Daemon) ready() {
	d.once.Do(func() {
		if d.queue = newQueue(); d.Inbox != nil {
			d.queue = &shared{inbox: d.Inbox, log: d.Log, taken: map[string][]store.Inboxed{}}
		}
		d.heads, d.envs, d.bell = map[string]*head{}, map[string]home{}, make(chan struct{}, 1)
		d.owed = map[string]*turn{}
		d.trouble, d.orders, d.repos = map[string]trouble{}, make(chan repoOrder), map[string]Repo{}
		d.followers, d.delivered, d.lamented = map[string]*follower{}, map[string]string{}, map[string]lamented{}
		for _, r := range d.Repos {
			d.repos[r.Name] = r
		}
	})
}

// Run works until ctx ends, then lets each run come to its next call's end and
// returns. A store's server that is away it waits for, from the first moment on.
// The error is one that stops all work: a store that can't be used.
func (d *Daemon) Run(ctx context.Context) error {
	d.ready()
	defer d.queue.close()
	if err := d.patiently(ctx, func() error { return d.restart(ctx) }); err != nil {
		if ctx.Err() != nil {
			return nil // it was stopped before it had begun
		}
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	var wg sync.WaitGroup
	wg.Go(func() { d.fleet(ctx) })
	var err error
	wg.Go(func() {
		defer end() // without a queue there is no work
		run := func() error { return d.queue.run(ctx, max(d.Workers, 1), d.safely, d.Backoff) }
		if werr := d.patiently(ctx, run); !errors.Is(werr, store.ErrAway) {
			err = werr
		}
	})
	if d.Inbox != nil {
		wg.Go(func() { d.reap(ctx) })
	}
	if d.History != (History{}) {
		wg.Go(func() { d.tidy(ctx) })
	}
	out, stop := context.WithCancel(context.WithoutCancel(ctx)) // what the last runs report is still told
	var mail sync.WaitGroup
	mail.Go(func() { d.deliver(out) })
	wg.Wait()
	stop()
	mail.Wait()
	return err
}

// Ready reports why the daemon does not follow its repositories yet, or can do
// nothing for them now, or nil.
func (d *Daemon) Ready() error {
	d.ready()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hitch.class != nil {
		return errors.New(d.hitch.why)
	}
	if len(d.heads) < len(d.repos) {
		return errors.New("not every repository was fetched yet")
	}
	return nil
}

// restart reads what was known before.
func (d *Daemon) restart(ctx context.Context) error {
	rows, err := d.Store.Environments(ctx)
	if err != nil {
		return err
	}
	d.mu.Lock() // people ask already
	defer d.mu.Unlock()
	for _, row := range rows {
		if row.Repo != "" {
			d.envs[row.Name] = home{row.Repo, row.Origin}
		}
	}
	return nil
}

// safely takes a turn. A fault of our own in one environment must not end the
// others: it is logged with its place, and tried again like any error.
func (d *Daemon) safely(ctx context.Context, env string) (rest []cycle.Event, err error) {
	defer func() {
		if p := recover(); p != nil {
			rest, err = nil, fmt.Errorf("isobar's own fault: %v\n%s", p, debug.Stack())
		}
		if err != nil {
			d.written(ctx, d.asking(), err)
		}
		told := hitchOf(err).class != nil // once, and not for each environment
		if err != nil && !told && !isFenced(err) && !errors.Is(err, errNotYet) && ctx.Err() == nil {
			d.Log.ErrorContext(ctx, "environment could not be worked on", "env", env, "error", err)
		}
	}()
	return d.turn(ctx, env)
}

// snapshot gives the repository that an environment belongs to and the head that
// it was last seen at: nil where it is not followed, was not fetched yet or may
// not hold the environment.
func (d *Daemon) snapshot(row store.Environment) (*head, Repo) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.envs[row.Name]; !known && row.Repo != "" {
		d.envs[row.Name] = home{row.Repo, row.Origin} // another process on the store claimed it
	}
	r, ok := d.holder(row.Name)
	if !ok || !r.mayHold(row.Name) {
		return nil, r
	}
	return d.heads[r.Name], r
}
