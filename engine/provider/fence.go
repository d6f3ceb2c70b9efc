package provider

import (
	"context"
	"net/http"
)

// Fence tells whether its holder may still act: nil while its lease holds, else
// an error that says who holds it now. It must be safe for concurrent use and
// make no network call.
type Fence func(ctx context.Context) error

type fenceKey struct{}

// WithFence returns a ctx under which every mutating call checks f just before
// it is sent. Reads run under a ctx without one.
func WithFence(ctx context.Context, f Fence) context.Context {
	return context.WithValue(ctx, fenceKey{}, f)
}

// CheckFence asks the ctx's fence, if it has one.
func CheckFence(ctx context.Context) error {
	if f, ok := ctx.Value(fenceKey{}).(Fence); ok && f != nil {
		return f(ctx)
	}
	return nil
}

// HasFence reports whether ctx carries a fence.
func HasFence(ctx context.Context) bool {
	f, ok := ctx.Value(fenceKey{}).(Fence)
	return ok && f != nil
}

// FenceTransport checks the request's fence just before base sends it.
func FenceTransport(base http.RoundTripper) http.RoundTripper { return fenced{base} }

type fenced struct{ base http.RoundTripper }

func (t fenced) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := CheckFence(r.Context()); err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // RoundTrip must close it, also when it refuses
		}
		return nil, &FencedError{Cause: err}
	}
	return t.base.RoundTrip(r)
}

func (t fenced) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// FencedError says that a call was not sent since the fence was down.
type FencedError struct{ Cause error }

// Error gives the cause in words.
func (e *FencedError) Error() string { return "not sent: " + e.Cause.Error() }

// Unwrap gives the cause.
func (e *FencedError) Unwrap() error { return e.Cause }
