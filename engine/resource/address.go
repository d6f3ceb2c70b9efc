package resource

import (
	"cmp"
	"fmt"
	"strings"
)

// Address names a resource in a spec: environment, provider, kind and name. It
// prints as "prod/aws.vpc/main". The zero Address names nothing. Addresses are
// comparable and may be map keys.
type Address struct {
	Env      string // the environment: a lower-case label, "prod"
	Provider string // the provider or alias's provider, "aws"
	Kind     string // the kind within the provider, "vpc"
	Name     string // the name that the spec gives it, "main"
}

// ParseAddress reads the form that Address.String writes.
func ParseAddress(s string) (Address, error) {
	env, rest, ok := strings.Cut(s, "/")
	kind, name, ok2 := strings.Cut(rest, "/")
	prov, kind, ok3 := strings.Cut(kind, ".")
	a := Address{Env: env, Provider: prov, Kind: kind, Name: name}
	if !ok || !ok2 || !ok3 || !a.Valid() {
		return Address{}, fmt.Errorf("%q is not an address: write ENVIRONMENT/PROVIDER.KIND/NAME, e.g. prod/aws.vpc/main", s)
	}
	return a, nil
}

// Valid reports whether every part is well formed: the environment a
// lower-case label of at most 63 characters, provider and kind lower-case
// identifiers, the name of letters, digits, "_", "." and "-" (at most 128).
func (a Address) Valid() bool {
	return isLabel(a.Env) && isIdent(a.Provider) && isIdent(a.Kind) && isName(a.Name)
}

// IsZero reports whether the address names nothing.
func (a Address) IsZero() bool { return a == Address{} }

// String gives "prod/aws.vpc/main", the form that ParseAddress reads.
func (a Address) String() string { return a.Env + "/" + a.Local() }

// Local is the address without its environment, as people read it within one:
// "aws.vpc/main".
func (a Address) Local() string { return a.Type() + "/" + a.Name }

// Type is the full name of the kind, "aws.vpc".
func (a Address) Type() string { return a.Provider + "." + a.Kind }

// Compare orders addresses by environment, provider, kind and name; it is
// negative, zero or positive like cmp.Compare.
func (a Address) Compare(b Address) int {
	return cmp.Or(cmp.Compare(a.Env, b.Env), cmp.Compare(a.Provider, b.Provider),
		cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}

// MarshalText makes an Address a JSON string and map key.
func (a Address) MarshalText() ([]byte, error) {
	if a.IsZero() {
		return nil, nil
	}
	return []byte(a.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (a *Address) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*a = Address{}
		return nil
	}
	p, err := ParseAddress(string(b))
	*a = p
	return err
}
