package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
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
	before, past, logged := s.fields(), s.world.Count(), len(s.world.Calls())
	var broken []error
	s.world.OnCall(s.decide(c.faults, &broken))
	last := "nothing"
	for range maxRuns {
		s.runs++
		d, err := s.Draft(ctx, reconcile.Job{Tree: tree("c"), Env: "prod", Run: fmt.Sprint("run-", s.runs), Imports: imports})
		if err == nil {
			last = brief(d.Plan)
			if len(d.Plan.Steps)+len(d.Plan.Held) == 0 {
				break
			}
			out := s.Apply(ctx, d, nil)
			err = out.Err
			last += "\n" + results(out)
		}
		if err != nil && !dead(err) && !errors.Is(err, store.ErrFull) {
			return 0, 0, fmt.Errorf("an error that no fault explains: %w", err)
		}
		if err != nil || s.store.Crashed() {
			s.restart(writeFault(c.faults, s.writes+s.store.Writes()))
		}
		s.clock.pass(s.lag/2 + time.Second)
	}
	calls, writes = s.world.Count()-past, s.writes+s.store.Writes()
	s.world.OnCall(nil)
	s.restart(storetest.Fault{})
	s.clock.pass(s.lag)
	d, err := s.draft(ctx)
	switch {
	case err != nil:
		return 0, 0, err
	case !d.Plan.Empty():
		return 0, 0, fmt.Errorf("a plan is left: %s; the last import: %s", brief(d.Plan), last)
	}
	if err := s.laws(want, nil); err != nil {
		return 0, 0, fmt.Errorf("%w; the last import: %s", err, last)
	}
	for id, was := range before {
		if now := s.fields()[id]; !resource.Equal(now, was) {
			return 0, 0, fmt.Errorf("%s was %s and is %s", id, resource.Encode(was), resource.Encode(now))
		}
	}
	for _, call := range s.world.Calls()[logged:] {
		if call.Op.Mutates() && call.Op != provider.OpMark {
			return 0, 0, fmt.Errorf("an import made the call %+v", call)
		}
	}
	return calls, writes, errors.Join(broken...)
}

// fields gives every object's fields, without the serial that any write moves.
func (s *sim) fields() map[resource.ID]resource.Map {
	out := map[resource.ID]resource.Map{}
	for _, o := range s.world.Objects() {
		f := maps.Clone(o.Fields)
		delete(f, "serial")
		out[o.ID] = f
	}
	return out
}

// TestImportCrash is the law of adoption: whatever befalls one call or one write
// of an import, the same import typed again brings everything under management,
// nothing of the objects but their marks has changed, and a plan is empty.
func TestImportCrash(t *testing.T) {
	t.Parallel()
	for n, base := range []trial{{width: 1}, {width: 8}, {lag: 20 * time.Second, lagReads: 2, width: 1}} {
		t.Run(base.String(), func(t *testing.T) {
			t.Parallel()
			calls, writes, err := base.adopts(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d calls, %d writes", calls, writes)
			for i, c := range singles(base, calls, writes) {
				if n > 0 && *every > 1 && i%*every != 0 {
					continue // -every 1 plays them all
				}
				if slices.ContainsFunc(c.faults, func(f fault) bool { return f.what == "drift" || f.what == "remove" }) {
					continue // somebody else's doing: the import would not be of what is as wanted
				}
				if _, _, err := c.adopts(t.Context()); err != nil {
					t.Fatalf("%s: %v", c, err)
				}
			}
		})
	}
}
