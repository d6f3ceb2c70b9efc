package provider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"isobar.dev/engine/resource"
)

// RetryPolicy bounds retries.
type RetryPolicy struct {
	Attempts int           // calls in all, the first one counted; 0 means 5
	Base     time.Duration // the back-off after the first call is random in [0, Base); 0 means 500 ms
	Max      time.Duration // the bound of the doubling; 0 means 20 s
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	if p.Attempts <= 0 {
		p.Attempts = 5
	}
	if p.Base <= 0 {
		p.Base = 500 * time.Millisecond
	}
	if p.Max <= 0 {
		p.Max = 20 * time.Second
	}
	return p
}

// Retry sends calls again after a definite refusal (Throttled, Transient), with
// exponential back-off under full jitter (the AWS Architecture Blog's
// "Exponential Backoff And Jitter"), never sooner than the Failure's After and
// never past ctx's deadline. What ran into a deadline is not sent again: a peer
// that hangs would hold up everything beside it. Nor is what would interrupt its
// object's service again (Failure.Interrupted). Of a read or poll only the parts that failed are
// sent again. A create whose error comes with an object or a handle is not sent
// again, and UnknownOutcome never is. It also gives unclassified errors their
// class, so it stands outermost.
func Retry(s Session, p RetryPolicy, c Clock) Session {
	r := &retrying{policy: p.withDefaults(), clock: c}
	r.around = around{Session: s, do: r.step}
	return r
}

type retrying struct {
	around
	policy RetryPolicy
	clock  Clock
}

// step is for the calls with one outcome: all but Read and Poll.
func (r *retrying) step(ctx context.Context, c Call, next func(context.Context) error) error {
	for n := 1; ; n++ {
		err := classify(c.Op, next(ctx))
		if !r.again(ctx, c.Op, n, err) {
			return err
		}
	}
}

// Create is not sent again once something of the object is known to be there.
func (r *retrying) Create(ctx context.Context, want resource.Object, m resource.Mark) (Progress, error) {
	for n := 1; ; n++ {
		p, err := r.Session.Create(ctx, want, m)
		err = classify(OpCreate, err)
		if p.Object.ID != "" || p.Handle != "" || !r.again(ctx, OpCreate, n, err) {
			return p, err
		}
	}
}

func (r *retrying) Read(ctx context.Context, wants []resource.Want) []resource.Answer {
	out := make([]resource.Answer, len(wants))
	todo := allOf(len(wants))
	for n := 1; len(todo) > 0; n++ {
		part := make([]resource.Want, len(todo))
		for i, at := range todo {
			part[i] = wants[at]
		}
		got := r.Session.Read(ctx, part)
		if len(got) != len(part) {
			err := countError("answers", len(got), len(part))
			got = make([]resource.Answer, len(part))
			for i := range got {
				got[i].Err = err
			}
		}
		var failed []int
		var worst error
		for i, at := range todo {
			got[i].Err = classify(OpRead, got[i].Err)
			out[at] = got[i]
			if resource.ClassOf(got[i].Err).Retryable() && !hung(got[i].Err) {
				failed, worst = append(failed, at), later(worst, got[i].Err)
			}
		}
		if todo = failed; !r.again(ctx, OpRead, n, worst) {
			break
		}
	}
	return out
}

func (r *retrying) Poll(ctx context.Context, hs []resource.Handle) []Polled {
	out := make([]Polled, len(hs))
	todo := allOf(len(hs))
	for n := 1; len(todo) > 0; n++ {
		part := make([]resource.Handle, len(todo))
		for i, at := range todo {
			part[i] = hs[at]
		}
		got := r.Session.Poll(ctx, part)
		if len(got) != len(part) {
			err := countError("polls", len(got), len(part))
			got = make([]Polled, len(part))
			for i := range got {
				got[i].Err = err
			}
		}
		var failed []int
		var worst error
		for i, at := range todo {
			got[i].Err = classify(OpPoll, got[i].Err)
			out[at] = got[i]
			if !got[i].Done && resource.ClassOf(got[i].Err).Retryable() && !hung(got[i].Err) {
				failed, worst = append(failed, at), later(worst, got[i].Err)
			}
		}
		if todo = failed; !r.again(ctx, OpPoll, n, worst) {
			break
		}
	}
	return out
}

// again waits before call n+1 and reports whether to make it.
func (r *retrying) again(ctx context.Context, op Op, n int, err error) bool {
	if err == nil || n >= r.policy.Attempts || !resource.ClassOf(err).Retryable() || resource.Interrupts(err) || hung(err) || ctx.Err() != nil {
		return false
	}
	top := r.policy.Max
	if shift := n - 1; shift < 30 {
		top = min(top, r.policy.Base<<shift)
	}
	wait := max(time.Duration(r.clock.random()*float64(top)), advice(err))
	if end, ok := ctx.Deadline(); ok && r.clock.now().Add(wait).After(end) {
		return false
	}
	until, end := waiting(ctx, op)
	defer end()
	return r.clock.sleep(until, wait) == nil && until.Err() == nil
}

// advice is the provider's own word on when to try again.
func advice(err error) time.Duration {
	var f *resource.Failure
	if errors.As(err, &f) {
		return f.After
	}
	return 0
}

// later gives the error that advises the longer wait.
func later(a, b error) error {
	if a == nil || advice(b) > advice(a) {
		return b
	}
	return a
}

func allOf(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func countError(what string, got, want int) error {
	return &resource.Failure{Class: resource.Bug, Message: fmt.Sprintf("the provider gave %d %s where %d were asked for", got, what, want)}
}
