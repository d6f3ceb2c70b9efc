package provider

import (
	"context"
	"sync/atomic"
	"time"
)

// Trouble is what befalls one call. The zero Trouble is none.
type Trouble struct {
	Delay  time.Duration // wait first
	Before error         // the call is not made, and this is its error
	After  error         // the call is made, its answer is lost, and this is its error if it went well
}

// Fault asks plan what befalls each call; n counts this session's calls from 0.
// It is a seam for tests: production never sets it. plan must be safe for
// concurrent use.
func Fault(s Session, plan func(c Call, n int64) Trouble, c Clock) Session {
	var count atomic.Int64
	return around{Session: s, do: func(ctx context.Context, call Call, next func(context.Context) error) error {
		t := plan(call, count.Add(1)-1)
		if err := c.sleep(ctx, t.Delay); err != nil {
			return unsent(call.Op, err)
		}
		if t.Before != nil {
			return t.Before
		}
		if err := next(ctx); err != nil {
			return err
		}
		return t.After
	}}
}
