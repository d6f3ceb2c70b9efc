package reconcile

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/store"
)

// Tenure is how a process holds environments: as whom, and for how long at a
// time. A store that one process holds alone has one owner name for all
// processes after each other, so a restart waits for nobody.
type Tenure struct {
	Leases store.Leases
	Owner  string
	TTL    time.Duration
	Now    func() time.Time
	// Shared has a lease given up in the store as soon as its run has ended, since
	// others wait for it.
	Shared bool
}

// lease is an environment held for a run.
type lease struct {
	t     Tenure
	owner string
	env   string
	epoch int64
	stop  context.CancelFunc
	ended chan struct{}

	mu      sync.Mutex
	expires time.Time
	lost    error
}

// hold takes an environment's lease and renews it until release. The lease's
// fence falls as soon as it may have expired.
func (t Tenure) hold(ctx context.Context, env string) (*lease, error) {
	owner := t.Owner
	if t.Shared { // two workers of one process are two owners as well
		owner += "/" + rand.Text()[:6]
	}
	at := t.Now()
	epoch, err := t.Leases.Acquire(ctx, env, owner, t.TTL, at)
	if err != nil {
		return nil, err
	}
	beat, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &lease{t: t, owner: owner, env: env, epoch: epoch, stop: stop, ended: make(chan struct{}), expires: at.Add(t.TTL)}
	go l.renew(beat)
	return l, nil
}

// await is hold for somebody who waits: another process may be looking at the
// environment just now, or have died.
func (t Tenure) await(ctx context.Context, env string) (*lease, error) {
	for until := t.Now().Add(2 * t.TTL); ; {
		l, err := t.hold(ctx, env)
		if !t.Shared || !errors.Is(err, store.ErrHeld) || !t.Now().Before(until) {
			return l, err
		}
		select {
		case <-time.After(heldPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *lease) renew(ctx context.Context) {
	defer close(l.ended)
	tick := time.NewTicker(l.t.TTL / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		at := l.t.Now()
		err := l.t.Leases.Heartbeat(ctx, l.env, l.owner, l.t.TTL, at)
		l.mu.Lock()
		if err == nil {
			l.expires = at.Add(l.t.TTL)
		} else if ctx.Err() == nil && isFenced(err) {
			l.lost = err
		}
		l.mu.Unlock()
	}
}

// fence tells whether the lease still holds.
func (l *lease) fence(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost != nil {
		return fmt.Errorf("another isobar works on %s now: %w", l.env, l.lost)
	}
	if now := l.t.Now(); !now.Before(l.expires) {
		return fmt.Errorf("the lease on %s ran out at %s", l.env, l.expires.UTC().Format(time.RFC3339))
	}
	return nil
}

// guard returns a ctx whose mutating calls the lease fences.
func (l *lease) guard(ctx context.Context) context.Context {
	return provider.WithFence(ctx, l.fence)
}

// release ends the renewal, and in a shared store the lease. Elsewhere it runs
// out, or is taken again by the same owner.
func (l *lease) release(ctx context.Context) {
	l.stop()
	<-l.ended
	if l.t.Shared {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.t.TTL)
		defer cancel()
		_ = l.t.Leases.Release(ctx, l.env, l.owner) // else it runs out
	}
}
