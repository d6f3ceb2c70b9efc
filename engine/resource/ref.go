package resource

import (
	"fmt"
	"slices"
	"strings"
)

// refOpen starts a reference within a string. A user's own literal may not
// contain it.
const refOpen = "${isobar:"

// Ref points at an output of another resource. Within a spec's JSON it is the
// string "${isobar:prod/aws.vpc/main#id}".
type Ref struct {
	Address Address
	Out     string // the output's name, "id"
}

// String gives the form that stands in a spec's JSON.
func (r Ref) String() string { return refOpen + r.Address.String() + "#" + r.Out + "}" }

// Short is the reference as people read it: "aws.vpc/main#id".
func (r Ref) Short() string { return r.Address.Local() + "#" + r.Out }

// Template is text with references in it, such as "${isobar:…#arn}/*": its
// parts are String and Ref in turn (and, half resolved, other values).
type Template []Value

// Join turns a template all of whose parts are text into one String, and one
// with an Unknown or Unread part into that part; else it returns the template.
func (t Template) Join() Value {
	var b strings.Builder
	for _, p := range t {
		switch x := p.(type) {
		case String:
			b.WriteString(string(x))
		case Int:
			fmt.Fprint(&b, int64(x))
		case Bool:
			fmt.Fprint(&b, bool(x))
		case Unknown, Unread:
			return p
		default:
			return t
		}
	}
	return String(b.String())
}

// String gives the form that stands in a spec's JSON. A part that is neither
// text nor a reference prints as people read it: a secret stays hidden.
func (t Template) String() string {
	var b strings.Builder
	for _, p := range t {
		switch x := p.(type) {
		case String:
			b.WriteString(string(x))
		case Ref:
			b.WriteString(x.String())
		case Secret:
			b.WriteString(Hidden)
		default:
			b.Write(Encode(p))
		}
	}
	return b.String()
}

// ParseText reads a string of a spec: a String where it has no reference, a
// Ref where it is one whole, else a Template. A malformed reference is an
// error that quotes it.
func ParseText(s string) (Value, error) {
	if !strings.Contains(s, refOpen) {
		return String(s), nil
	}
	var parts Template
	for rest := s; rest != ""; {
		before, after, ok := strings.Cut(rest, refOpen)
		if before != "" {
			parts = append(parts, String(before))
		}
		if !ok {
			break
		}
		body, tail, closed := strings.Cut(after, "}")
		ref, err := parseRefBody(body)
		if !closed || err != nil {
			return nil, fmt.Errorf("%q is not a reference: refer to a resource's #out instead of writing one by hand", refOpen+body)
		}
		parts = append(parts, ref)
		rest = tail
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return parts, nil
}

func parseRefBody(body string) (Ref, error) {
	addr, out, ok := strings.Cut(body, "#")
	if !ok || !isOutput(out) {
		return Ref{}, fmt.Errorf("%q lacks #OUTPUT", body)
	}
	a, err := ParseAddress(addr)
	if err != nil {
		return Ref{}, err
	}
	return Ref{Address: a, Out: out}, nil
}

// Refs lists the references within v, each once, sorted by address and output.
func Refs(v Value) []Ref {
	var out []Ref
	Contains(v, func(e Value) bool {
		if r, ok := e.(Ref); ok {
			out = append(out, r)
		}
		return false
	})
	if len(out) < 2 {
		return out
	}
	slices.SortFunc(out, func(a, b Ref) int {
		if c := a.Address.Compare(b.Address); c != 0 {
			return c
		}
		return strings.Compare(a.Out, b.Out)
	})
	return slices.Compact(out)
}
