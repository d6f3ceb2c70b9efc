package resource

import (
	"fmt"
	"io"
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
