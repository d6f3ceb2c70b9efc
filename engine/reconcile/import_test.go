package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/fake"
)

// found is a world full of objects that isobar knows nothing of, each as the
// spec wants it, with the imports that name them.
func found(ctx context.Context, c trial) (*sim, []resource.Desired, []reconcile.Import, error) {
	s := newSim(options{lag: c.lag, lagReads: c.lagReads, width: c.width})
	want := slices.DeleteFunc(phases()[0], func(d resource.Desired) bool {
		delete(d.Fields, "imageId")
		return d.Address == at("record", "www") || d.Address == at("image", "os") // one follows a serial, which a mark moves; the other is nobody's
	})
	s.want(want...)
	if err := s.converge(ctx, nil, false); err != nil {
		return nil, nil, nil, err
	}
	session, err := fake.Type(s.world).Open(ctx, provider.Config{Alias: "fake", Estate: estate, Settings: resource.Map{"region": text("main")}})
	if err != nil {
		return nil, nil, nil, err
	}
	var imports []reconcile.Import
	for _, e := range s.state().Sorted() {
		imports = append(imports, reconcile.Import{Address: e.Address, Named: string(e.Record.ID)})
		if err := session.Mark(ctx, resource.Object{Address: e.Address, ID: e.Record.ID}, nil); err != nil {
			return nil, nil, nil, err
		}
	}
	s.clock.pass(c.lag)
	s.reopen, s.store, s.writes = memory(), nil, 0 // another store: the ledger is empty
	s.restart(writeFault(c.faults, 0))
	return s, want, imports, nil
}

// adopts imports again and again, restarting what died, until all is under
// management. It counts calls and writes.
func (c trial) adopts(ctx context.Context) (calls, writes int, err error) {
	s, want, imports, err := found(ctx, c)
	if err != nil {
		return 0, 0, err
	}
	b := s.bring(c)
	last, err := b.through(ctx, reconcile.Job{Env: "prod", Imports: imports}, func(d *reconcile.Draft) bool { return len(d.Plan.Steps)+len(d.Plan.Held) == 0 })
	if err != nil {
		return 0, 0, err
	}
	calls, writes = b.rest()
	d, err := s.draft(ctx)
	switch {
	case err != nil:
		return 0, 0, err
	case !d.Plan.Empty():
		return 0, 0, fmt.Errorf("a plan is left: %s; the last import: %s", brief(d.Plan), last)
	}
	if err := b.untouched(want); err != nil {
		return 0, 0, fmt.Errorf("%w; the last import: %s", err, last)
	}
	return calls, writes, nil
}

// TestImportCrash is the law of adoption: whatever befalls one call or one write
// of an import, the same import typed again brings everything under management,
// nothing of the objects but their marks has changed, and a plan is empty.
func TestImportCrash(t *testing.T) {
	t.Parallel()
	everyFault(t, []trial{{width: 1}, {width: 8}, {lag: 20 * time.Second, lagReads: 2, width: 1}}, trial.adopts)
}
