package resource

import (
	"fmt"
	"strconv"
	"strings"
)

// Path leads to a node of an object's fields: field names and map keys, outer
// first. It prints as tags.Name, with a key that is no plain identifier quoted:
// tags."a.b".
type Path []string

// String gives the form that ParsePath reads.
func (p Path) String() string {
	var b strings.Builder
	for i, e := range p {
		if i > 0 {
			b.WriteByte('.')
		}
		if plainKey(e) {
			b.WriteString(e)
		} else {
			b.WriteString(strconv.Quote(e))
		}
	}
	return b.String()
}

// ParsePath reads a path such as tags."a.b" or cidrBlock.
func ParsePath(s string) (Path, error) {
	var p Path
	for rest := s; ; {
		var e string
		if strings.HasPrefix(rest, `"`) {
			q, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, fmt.Errorf("%q is not a path: a quote is not closed", s)
			}
			if e, err = strconv.Unquote(q); err != nil {
				return nil, fmt.Errorf("%q is not a path: %w", s, err)
			}
			rest = rest[len(q):]
		} else {
			i := strings.IndexByte(rest, '.')
			if i < 0 {
				i = len(rest)
			}
			e, rest = rest[:i], rest[i:]
			if !plainKey(e) {
				return nil, fmt.Errorf("%q is not a path: write names joined by dots, with a key such as \"a.b\" in quotes", s)
			}
		}
		p = append(p, e)
		if rest == "" {
			return p, nil
		}
		if rest[0] != '.' {
			return nil, fmt.Errorf("%q is not a path: want a dot before %q", s, rest)
		}
		rest = rest[1:]
	}
}

// HasPrefix reports whether p is within q, or is q.
func (p Path) HasPrefix(q Path) bool {
	if len(q) > len(p) {
		return false
	}
	for i := range q {
		if p[i] != q[i] {
			return false
		}
	}
	return true
}

// MarshalText makes a Path a JSON string.
func (p Path) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Path) UnmarshalText(b []byte) error {
	q, err := ParsePath(string(b))
	*p = q
	return err
}

func plainKey(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '_' && c != '-' && c != ':' && c != '/' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
