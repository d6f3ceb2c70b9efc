package aws

import (
	"iter"
	"maps"
	"math"

	"github.com/aws/aws-sdk-go-v2/aws"

	"isobar.dev/engine/resource"
)

// notAsked is why a field that costs a call of its own is Unread where no want
// named its aspect.
const notAsked = "not asked for"

// text sets a field where the API gave it.
func text(f resource.Map, field string, v *string) {
	if s := aws.ToString(v); s != "" {
		f[field] = resource.String(s)
	}
}

// optional gives a text field for the API, nil where it is unset.
func optional(f resource.Map, field string) *string {
	if s := f.Text(field); s != "" {
		return aws.String(s)
	}
	return nil
}

// number sets a field where the API gave it. Zero is EC2's way to say that a
// volume's type has no such number.
func number(f resource.Map, field string, v *int32) {
	if n := aws.ToInt32(v); n != 0 {
		f[field] = resource.Int(n)
	}
}

// optionalInt gives a number for the API, nil where it is unset.
func optionalInt(f resource.Map, field string) *int32 {
	if n, ok := f[field].(resource.Int); ok && n >= math.MinInt32 && n <= math.MaxInt32 {
		return aws.Int32(int32(n))
	}
	return nil
}

// boolOr gives a truth value, or what the API takes for one that is unset.
func boolOr(f resource.Map, field string, unset bool) bool {
	if b, ok := f[field].(resource.Bool); ok {
		return bool(b)
	}
	return unset
}

// structs gives the elements of a list that are structs.
func structs(v resource.Value) []resource.Map {
	l, _ := v.(resource.List)
	out := make([]resource.Map, 0, len(l))
	for _, e := range l {
		if m, ok := e.(resource.Map); ok {
			out = append(out, m)
		}
	}
	return out
}

// texts gives the elements of a list that are text, as a set.
func texts(v resource.Value) map[string]bool {
	l, _ := v.(resource.List)
	out := make(map[string]bool, len(l))
	for _, e := range l {
		if s, ok := e.(resource.String); ok {
			out[string(s)] = true
		}
	}
	return out
}

// keys iterates over a set.
func keys(set map[string]bool) iter.Seq[string] { return maps.Keys(set) }

// emptyAnswer is a success without the object that it promises: what became of
// the create is not known.
func emptyAnswer(op string) error {
	return &resource.Failure{Class: resource.UnknownOutcome, Op: op, Message: "the answer does not name what was created"}
}
