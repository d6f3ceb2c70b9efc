package resource

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Value is a node of the value tree: Null, Bool, Int, Float, String, List,
// Map, Ref, Template, Secret, Unknown or Unread. A nil Value means "no such
// field". Values are immutable by convention: share them, never write into a
// Map or List that somebody else holds.
type Value interface{ value() }

type (
	// Null is an explicit null.
	Null struct{}
	// Bool is a truth value.
	Bool bool
	// Int is a whole number within 64 bits.
	Int int64
	// Float is any other finite number. A Float never holds a whole number
	// that an Int could hold: build numbers with Number.
	Float float64
	// String is text without references.
	String string
	// List is a sequence. Whether its order matters is the descriptor's word.
	List []Value
	// Map is a struct or a map with string keys.
	Map map[string]Value
	// Unknown stands for a value that only a step of the plan will make:
	// Because names the reference that it waits for, if one is known.
	Unknown struct{ Because Ref }
	// Unread stands for a field of a live object that could not be read, with
	// the reason. It is not absence: nothing may be decided from it.
	Unread struct{ Why string }
)

func (Null) value()     {}
func (Bool) value()     {}
func (Int) value()      {}
func (Float) value()    {}
func (String) value()   {}
func (List) value()     {}
func (Map) value()      {}
func (Ref) value()      {}
func (Template) value() {}
func (Secret) value()   {}
func (Unknown) value()  {}
func (Unread) value()   {}

// Number gives an Int where f is whole and within 64 bits, else a Float.
func Number(f float64) Value {
	if f >= -(1<<63) && f < 1<<63 && f == float64(int64(f)) {
		return Int(int64(f))
	}
	return Float(f)
}

// Equal reports deep equality; lists compare in order. Secrets are equal when
// their MACs are (or, lacking a MAC, name, field and version). Unknown and
// Unread equal nothing, not even themselves: what is not known cannot be said
// to be the same.
func Equal(a, b Value) bool {
	switch x := a.(type) {
	case nil:
		return b == nil
	case List:
		y, ok := b.(List)
		return ok && slices.EqualFunc(x, y, Equal)
	case Map:
		y, ok := b.(Map)
		return ok && maps.EqualFunc(x, y, Equal)
	case Template:
		y, ok := b.(Template)
		return ok && slices.EqualFunc(x, y, Equal)
	case Secret:
		y, ok := b.(Secret)
		return ok && x.same(y)
	case Unknown, Unread:
		return false
	default:
		switch b.(type) {
		case List, Map, Template:
			return false
		}
		return a == b
	}
}

// Empty reports whether v is absent, null, or a list or map of nothing: what a
// cloud does not tell apart.
func Empty(v Value) bool {
	switch x := v.(type) {
	case nil, Null:
		return true
	case List:
		return len(x) == 0
	case Map:
		return len(x) == 0
	default:
		return false
	}
}

// Contains reports whether any node of v satisfies is.
func Contains(v Value, is func(Value) bool) bool {
	if v == nil {
		return false
	}
	if is(v) {
		return true
	}
	found := func(e Value) bool { return Contains(e, is) }
	switch x := v.(type) {
	case List:
		return slices.ContainsFunc(x, found)
	case Template:
		return slices.ContainsFunc(x, found)
	case Map:
		for _, e := range x {
			if found(e) {
				return true
			}
		}
	}
	return false
}

// HasUnknown reports whether v holds an Unknown anywhere.
func HasUnknown(v Value) bool {
	return Contains(v, func(e Value) bool { _, ok := e.(Unknown); return ok })
}

// HasUnread reports whether v holds an Unread anywhere.
func HasUnread(v Value) bool {
	return Contains(v, func(e Value) bool { _, ok := e.(Unread); return ok })
}

// WhyUnread is why something of v could not be read, or "".
func WhyUnread(v Value) (why string) {
	Contains(v, func(e Value) bool {
		u, ok := e.(Unread)
		why = u.Why
		return ok
	})
	return why
}

// Rewrite returns v with every node replaced by what f gives for it, leaves
// first; nil takes the node out of its list or map. Parts that f leaves alone
// are shared, not copied.
func Rewrite(v Value, f func(Value) Value) Value {
	switch x := v.(type) {
	case nil:
		return nil
	case List:
		return f(rewriteList(x, f))
	case Template:
		return f(Template(rewriteList(List(x), f)).Join())
	case Map:
		out := x
		for k, e := range x {
			n := Rewrite(e, f)
			if identical(n, e) {
				continue
			}
			if isSame(out, x) {
				out = maps.Clone(x)
			}
			if n == nil {
				delete(out, k)
			} else {
				out[k] = n
			}
		}
		return f(out)
	default:
		return f(v)
	}
}

func rewriteList(x List, f func(Value) Value) List {
	var out List // nil as long as nothing changed
	for i, e := range x {
		n := Rewrite(e, f)
		if out == nil {
			if identical(n, e) {
				continue
			}
			out = append(make(List, 0, len(x)), x[:i]...)
		}
		if n != nil {
			out = append(out, n)
		}
	}
	if out == nil {
		return x
	}
	return out
}

func isSame(a, b Map) bool {
	return len(a) == len(b) && mapPointer(a) == mapPointer(b)
}

// identical is a cheap "f did not touch it": same node, not merely equal.
func identical(a, b Value) bool {
	switch x := a.(type) {
	case List:
		y, ok := b.(List)
		return ok && len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0])
	case Template:
		y, ok := b.(Template)
		return ok && len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0])
	case Map:
		y, ok := b.(Map)
		return ok && isSame(x, y)
	}
	switch b.(type) {
	case List, Map, Template:
		return false
	}
	return a == b
}

// Compare gives a total order over values, for canonical order of sets: by
// type, then by content; maps by their canonical encoding. It is 0 for equal
// values only; secrets compare by what they refer to, not by their MAC alone.
func Compare(a, b Value) int {
	ra, rb := rank(a), rank(b)
	if ra != rb {
		return cmp.Compare(ra, rb)
	}
	switch x := a.(type) {
	case Int:
		return cmp.Compare(x, b.(Int))
	case Float:
		return cmp.Compare(x, b.(Float))
	case String:
		return strings.Compare(string(x), string(b.(String)))
	case nil:
		return 0
	default:
		return bytes.Compare(Encode(a), Encode(b))
	}
}

func rank(v Value) int {
	switch v.(type) {
	case nil:
		return 0
	case Null:
		return 1
	case Bool:
		return 2
	case Int:
		return 3
	case Float:
		return 4
	case String:
		return 5
	case Ref, Template:
		return 6
	case Secret:
		return 7
	case List:
		return 8
	case Map:
		return 9
	default:
		return 10
	}
}

// Sorted returns l in canonical order, leaving l alone.
func Sorted(l List) List {
	out := slices.Clone(l)
	slices.SortStableFunc(out, Compare)
	return out
}

// Keys gives a map's keys in order.
func (m Map) Keys() []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Text gives the field's text, or "" where it is not a String.
func (m Map) Text(key string) string {
	s, _ := m[key].(String)
	return string(s)
}
