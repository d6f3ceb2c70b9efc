package reconcile

import (
	"context"
	"fmt"
	"slices"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// leaned notes what other environments, as the ledger knows, refer to of what a
// plan deletes: without it they can't be planned any more. A destroy says so by
// itself.
func (r *Runner) leaned(ctx context.Context, d *Draft) error {
	going := map[resource.Address]bool{}
	for i := range d.Plan.Changes {
		if c := &d.Plan.Changes[i]; c.Action == plan.Delete && !c.Deposed {
			going[c.Address] = true
		}
	}
	if len(going) == 0 || d.Job.Destroy {
		return nil
	}
	rows, err := r.Ledger.Environments(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.Name == d.Job.Env {
			continue
		}
		s, err := r.Ledger.State(ctx, row.Name)
		if err != nil {
			return err
		}
		said := map[resource.Address]bool{} // by one resource of each environment: one is enough to look at
		for _, e := range s.Sorted() {
			for _, dep := range e.Record.Deps {
				if going[dep.Address] && !said[dep.Address] {
					said[dep.Address] = true
					d.Plan.Notes = append(d.Plan.Notes, plan.Note{Address: dep.Address, Text: fmt.Sprintf(
						"%s refers to it: without it %s can't be planned any more", e.Address, row.Name)})
				}
			}
		}
	}
	slices.SortStableFunc(d.Plan.Notes, func(x, y plan.Note) int { return x.Address.Compare(y.Address) })
	return nil
}
