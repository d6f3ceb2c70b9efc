package provider

import "context"

// Fenced asks ctx's fence just before each mutating call and makes none while
// it is down: the error is then a *FencedError, and nothing was sent. Providers
// check again before each send of a call that makes several.
func Fenced(s Session) Session {
	return around{Session: s, do: func(ctx context.Context, c Call, next func(context.Context) error) error {
		if c.Op.Mutates() {
			if err := CheckFence(ctx); err != nil {
				return &FencedError{Cause: err}
			}
		}
		return next(ctx)
	}}
}
