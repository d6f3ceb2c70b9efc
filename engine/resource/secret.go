package resource

import (
	"fmt"
	"io"
	"maps"
)

// Secret is a reference to a secret, never its value: the name that a spec's
// secrets map binds, and the field within it. Version and MAC, where known,
// tell one value from another without showing it: Version is the source's
// own, MAC an HMAC-SHA256 under the daemon's key, in hex.
type Secret struct {
	Name    string // "db/shop"
	Field   string // "password", or "" for the whole
	Version string // the source's version, or ""
	MAC     string // hex HMAC-SHA256 of the value, or ""
}

// Hidden is how a secret prints everywhere.
const Hidden = "(secret)"

// String gives "(secret)".
func (Secret) String() string { return Hidden }

// Format prints "(secret)" for every verb of package fmt.
func (Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, Hidden) }

// MarshalJSON gives "(secret)": only Encode writes the reference itself.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + Hidden + `"`), nil }

func (s Secret) same(o Secret) bool {
	if s.MAC != "" && o.MAC != "" {
		return s.MAC == o.MAC
	}
	return s.Name == o.Name && s.Field == o.Field && s.Version == o.Version
}

// SecretSource says where a secret is read from; exactly one field is set.
type SecretSource struct {
	Env  string `json:"env,omitempty"`  // an environment variable of the isobar process
	File string `json:"file,omitempty"` // a file on its machine
}

// Conceal gives an object's live fields with each text that stands where one of
// the likes holds a Secret made a Secret of that name, told from others by mac
// alone: so a value that is secret in the spec or in the ledger is compared and
// never seen. Nothing of fields is written to; parts that hold no such text are
// shared.
func Conceal(fields Map, mac func(value string) string, likes ...Map) Map {
	vs := make([]Value, 0, len(likes))
	for _, l := range likes {
		if l != nil {
			vs = append(vs, l)
		}
	}
	m, _ := conceal(fields, mac, vs).(Map)
	return m
}

func conceal(v Value, mac func(string) string, likes []Value) Value {
	switch x := v.(type) {
	case String:
		for _, l := range likes {
			if s, ok := l.(Secret); ok {
				return Secret{Name: s.Name, Field: s.Field, MAC: mac(string(x))}
			}
		}
	case Map:
		out := x
		for k, e := range x {
			var subs []Value
			for _, l := range likes {
				if m, ok := l.(Map); ok && m[k] != nil {
					subs = append(subs, m[k])
				}
			}
			if len(subs) == 0 {
				continue
			}
			n := conceal(e, mac, subs)
			if identical(n, e) {
				continue
			}
			if isSame(out, x) {
				out = maps.Clone(x)
			}
			out[k] = n
		}
		return out
	}
	return v
}

// HasSecret reports whether v holds a Secret anywhere.
func HasSecret(v Value) bool {
	return Contains(v, func(e Value) bool { _, ok := e.(Secret); return ok })
}
