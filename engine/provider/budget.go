package provider

import (
	"context"
	"slices"
	"sync"
	"time"

	"isobar.dev/engine/resource"
)

// Rate bounds a budget. It rises by Step a second while calls succeed and
// halves when the provider throttles (additive increase, multiplicative
// decrease, as TCP does: RFC 5681 §3.1).
type Rate struct {
	Start float64 // calls a second at first; 0 means 10
	Min   float64 // never fewer; 0 means 0.5
	Max   float64 // never more; 0 means 50
	Step  float64 // calls a second gained each second; 0 means 1
	Burst float64 // calls at once after a pause; 0 means Start
}

func (r Rate) withDefaults() Rate {
	def := func(v *float64, d float64) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&r.Start, 10)
	def(&r.Min, 0.5)
	def(&r.Max, max(50, r.Start))
	def(&r.Step, 1)
	def(&r.Burst, max(1, r.Start))
	return r
}

// Budgets holds one Bucket for each scope and service, shared by all sessions
// on it. Safe for concurrent use.
type Budgets struct {
	rate  Rate
	clock Clock
	mu    sync.Mutex
	by    map[[2]string]*Bucket
	waits map[*Wait]bool // calls that wait now
}

// NewBudgets gives budgets that all start at rate.
func NewBudgets(rate Rate, c Clock) *Budgets {
	return &Budgets{rate: rate.withDefaults(), clock: c, by: map[[2]string]*Bucket{}, waits: map[*Wait]bool{}}
}

// For gives the bucket of a scope and service, making it at its first use.
func (b *Budgets) For(scope, service string) *Bucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := [2]string{scope, service}
	if b.by[k] == nil {
		b.by[k] = &Bucket{limits: b.rate, clock: b.clock, rate: b.rate.Start, tokens: b.rate.Burst, last: b.clock.now(), queues: map[string][]*waiter{}}
	}
	return b.by[k]
}

// Budget makes each call take its turn in the bucket of the session's scope and
// the kind's service (nil: one service for all), and tells the bucket how it
// went.
func Budget(s Session, b *Budgets, service func(kind string) string) Session {
	return around{Session: s, do: func(ctx context.Context, c Call, next func(context.Context) error) error {
		name := ""
		if service != nil {
			name = service(c.Kind)
		}
		bucket := b.For(s.Scope(), name)
		wait, end := waiting(ctx, c.Op)
		over := b.wait(ctx, s.Scope(), name)
		err := bucket.Take(wait)
		over()
		if err != nil {
			err = unsent(c.Op, context.Cause(wait))
		}
		end()
		if err != nil {
			return err
		}
		err = next(ctx)
		bucket.Report(err)
		return err
	}}
}

type callerKey struct{}

// WithCaller names on whose behalf calls under ctx are made (an environment):
// budgets serve callers in turn, so one with a thousand calls does not keep
// another with a single one waiting.
func WithCaller(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, callerKey{}, name)
}

// Bucket is a token bucket whose rate adapts, with one queue a caller. Safe for
// concurrent use.
type Bucket struct {
	limits Rate
	clock  Clock

	mu     sync.Mutex
	rate   float64 // tokens a second now
	tokens float64
	last   time.Time // when tokens was right
	hold   time.Time // nothing before it: the provider said so
	cut    time.Time // when the rate was last halved
	queues map[string][]*waiter
	ring   []string // callers with waiters, the next to be served first
	leader *waiter  // the one that waits for a token
}

type waiter struct{ turn chan struct{} }

// Take waits for a token. Its only error is ctx's.
func (b *Bucket) Take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	caller, _ := ctx.Value(callerKey{}).(string)
	w := &waiter{turn: make(chan struct{})}
	b.mu.Lock()
	if len(b.queues[caller]) == 0 {
		b.ring = append(b.ring, caller)
	}
	b.queues[caller] = append(b.queues[caller], w)
	if b.leader == nil {
		b.lead()
	}
	b.mu.Unlock()
	select {
	case <-w.turn:
	case <-ctx.Done():
		b.leave(caller, w)
		return ctx.Err()
	}
	for {
		wait := b.draw()
		if wait <= 0 {
			return nil
		}
		if err := b.clock.sleep(ctx, wait); err != nil {
			b.mu.Lock()
			b.lead()
			b.mu.Unlock()
			return err
		}
	}
}

// draw takes a token and hands the lead on, or says how long until there is one.
func (b *Bucket) draw() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.now()
	if d := b.hold.Sub(now); d > 0 {
		return d
	}
	if d := now.Sub(b.last); d > 0 {
		b.tokens = min(b.limits.Burst, b.tokens+d.Seconds()*b.rate)
		b.last = now
	}
	if b.tokens >= 1 {
		b.tokens--
		b.lead()
		return 0
	}
	return max(time.Microsecond, time.Duration((1-b.tokens)/b.rate*float64(time.Second)))
}

// lead makes the next caller's first waiter the leader and sends the caller to
// the ring's end. The lock is held.
func (b *Bucket) lead() {
	b.leader = nil
	if len(b.ring) == 0 {
		return
	}
	caller := b.ring[0]
	b.ring = b.ring[1:]
	q := b.queues[caller]
	b.leader = q[0]
	if len(q) > 1 {
		b.queues[caller] = q[1:]
		b.ring = append(b.ring, caller)
	} else {
		delete(b.queues, caller)
	}
	close(b.leader.turn)
}

// leave withdraws a waiter whose ctx ended.
func (b *Bucket) leave(caller string, w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.leader == w {
		b.lead()
		return
	}
	q := b.queues[caller]
	i := slices.Index(q, w)
	if i < 0 {
		return
	}
	if q = slices.Delete(q, i, i+1); len(q) > 0 {
		b.queues[caller] = q
		return
	}
	delete(b.queues, caller)
	b.ring = slices.DeleteFunc(b.ring, func(c string) bool { return c == caller })
}

// Report tells the bucket how a call went: nil raises the rate, Throttled
// halves it, at most once a second, since many calls in flight are refused for
// one cause. Other errors tell nothing of the rate.
func (b *Bucket) Report(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.rate = min(b.limits.Max, b.rate+b.limits.Step/b.rate)
	case resource.ClassOf(err) == resource.Throttled:
		now := b.clock.now()
		if until := now.Add(advice(err)); until.After(b.hold) {
			b.hold = until
		}
		if now.Sub(b.cut) < time.Second {
			return
		}
		b.cut, b.last = now, now
		b.rate = max(b.limits.Min, b.rate/2)
		b.tokens = min(b.tokens, 0)
	}
}

// Rate gives the calls a second that the bucket allows now.
func (b *Bucket) Rate() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rate
}
