// Package providertest is the conformance suite of the provider contract:
// every provider, the fake included, runs it over each of its kinds. It owns
// what "conforms" means; it must not know any provider, nor lean on its
// declared order of calls. Only tests import it. Floor 3.
package providertest

import (
	"testing"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// Subject is a provider under test.
type Subject struct {
	Type        provider.Type
	Descriptors resource.Descriptors
	Config      provider.Config  // opens a session that may do everything; its Estate goes into marks
	Wrong       *provider.Config // credentials that are refused; nil where the peer refuses none
	Cases       []Case           // one a kind of Type, in any order
	Every       time.Duration    // the pause between reads that wait for something; 0 means 20 ms
	Patience    time.Duration    // beyond the kind's Lag; 0 means 30 s
}

// Case is one kind under test.
type Case struct {
	Kind string
	// Prepare makes what an object of the kind needs (with h.Make, which also
	// cleans up) and says how to make and change one. Each call gives fields
	// that can stand beside those of the calls before it.
	Prepare func(t *testing.T, h *Harness) Fixture
	// Missing is a well-formed id that no object ever had; "" where ids have no form.
	Missing resource.ID
}

// Fixture says how to make and change one object.
type Fixture struct {
	Create  resource.Map            // all fields without aspect, resolved
	Updates map[string]resource.Map // aspect → fields and the values they change to; a nil value unsets. "" is the aspect of the bare fields
	Invalid resource.Map            // fields that the provider itself refuses; nil: none to try
	Holds   *resource.Object        // what cannot be deleted while the object lives; nil: nothing
	Nothing []resource.Map          // of a kind that is looked up, whose Create is what it is asked for: fields that find nothing
}

// Run holds the provider to the contract.
func Run(t *testing.T, s Subject) {
	t.Helper()
	if s.Every <= 0 {
		s.Every = 20 * time.Millisecond
	}
	if s.Patience <= 0 {
		s.Patience = 30 * time.Second
	}
	c := provider.Catalogue{Types: []provider.Type{s.Type}, Descriptors: s.Descriptors}
	if err := c.Check(); err != nil {
		t.Fatalf("the kinds and their descriptors do not match: %v", err)
	}
	byKind := map[string]*Case{}
	for i := range s.Cases {
		byKind[s.Cases[i].Kind] = &s.Cases[i]
	}
	for _, k := range s.Type.Kinds {
		if byKind[k.Name] == nil {
			t.Errorf("kind %s has no case", k.Name)
		}
	}
	if s.Wrong != nil {
		t.Run("wrong credentials are denied", func(t *testing.T) { wrongCredentials(t, &s) })
	}
	for _, k := range s.Type.Kinds {
		cs := byKind[k.Name]
		if cs == nil {
			continue
		}
		_, desc, _ := c.Kind(s.Type.Name + "." + k.Name)
		t.Run(k.Name, func(t *testing.T) {
			for _, check := range checksOf(k) {
				t.Run(check.name, func(t *testing.T) {
					h := &Harness{s: &s, catalogue: c, Kind: k, Desc: desc, cs: cs}
					h.Session = h.open(t)
					check.run(t, h)
				})
			}
		})
	}
}

type check struct {
	name string
	run  func(*testing.T, *Harness)
}

func checksOf(k provider.Kind) []check {
	if k.Origin == provider.OriginLookedUp {
		return []check{
			{"a lookup finds the same each time", lookupFinds},
			{"a lookup of nothing says so", lookupOfNothing},
			{"what is looked up is never changed", lookupChangesNothing},
			{"a cancelled context ends lookups", lookupCancelled},
			{"lookups may run at once", lookupsAtOnce},
		}
	}
	return []check{
		{"create reads back", createReadsBack},
		{"reads come in order and complete", readsInOrder},
		{"each aspect updates", eachAspectUpdates},
		{"delete twice", deleteTwice},
		{"find settles a create", findSettles},
		{"mark releases and adopts", markReleasesAndAdopts},
		{"a fence that is down lets nothing through", fenceDown},
		{"a cancelled context ends calls", cancelled},
		{"errors are classified", errorsAreClassified},
		{"calls may run at once", concurrent},
	}
}

// wrongCredentials wants Denied from Open or from the first read.
func wrongCredentials(t *testing.T, s *Subject) {
	session, err := s.Type.Open(t.Context(), *s.Wrong)
	if err == nil {
		for _, a := range session.Read(t.Context(), []resource.Want{{Kind: s.Type.Kinds[0].Name, By: resource.Selector{Estate: s.Config.Estate}}}) {
			err = a.Err
		}
	}
	wantClass(t, "open with wrong credentials", err, resource.Denied)
}
