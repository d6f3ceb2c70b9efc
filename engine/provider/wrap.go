package provider

import "context"

// Options choose what stands around a session. The zero Options give retry,
// deadlines and the fence.
type Options struct {
	Retry    RetryPolicy
	Timeouts Timeouts
	Budgets  *Budgets                      // nil: no rate budget
	Service  func(kind string) string      // which budget a kind's calls use; nil: one for all
	Trace    func(context.Context, Span)   // nil: none
	Fault    func(c Call, n int64) Trouble // nil: none; tests alone set it
	Hosts    *Hosts                        // nil: looks wait for an answer until their deadline
	Clock    Clock
}

// Wrap puts the usual stack around a session. From outside in: retry, budget,
// deadline, patience, fence, trace, fault. So each attempt takes its own turn in the
// budget, the wait for it does not eat the deadline, and the fence is asked
// after both, just before the call.
func Wrap(s Session, o Options) Session {
	if o.Fault != nil {
		s = Fault(s, o.Fault, o.Clock)
	}
	if o.Trace != nil {
		s = Trace(s, o.Trace, o.Clock)
	}
	s = Fenced(s)
	if o.Hosts != nil {
		s = Patient(s, o.Hosts)
	}
	s = Deadline(s, o.Timeouts)
	if o.Budgets != nil {
		s = Budget(s, o.Budgets, o.Service)
	}
	return &stack{Retry(s, o.Retry, o.Clock)}
}

// stack is a wrapped session behind a pointer, so that sessions can be compared
// and be the keys of maps.
type stack struct{ Session }
