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
)

// Source is a repository that is followed.
type Source interface {
	Fetch(ctx context.Context) (changed bool, err error)
	Head(ctx context.Context) (git.Commit, error)
	Tree(hash string) (fs.FS, error)
}

// Chat delivers messages. Each call may be repeated: the same key is never
// posted twice. ref is the receiver's own name for the message.
type Chat interface {
	Post(ctx context.Context, channel, key, text string) (ref string, err error)
	Edit(ctx context.Context, ref, text string) error
	Reply(ctx context.Context, ref, key, text string) error
}

// Meter is told what happened, for metrics. Safe for concurrent use.
type Meter interface {
	Run(env string, trigger cycle.Trigger, state store.RunState, took time.Duration)
	Looked(row store.Environment)
	Fetched(repo string, err error)
	Delivered(err error)
}

// Repo is one repository and how it is followed.
type Repo struct {
	Name   string // for people, without credentials
	Source Source
	Hints  <-chan struct{} // may be nil
}

// Daemon keeps environments as their repositories want them. Set its fields,
// then call Run once.
type Daemon struct {
	Runner   *Runner
	Store    store.Store
	Tenure   Tenure
	Repos    []Repo
	Chat     Chat   // nil: nobody is told
	Channel  string // where estates that name no channel are told of
	Meter    Meter
	Log      *slog.Logger
	NewID    func() string // UUIDv7 text
	Poll     time.Duration // between fetches
	Interval time.Duration // between looks for drift
	Backoff  time.Duration // before the first retry of what failed
	Workers  int           // environments at once

	once    sync.Once
	queue   *queue
	mu      sync.Mutex
	heads   map[string]*head  // by repo name
	envs    map[string]string // environment → repo name
	trouble map[string]string // repository → why it can not be read now
	bell    chan struct{}     // rung when a message waits
}

// head is a repository as last fetched.
type head struct {
	commit  git.Commit
	tree    fs.FS
	channel string // where to tell, as its isobar.cue says
}

// ready makes what the daemon keeps in memory, once: people may ask and decide
// before Run has begun.
func (d *Daemon) ready() {
	d.once.Do(func() {
		d.queue = newQueue()
		d.heads, d.envs, d.bell = map[string]*head{}, map[string]string{}, make(chan struct{}, 1)
		d.trouble = map[string]string{}
	})
}

// Run works until ctx ends, then lets each run come to its next call's end and
// returns. The error is one that stops all work: a store that can't be used.
func (d *Daemon) Run(ctx context.Context) error {
	d.ready()
	defer d.queue.close()
	if err := d.restart(ctx); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for _, r := range d.Repos {
		wg.Go(func() { d.follow(ctx, r) })
	}
	for range max(d.Workers, 1) {
		wg.Go(func() { d.work(ctx) })
	}
	out, stop := context.WithCancel(context.WithoutCancel(ctx)) // what the last runs report is still told
	var mail sync.WaitGroup
	mail.Go(func() { d.deliver(out) })
	wg.Wait()
	stop()
	mail.Wait()
	return nil
}

// Ready reports why the daemon does not follow its repositories yet, or nil.
func (d *Daemon) Ready() error {
	d.ready()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.heads) < len(d.Repos) {
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
	for _, row := range rows {
		d.envs[row.Name] = row.Repo
	}
	return nil
}

// work takes environments from the queue, one at a time.
func (d *Daemon) work(ctx context.Context) {
	for {
		env, evs, ok := d.queue.next(ctx)
		if !ok {
			return
		}
		if rest, err := d.safely(ctx, env, evs); err != nil {
			d.Log.ErrorContext(ctx, "environment could not be worked on", "env", env, "error", err)
			if ctx.Err() == nil {
				d.queue.at(env, d.Backoff, append(rest, cycle.Ticked{Trigger: cycle.Retry})...)
			}
		}
		d.queue.done(env)
	}
}

// safely takes a turn. A fault of our own in one environment must not end the
// others: it is logged with its place, and tried again like any error.
func (d *Daemon) safely(ctx context.Context, env string, evs []cycle.Event) (rest []cycle.Event, err error) {
	defer func() {
		if p := recover(); p != nil {
			rest, err = evs, fmt.Errorf("isobar's own fault: %v\n%s", p, debug.Stack())
		}
	}()
	return d.turn(ctx, env, evs)
}

// snapshot gives the head that an environment's repository was last seen at.
func (d *Daemon) snapshot(env string) (*head, string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	repo := d.envs[env]
	return d.heads[repo], repo
}
