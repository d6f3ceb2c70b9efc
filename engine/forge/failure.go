package forge

import (
	"context"
	"errors"
	"net"
	"net/http"

	"isobar.dev/engine/resource"
)

const strangeAnswer = "the forge's answer is not what its API gives: check its address, and what stands between"

// effect says what a call whose answer is lost may have done.
type effect bool

const (
	reading effect = false
	writing effect = true
)

// effectOf tells by the method. All that is not GET or HEAD writes.
func effectOf(method string) effect {
	return effect(method != http.MethodGet && method != http.MethodHead)
}

// lost is the class of a call whose outcome is not known.
func (e effect) lost() resource.Class {
	if e == writing {
		return resource.UnknownOutcome
	}
	return resource.Transient
}

// classify gives an SDK's error as a Failure named for the call; nil stays nil.
// Nearly all of them come from the wire, which has classified them.
func classify(op string, e effect, err error) error {
	if err == nil {
		return nil
	}
	var f *resource.Failure
	switch {
	case errors.As(err, &f):
		named := *f
		named.Op = op
		if e == reading && named.Class == resource.UnknownOutcome { // a query that was posted
			named.Class = resource.Transient
		}
		return &named
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &resource.Failure{Class: e.lost(), Op: op, Message: "gave up waiting for the forge", Err: err}
	}
	return &resource.Failure{Class: e.lost(), Op: op, Message: strangeAnswer, Err: err}
}

// unsent is the Failure of a request that got no answer.
func unsent(e effect, err error) *resource.Failure {
	var own *resource.Failure
	if errors.As(err, &own) {
		return own
	}
	f := &resource.Failure{Class: e.lost(), Message: "no answer from the forge", Err: err}
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns), errors.As(err, &op) && op.Op == "dial":
		f.Class, f.Message = resource.Transient, "the forge can't be reached"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		f.Message = "gave up waiting for the forge"
		return f
	}
	f.Message += ": " + err.Error()
	return f
}

func invalid(op, message string) error {
	return &resource.Failure{Class: resource.Invalid, Op: op, Message: message}
}
