package reconcile

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"time"
)

// Repo is one repository and how it is followed.
type Repo struct {
	Name   string // what people, the store and metrics call it; without credentials
	Origin string // where it is, without credentials: tells a renamed one from another
	Source Source // nil: Open gives it
	Hints  <-chan struct{}
	// Open makes the source once the repository is followed, and again at each
	// poll until it works. It is asked after the follower before it has ended.
	Open    func(ctx context.Context) (Source, <-chan struct{}, error)
	Version string        // differs where anything here does: see Refollow
	Poll    time.Duration // between fetches; 0 is the daemon's
	Channel string        // where to tell, for an estate that names no channel; "" is the daemon's
	Holds   []string      // globs of the environments that it may hold, as somebody trusted says; nil: any
	// May says why its environments may not use a profile of credentials ("":
	// what the server itself has), or nil. A nil May lets all be used.
	May func(profile string) error
	// Reviews follows its pull requests; nil: nobody does.
	Reviews Reviews
}

// mayHold reports whether it may hold an environment of this name.
func (r *Repo) mayHold(env string) bool { return r.Holds == nil || r.claims(env) }

// claims reports whether somebody trusted said that the environment is its.
func (r *Repo) claims(env string) bool {
	return slices.ContainsFunc(r.Holds, func(g string) bool { ok, err := path.Match(g, env); return err == nil && ok })
}

// follower is a repository that is followed now.
type follower struct {
	repo  Repo
	stop  context.CancelFunc
	pokes chan chan struct{} // fetch now, then close what was sent
	ended chan struct{}
}

// order is a set of repositories to follow from now on.
type repoOrder struct {
	repos []Repo
	done  chan struct{}
}

// ErrEnded says that the daemon does not run any more, or not yet.
var ErrEnded = errors.New("the daemon does not run")

// Refollow follows these repositories from now on and no others. One whose Name
// and Version stay goes on undisturbed. What environments of the others made
// stays as it is, and is not looked at any more. It returns once that is so.
func (d *Daemon) Refollow(ctx context.Context, repos []Repo) error {
	d.ready()
	o := repoOrder{repos, make(chan struct{})}
	select {
	case d.orders <- o:
	case <-ctx.Done():
		return errors.Join(ErrEnded, ctx.Err())
	}
	select {
	case <-o.done:
		d.anew()
		return nil
	case <-ctx.Done():
		return errors.Join(ErrEnded, ctx.Err())
	}
}

// fleet runs a follower a repository until ctx ends.
func (d *Daemon) fleet(ctx context.Context) {
	running := map[string]*follower{}
	d.sail(ctx, running, d.Repos)
	for {
		select {
		case o := <-d.orders:
			d.sail(ctx, running, o.repos)
			close(o.done)
		case <-ctx.Done():
			d.sail(ctx, running, nil)
			return
		}
	}
}

// sail ends the followers that are not wanted any more, then starts those that
// are not there yet. When ctx has ended it forgets nothing.
func (d *Daemon) sail(ctx context.Context, running map[string]*follower, repos []Repo) {
	want := map[string]Repo{}
	for _, r := range repos {
		want[r.Name] = r
	}
	var ending []*follower
	for name, f := range running {
		if r, ok := want[name]; !ok || r.Version != f.repo.Version {
			f.stop()
			ending = append(ending, f)
			delete(running, name)
		}
	}
	for _, f := range ending {
		<-f.ended
	}
	if ctx.Err() != nil {
		return
	}
	d.refit(want, running)
	for name, r := range want {
		if running[name] != nil {
			continue
		}
		own, stop := context.WithCancel(ctx)
		f := &follower{repo: r, stop: stop, pokes: make(chan chan struct{}), ended: make(chan struct{})}
		running[name] = f
		d.mu.Lock()
		d.followers[name] = f
		d.mu.Unlock()
		go func() {
			defer close(f.ended)
			d.follow(own, f)
		}()
	}
}

// refit keeps in memory which repositories are followed, and forgets what was
// known of those that are not, or are to be read anew.
func (d *Daemon) refit(want map[string]Repo, running map[string]*follower) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.repos = want
	d.followers = maps.Clone(running)
	for name := range d.heads {
		if running[name] == nil {
			delete(d.heads, name)
		}
	}
	for name := range d.trouble {
		if running[name] == nil {
			delete(d.trouble, name)
		}
	}
	for name := range d.lamented {
		if running[name] == nil {
			delete(d.lamented, name)
		}
	}
	for key, r := range d.refused {
		if _, ok := want[r.Repo]; !ok {
			delete(d.refused, key)
		}
	}
}
