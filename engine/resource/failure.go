package resource

import (
	"errors"
	"strings"
	"time"
)

// Class says what a failed call means and what may be done about it.
type Class string

// The classes. A provider classifies each error once, at its edge.
const (
	Invalid        Class = "invalid"         // the request can never succeed as it is: do not retry, mend the spec
	Denied         Class = "denied"          // credentials or permission: do not retry, tell the people
	NotFound       Class = "not_found"       // the object is not there
	Conflict       Class = "conflict"        // something else holds it (in use, exists already, version moved): retry later
	Throttled      Class = "throttled"       // too many calls, definitely not done: back off and retry
	Transient      Class = "transient"       // the peer is ill, definitely not done: back off and retry
	UnknownOutcome Class = "unknown_outcome" // a mutating call that may or may not have been done: settle it first
	Bug            Class = "bug"             // isobar's own fault
)

// Retryable reports whether the same call may be sent again after a pause.
func (c Class) Retryable() bool { return c == Throttled || c == Transient }

// Failure is a classified error of a provider's call.
type Failure struct {
	Class     Class
	Op        string        // the provider's call, "ec2:CreateVpc"
	Code      string        // the provider's own code, "VpcLimitExceeded"
	Message   string        // the provider's own words
	RequestID string        // the provider's request id
	After     time.Duration // the provider's advice when to try again; 0 is none
	Taken     bool          // what the call asks for is another object's, and stays it until that one goes
	// Interrupted is the field for whose sake the object's service was interrupted, in
	// vain: made again, the call would interrupt it again. "" is none.
	Interrupted string
	Became      string // what the object is by it as the call failed, in words: true then, and perhaps not later
	Err         error  // the cause, or nil
}

// Error gives "ec2:CreateVpc: VpcLimitExceeded: … (request 12ab)".
func (f *Failure) Error() string {
	parts := make([]string, 0, 4)
	for _, p := range []string{f.Op, f.Code, f.Message} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if f.Message == "" && f.Err != nil {
		parts = append(parts, f.Err.Error())
	}
	s := strings.Join(parts, ": ")
	if f.Became != "" {
		s = strings.TrimRight(s, ". ") + ": " + f.Became
	}
	if f.RequestID != "" {
		s += " (request " + f.RequestID + ")"
	}
	return s
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Interrupts reports whether err is of a call that would interrupt its object's
// service again if it were made again.
func Interrupts(err error) bool {
	var f *Failure
	return errors.As(err, &f) && f.Interrupted != ""
}

// ClassOf gives the class of err: that of the Failure within it, "" for nil,
// and Bug for an error that no provider classified.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	var f *Failure
	if errors.As(err, &f) {
		return f.Class
	}
	return Bug
}
