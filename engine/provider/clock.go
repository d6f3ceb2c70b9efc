package provider

import (
	"context"
	"math/rand/v2"
	"time"
)

// Clock is the time that the wrappers live by. The zero Clock is the
// machine's. All three functions must be safe for concurrent use.
type Clock struct {
	Now    func() time.Time                                 // nil: the wall clock
	Sleep  func(ctx context.Context, d time.Duration) error // nil: a timer; returns ctx's error when it ends first
	Random func() float64                                   // nil: the process's generator; in [0, 1)
}

func (c Clock) now() time.Time {
	if c.Now == nil {
		return time.Now() //nolint:forbidigo // the default of an injected clock has its one home here
	}
	return c.Now()
}

func (c Clock) random() float64 {
	if c.Random == nil {
		return rand.Float64() //nolint:gosec // jitter, not a secret
	}
	return c.Random()
}

func (c Clock) sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	if c.Sleep != nil {
		return c.Sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
