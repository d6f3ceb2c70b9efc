package reconcile

import (
	"context"
	"slices"

	"isobar.dev/engine/store"
)

// Bygone notes of environments that were destroyed that the repository, which
// lists these, no longer has them either. An environment that is another
// repository's by its row is left alone.
func (o *Once) Bygone(ctx context.Context, listed []string, known []store.Environment) error {
	for _, row := range known {
		if row.Absent || row.Repo != "" || row.State != destroyed || row.Resources > 0 || slices.Contains(listed, row.Name) {
			continue
		}
		row.Absent = true
		if err := o.Store.PutEnvironment(ctx, row); err != nil {
			return err
		}
	}
	return nil
}
