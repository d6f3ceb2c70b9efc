package provider

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// Wait is a call that waits for its turn in a budget.
type Wait struct {
	Caller  string // for whom, see WithCaller
	Step    string // for which of its steps, see WithStep; "" for none or several
	Scope   string // whose budget: an account and region, a vCenter
	Service string // "" where the scope has one budget
	Since   time.Time
}

type stepKey struct{}

// WithStep names the step of a caller's that calls under ctx are made for, so that
// whoever asks is told what waits.
func WithStep(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, stepKey{}, id)
}

// wait notes a call that waits under ctx, until end.
func (b *Budgets) wait(ctx context.Context, scope, service string) (end func()) {
	w := &Wait{Scope: scope, Service: service, Since: b.clock.now()}
	w.Caller, _ = ctx.Value(callerKey{}).(string)
	w.Step, _ = ctx.Value(stepKey{}).(string)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waits[w] = true
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.waits, w)
	}
}

// Waits gives the calls that wait now, the longest first.
func (b *Budgets) Waits() []Wait {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Wait, 0, len(b.waits))
	for w := range b.waits {
		out = append(out, *w)
	}
	slices.SortFunc(out, func(x, y Wait) int {
		return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.Caller, y.Caller), cmp.Compare(x.Step, y.Step), cmp.Compare(x.Scope, y.Scope))
	})
	return out
}

// Load is how a budget stands.
type Load struct {
	Scope, Service string
	Rate           float64 // calls a second that it allows now
	Waiting        int     // calls that wait for their turn
}

// Loads gives the budgets that were used so far, in order of scope and service.
func (b *Budgets) Loads() []Load {
	b.mu.Lock()
	buckets, n := maps.Clone(b.by), map[[2]string]int{}
	for w := range b.waits {
		n[[2]string{w.Scope, w.Service}]++
	}
	b.mu.Unlock()
	out := make([]Load, 0, len(buckets))
	for k, bucket := range buckets {
		out = append(out, Load{k[0], k[1], bucket.Rate(), n[k]})
	}
	slices.SortFunc(out, func(x, y Load) int { return cmp.Or(cmp.Compare(x.Scope, y.Scope), cmp.Compare(x.Service, y.Service)) })
	return out
}
