package reconcile

import (
	"cmp"
	"maps"
	"slices"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// takeOver asks, where a person wants it so, for the objects that bear the marks
// of another store: they come under this one's by an import, which writes marks
// and nothing else.
func (r *Runner) takeOver(d *Draft) {
	if !d.Job.TakeOver {
		return
	}
	var taken map[resource.Address]resource.ID
	d.journal.View(func(s *ledger.State) { taken, d.Rivalled = plan.Elsewhere(r.input(d, s, false)) })
	for _, a := range slices.SortedFunc(maps.Keys(taken), resource.Address.Compare) {
		d.Job.Imports = append(d.Job.Imports, Import{Address: a, Named: string(taken[a])})
	}
}

// Unseen says what of the world could not be read, and why; "" where all could.
func (d *Draft) Unseen() string {
	for _, alias := range slices.Sorted(maps.Keys(d.world.Blind)) {
		return alias + ": " + cmp.Or(d.world.Blind[alias], "it has no session")
	}
	return ""
}
