package reconcile

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/observe"
)

// leftovers is where a destroy looks for what bears the environment's marks: of
// the kinds that its spec has and, where the ledger knows nothing, of all. A lost
// or empty store says nothing of what stands, and nothing to do would be untrue.
func (r *Runner) leftovers(d *Draft, s *ledger.State) []observe.Place {
	if !d.Job.Destroy {
		return nil
	}
	var out []observe.Place
	for i := range d.undone {
		w := &d.undone[i]
		out = append(out, observe.Place{Alias: cmp.Or(w.Meta.Alias, w.Address.Provider), Type: w.Address.Type()})
	}
	if len(s.Entries) == 0 {
		out = append(out, r.everywhere(d)...)
	}
	return slices.DeleteFunc(out, func(p observe.Place) bool { return !r.marked(p.Type) })
}

// everywhere is each place where objects of the environment may bear its mark:
// all kinds of its providers. A store that was lost, or restored, does not know
// where there are any, nor does one whose environment another store works on.
func (r *Runner) everywhere(d *Draft) []observe.Place {
	var out []observe.Place
	for _, alias := range slices.Sorted(maps.Keys(d.Spec.Providers)) {
		for _, t := range slices.Sorted(maps.Keys(r.Catalogue.Descriptors)) {
			if name, _, _ := strings.Cut(t, "."); name == d.Spec.Providers[alias].Type && r.marked(t) {
				out = append(out, observe.Place{Alias: alias, Type: t})
			}
		}
	}
	return out
}

// marked reports whether objects of a kind bear marks.
func (r *Runner) marked(kind string) bool {
	k, desc, known := r.Catalogue.Kind(kind)
	return known && !desc.Lookup && !k.Unmarked
}
