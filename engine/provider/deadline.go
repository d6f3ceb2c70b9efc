package provider

import (
	"context"
	"time"
)

// Timeouts bound single calls.
type Timeouts struct {
	Read   time.Duration // Read and Poll; 0 means 2 min: a read may page through long lists
	Mutate time.Duration // all others; 0 means 1 min. A takeover waits for it (architecture §7.7)
}

// Deadline gives every call a deadline; one that ctx already has stays if it is
// sooner.
func Deadline(s Session, t Timeouts) Session {
	if t.Read <= 0 {
		t.Read = 2 * time.Minute
	}
	if t.Mutate <= 0 {
		t.Mutate = time.Minute
	}
	return around{Session: s, do: func(ctx context.Context, c Call, next func(context.Context) error) error {
		d := t.Read
		if c.Op.Mutates() {
			d = t.Mutate
		}
		ctx, cancel := context.WithTimeoutCause(ctx, d, &SlowError{Within: d})
		defer cancel()
		return next(ctx)
	}}
}
