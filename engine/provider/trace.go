package provider

import (
	"context"
	"time"

	"isobar.dev/engine/resource"
)

// Span is one call as metrics and logs want it: no field's value, no error text.
type Span struct {
	Call
	Scope string
	Took  time.Duration
	Class resource.Class // "" where it went well
}

// Trace tells the callback of each call that was made, after it. The callback
// must be quick and safe for concurrent use.
func Trace(s Session, tell func(context.Context, Span), c Clock) Session {
	return around{Session: s, do: func(ctx context.Context, call Call, next func(context.Context) error) error {
		start := c.now()
		err := next(ctx)
		tell(ctx, Span{Call: call, Scope: s.Scope(), Took: c.now().Sub(start), Class: resource.ClassOf(classify(call.Op, err))})
		return err
	}}
}
