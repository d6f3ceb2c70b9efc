package spec

import (
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/errors"

	"isobar.dev/engine/diag"
)

// causes puts what is wrong within a text in the place of CUE's "invalid
// interpolation", so that it is told where the reference stands.
func causes(w world, p []string, group []errors.Error) []errors.Error {
	out := make([]errors.Error, len(group))
	for i, err := range group {
		out[i] = err
		if !interpolation(err) {
			continue
		}
		cause := within(err)
		for n := len(p); cause == nil && n > 0; n-- { // a disjunction loses it: the user's own value has none
			for _, own := range errors.Errors(w.raw.LookupPath(pathOf(p[:n])).Validate(cue.Concrete(true))) {
				if interpolation(own) && own.Position() == err.Position() {
					cause = within(own)
				}
			}
		}
		if cause != nil {
			out[i] = cause
		}
	}
	return out
}

func interpolation(err errors.Error) bool {
	format, _ := err.Msg()
	return strings.HasPrefix(format, "invalid interpolation")
}

// within is the cause that an error wraps, nil where there is none.
func within(err errors.Error) errors.Error {
	var cause errors.Error
	if errors.As(errors.Unwrap(err), &cause) {
		return cause
	}
	return nil
}

// settle files the vague findings where nothing else says what is wrong: an
// echo of a fault elsewhere is told only there.
func (e *evaluation) settle(vague diag.List) {
	if e.found.Errors() == 0 {
		e.add(vague...)
	}
}
