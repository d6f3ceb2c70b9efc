package reconcile_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
)

// alike gives the little estates of two environments, which have the same addresses:
// what bears a mark, what bears none, and a pin with what uses it.
func alike() (one, two []resource.Desired) {
	of := func(cidr, name string) []resource.Desired {
		return []resource.Desired{
			obj("network", "n", resource.Map{"cidr": text(cidr)}),
			obj("record", "r", resource.Map{"name": text(name), "values": resource.List{text("1.1.1.1")}}),
			obj("image", "os", resource.Map{"name": text("linux")}),
			obj("machine", "m", resource.Map{
				"hostname": text(name), "cpus": resource.Int(1), "networkId": ref("network", "n", "id"), "state": text("running"), "imageId": ref("image", "os", "id"),
			}),
		}
	}
	return of("10.0.0.0/16", "one"), of("10.5.0.0/16", "two")
}

// has makes the commit of environments, each with what it wants and its former name.
func (s *sim) has(ctx context.Context, envs map[string]environment) {
	for name := range envs {
		if err := s.under.PutEnvironment(ctx, store.Environment{Name: name}); err != nil {
			panic(err)
		}
	}
	s.specs.put("c", commit{envs: envs})
}

func named(env, from string, want []resource.Desired) environment {
	return environment{Environment: spec.Environment{Desired: under(env, want), MovedFrom: from}}
}

// twoOf is a sim with the environments a and b, made one after the other with another
// image in each.
func twoOf(ctx context.Context, c trial) (*sim, error) {
	s := newSim(options{lag: c.lag, lagReads: c.lagReads, width: c.width})
	one, two := alike()
	s.has(ctx, map[string]environment{"a": named("a", "", one), "b": named("b", "", two)})
	for _, env := range []string{"a", "b"} {
		s.env = env
		for range 3 {
			if _, _, err := s.run(ctx); err != nil {
				return nil, err
			}
			s.clock.pass(c.lag + time.Second)
		}
		s.world.Publish("linux", "")
	}
	return s, nil
}

// round exchanges the names of two environments through a third, and has each commit
// applied under the name that is new in it alone.
func (c trial) round(ctx context.Context) (calls, writes int, err error) {
	s, err := twoOf(ctx, c)
	if err != nil {
		return 0, 0, err
	}
	one, two := alike()
	s.store, s.writes = nil, 0
	s.restart(writeFault(c.faults, 0))
	b := s.bring(c)
	for _, step := range []struct {
		env  string
		envs map[string]environment
	}{
		{"tmp", map[string]environment{"tmp": named("tmp", "a", one), "b": named("b", "", two)}},
		{"a", map[string]environment{"tmp": named("tmp", "a", one), "a": named("a", "b", two)}},
		{"b", map[string]environment{"b": named("b", "tmp", one), "a": named("a", "b", two)}},
	} {
		s.has(ctx, step.envs)
		b.env = step.env
		for range maxRuns {
			d, err := b.draft(ctx)
			if err == nil && d.Plan.Empty() && len(d.Plan.Ledger) == 0 {
				break
			}
			if _, _, err = b.applied(ctx, d, err); err != nil {
				return 0, 0, err
			}
			b.clock.pass(b.lag/2 + time.Second)
		}
	}
	calls, writes = b.rest()
	for env, left := range map[string]int{"a": len(two), "b": len(one), "tmp": 0} {
		b.env = env
		for range 2 {
			if _, _, err := b.run(ctx); err != nil {
				return 0, 0, err
			}
		}
		d, err := b.draft(ctx)
		if err != nil || !d.Plan.Empty() || len(b.state().Entries) != left {
			return 0, 0, fmt.Errorf("%s has %d: %w, %s", env, len(b.state().Entries), err, brief(d.Plan))
		}
	}
	b.env = "a"
	if err := b.laws(under("a", two), b.bearing("b")); err != nil {
		return 0, 0, err
	}
	return calls, writes, b.unwritten()
}

// bearing gives the objects that an environment's ledger has.
func (s *sim) bearing(env string) []resource.Object {
	st, err := s.under.State(context.Background(), env)
	if err != nil {
		return nil
	}
	var out []resource.Object
	for _, o := range s.world.Objects() {
		for _, e := range st.Entries {
			if e.Record.ID == o.ID {
				out = append(out, o)
			}
		}
	}
	return out
}

// unwritten fails where anything but marks was written since it was brought.
func (b *bringing) unwritten() error {
	for _, call := range b.world.Calls()[b.logged:] {
		if call.Op.Mutates() && call.Op != provider.OpMark {
			return fmt.Errorf("it made the call %+v", call)
		}
	}
	return nil
}

// TestNamesGoRoundCrash is the law of two environments that exchange their names: no
// object is made, changed or deleted, whatever befalls a call or a write.
func TestNamesGoRoundCrash(t *testing.T) {
	t.Parallel()
	everyFault(t, []trial{{width: 1}, {lag: 20 * time.Second, lagReads: 2, width: 1}}, trial.round)
}

// TestNamesGoRoundOutOfTurn applies the second of such commits before the first: what
// is another's to take is held, and so is what it leaves.
func TestNamesGoRoundOutOfTurn(t *testing.T) {
	t.Parallel()
	s, err := twoOf(t.Context(), trial{width: 1})
	must(t, err)
	one, two := alike()
	s.has(t.Context(), map[string]environment{"tmp": named("tmp", "a", one), "a": named("a", "b", two)})
	before := len(s.world.Calls())
	s.env = "a"
	d := s.mustDraft(t)
	for _, h := range d.Plan.Held {
		if h.Why == plan.HeldMove && !strings.Contains(h.Mend, "isobar apply tmp") {
			t.Errorf("%s: %s: %s", h.Address, h.Text, h.Mend)
		}
	}
	if out := s.Apply(t.Context(), d, nil); out.Err != nil || len(d.Plan.Held) == 0 {
		t.Fatalf("%s\n%s", brief(d.Plan), results(out))
	}
	for _, call := range s.world.Calls()[before:] {
		if call.Op.Mutates() {
			t.Errorf("it made the call %+v", call)
		}
	}

	// The first one's turn, then destroys of names that others are to take from.
	s.has(t.Context(), map[string]environment{"tmp": named("tmp", "a", one), "b": named("b", "", two)})
	s.env = "tmp"
	s.mustRun(t)
	s.clock.pass(time.Second)
	s.restart(storetest.Fault{})
	s.has(t.Context(), map[string]environment{"tmp": named("tmp", "a", one), "a": named("a", "b", two)})
	d, err = s.Draft(t.Context(), reconcile.Job{Tree: tree("c"), Env: "b", Run: "end", Destroy: true})
	must(t, err)
	if len(d.Plan.Steps) > 0 || len(d.Plan.Held) == 0 {
		t.Fatalf("a destroy of what a is to take: %s", brief(d.Plan))
	}
}
