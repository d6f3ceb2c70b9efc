package provider

import (
	"context"
	"errors"
)

// ErrStopped says that a call was not sent since its run was stopped.
var ErrStopped = errors.New("the run was stopped")

type stopKey struct{}

// WithStop returns a ctx for a run that somebody may stop by ending until. From
// then on no change is begun under it: one that waits for its turn is not sent,
// with an error that is ErrStopped, and one that was refused is not sent again.
// What was sent is heard out, and reads, polls and finds go on: they tell what
// became of it.
func WithStop(ctx, until context.Context) context.Context {
	return context.WithValue(ctx, stopKey{}, until)
}

// Stopped reports whether the run under whose ctx somebody waits was stopped.
func Stopped(ctx context.Context) bool {
	until, ok := ctx.Value(stopKey{}).(context.Context)
	return ok && until.Err() != nil
}

// waiting returns the ctx under which a call waits before it is sent: it ends
// with the run, if the call would begin a change. The caller calls end.
func waiting(ctx context.Context, op Op) (wait context.Context, end func()) {
	until, ok := ctx.Value(stopKey{}).(context.Context)
	if !ok || !op.Mutates() || op == OpFind {
		return ctx, func() {}
	}
	wait, cancel := context.WithCancelCause(ctx)
	if until.Err() != nil {
		cancel(ErrStopped)
		return wait, func() {}
	}
	unhook := context.AfterFunc(until, func() { cancel(ErrStopped) })
	return wait, func() { unhook(); cancel(nil) }
}
