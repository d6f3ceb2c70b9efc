package view

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"isobar.dev/engine/resource"
)

// unknownText is how a value prints that only apply will tell.
const unknownText = "(known after apply)"

// clean makes text from outside safe for one line of any face: control,
// invisible and direction-changing characters are escaped, line breaks become
// spaces.
func clean(s string) string {
	ok := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			ok = false
			break
		}
	}
	if ok {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case r != utf8.RuneError && unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// word writes a string value: bare where that cannot be mistaken for anything
// else, quoted where it can.
func word(s string) string {
	bare := s != ""
	for i, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) || strings.ContainsRune(` "'(){}[],→`, r) || i == 0 && strings.ContainsRune("+-~<$", r) {
			bare = false
			break
		}
	}
	if bare && s != "true" && s != "false" && s != "null" {
		if _, err := strconv.ParseFloat(s, 64); err != nil {
			return s
		}
	}
	return strconv.Quote(s)
}

// text writes a value on one line. Nothing of a secret is shown but that it is
// one; its name and version tell one from another.
func text(v resource.Value) string {
	switch x := v.(type) {
	case nil:
		return "(unset)"
	case resource.Null:
		return "null"
	case resource.String:
		return word(string(x))
	case resource.Ref:
		return x.Short()
	case resource.Template:
		var b strings.Builder
		for _, p := range x {
			switch y := p.(type) {
			case resource.String:
				b.WriteString(clean(string(y)))
			case resource.Ref:
				b.WriteString("${" + y.Short() + "}")
			default:
				b.WriteString(text(p))
			}
		}
		return b.String()
	case resource.Secret:
		return secretText(x)
	case resource.Unknown:
		return unknownText
	case resource.Unread:
		return "(unread: " + clean(x.Why) + ")"
	case resource.List:
		parts := make([]string, len(x))
		for i, e := range x {
			parts[i] = text(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case resource.Map:
		parts := make([]string, 0, len(x))
		for _, k := range x.Keys() {
			parts = append(parts, word(k)+": "+text(x[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return string(resource.Encode(v))
	}
}

func secretText(s resource.Secret) string {
	if s.Name == "" {
		return resource.Hidden
	}
	name := s.Name
	if s.Field != "" {
		name += "#" + s.Field
	}
	return join(" ", resource.Hidden, clean(name), clean(s.Version))
}

// sameSecret reports whether two values are one secret that holds another value
// now, of which no version tells.
func sameSecret(before, after resource.Value) bool {
	b, ok1 := before.(resource.Secret)
	a, ok2 := after.(resource.Secret)
	return ok1 && ok2 && a.Name != "" && secretText(b) == secretText(a)
}

// brief folds a long text to about limit characters and says how long it was.
func brief(s string, limit int) string {
	n := utf8.RuneCountInString(s)
	if limit <= 0 || n <= limit {
		return s
	}
	note := "… (" + strconv.Itoa(n) + " characters)"
	keep := max(limit-utf8.RuneCountInString(note), 8)
	r := []rune(s)
	if keep >= n {
		return s
	}
	return string(r[:keep]) + note
}

// mask hides what the descriptor calls sensitive within v.
func mask(f *resource.Field, v resource.Value) resource.Value {
	if f == nil || v == nil {
		return v
	}
	if f.Sensitive || f.WriteOnly {
		switch v.(type) {
		case resource.Unknown, resource.Unread, resource.Secret:
			return v
		}
		return resource.Secret{}
	}
	switch x := v.(type) {
	case resource.List:
		if f.Elem == nil {
			return v
		}
		out := make(resource.List, len(x))
		for i, e := range x {
			out[i] = mask(f.Elem, e)
		}
		return out
	case resource.Map:
		out := make(resource.Map, len(x))
		for k, e := range x {
			out[k] = mask(f.Child(k), e)
		}
		return out
	}
	return v
}
