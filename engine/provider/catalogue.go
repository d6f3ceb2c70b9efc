package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"isobar.dev/engine/resource"
)

// Catalogue is an explicit list of providers joined with the descriptors of
// their kinds. Read-only once checked, so safe for concurrent use.
type Catalogue struct {
	Types       []Type
	Descriptors resource.Descriptors
}

// Type gives the provider of that name.
func (c Catalogue) Type(name string) (Type, bool) {
	for _, t := range c.Types {
		if t.Name == name {
			return t, true
		}
	}
	return Type{}, false
}

// Kind gives a kind and its descriptor by its full name, "aws.vpc".
func (c Catalogue) Kind(full string) (Kind, *resource.Descriptor, bool) {
	name, kind, _ := strings.Cut(full, ".")
	t, ok := c.Type(name)
	d := c.Descriptors[full]
	if !ok || d == nil {
		return Kind{}, nil, false
	}
	i, ok := slices.BinarySearchFunc(t.Kinds, kind, func(k Kind, n string) int { return strings.Compare(k.Name, n) })
	if !ok {
		return Kind{}, nil, false
	}
	return t.Kinds[i], d, true
}

// Check reports every kind without a descriptor, descriptor without a kind,
// and provider whose table breaks the contract: it runs when a program is put
// together, and in a test.
func (c Catalogue) Check() error {
	var errs []error
	seen := map[string]bool{}
	for _, t := range c.Types {
		if seen[t.Name] {
			errs = append(errs, fmt.Errorf("provider %s stands twice: remove one", t.Name))
		}
		seen[t.Name] = true
		if t.Name == "" || t.Open == nil {
			errs = append(errs, fmt.Errorf("provider %q needs a name and an Open function", t.Name))
		}
		if !slices.IsSortedFunc(t.Kinds, func(a, b Kind) int { return strings.Compare(a.Name, b.Name) }) {
			errs = append(errs, fmt.Errorf("provider %s: sort its kinds by name", t.Name))
		}
		for _, k := range t.Kinds {
			full := t.Name + "." + k.Name
			if seen[full] {
				errs = append(errs, fmt.Errorf("kind %s stands twice: remove one", full))
			}
			seen[full] = true
			errs = append(errs, c.checkKind(full, k))
		}
	}
	for _, full := range c.descriptorNames() {
		if !seen[full] {
			errs = append(errs, fmt.Errorf("descriptor %s has no kind: add it to its provider's table", full))
		}
	}
	return errors.Join(errs...)
}

func (c Catalogue) descriptorNames() []string {
	out := make([]string, 0, len(c.Descriptors))
	for full := range c.Descriptors {
		out = append(out, full)
	}
	slices.Sort(out)
	return out
}

func (c Catalogue) checkKind(full string, k Kind) error {
	d := c.Descriptors[full]
	switch {
	case d == nil:
		return fmt.Errorf("kind %s has no descriptor: add its schema and run make gen", full)
	case d.Lookup != (k.Origin == OriginLookedUp):
		return fmt.Errorf("kind %s has origin %q, and its descriptor's lookup is %v: let them agree", full, k.Origin, d.Lookup)
	case d.Lookup && (!k.Unmarked || k.Settle != ""):
		return fmt.Errorf("kind %s is looked up, never made: it is unmarked and has no settle rule", full)
	case d.Lookup:
		return checkReach(full, k)
	}
	switch k.Settle {
	case SettleToken, SettleMark, SettleChosen, SettleNatural:
	default:
		return fmt.Errorf("kind %s has settle rule %q: use token, mark, chosen or natural", full, k.Settle)
	}
	switch k.Origin {
	case OriginCreated, OriginFound:
	default:
		return fmt.Errorf("kind %s has origin %q: use created, found or looked-up", full, k.Origin)
	}
	if err := checkReach(full, k); err != nil {
		return err
	}
	if k.Unmarked && k.Settle != SettleNatural {
		return fmt.Errorf("kind %s carries no mark, so only its natural key can settle a create", full)
	}
	return nil
}

func checkReach(full string, k Kind) error {
	switch k.IDs {
	case ReachRegion, ReachAccount, ReachHost, ReachWorld:
		return nil
	}
	return fmt.Errorf("kind %s has reach %q: use region, account, host or world", full, k.IDs)
}
