package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
)

// under gives what is wanted under another environment's name.
func under(env string, want []resource.Desired) []resource.Desired {
	out := slices.Clone(want)
	for i := range out {
		out[i].Address.Env = env
		out[i].Fields = resource.Rewrite(out[i].Fields, func(v resource.Value) resource.Value {
			if r, ok := v.(resource.Ref); ok {
				r.Address.Env = env
				return r
			}
			return v
		}).(resource.Map)
	}
	return out
}

// rename makes the commit that wants the same under another name, of which the
// store has heard.
func (s *sim) rename(ctx context.Context, from, to string, want []resource.Desired) []resource.Desired {
	if err := s.under.PutEnvironment(ctx, store.Environment{Name: to}); err != nil {
		panic(err)
	}
	out := under(to, want)
	s.specs.put("c", commit{envs: map[string]environment{to: {Environment: spec.Environment{Desired: out, MovedFrom: from}}}})
	return out
}

// lives is a small estate with a pin and with objects that bear no mark.
func lives() []resource.Desired {
	return slices.DeleteFunc(phases()[0], func(d resource.Desired) bool { return d.Address == at("record", "www") }) // it follows a serial, which a mark moves
}

// moves renames an environment again and again, restarting what died, until the
// plans under both names are empty.
func (c trial) moves(ctx context.Context) (calls, writes int, err error) {
	s := newSim(options{lag: c.lag, lagReads: c.lagReads, width: c.width})
	s.want(lives()...)
	if err := s.converge(ctx, nil, false); err != nil {
		return 0, 0, err
	}
	s.world.Publish("linux", "") // a newer image: a pin that was not kept would take it
	s.clock.pass(c.lag)
	want := s.rename(ctx, "prod", "live", lives())
	s.store, s.writes = nil, 0
	s.restart(writeFault(c.faults, 0))
	b, last := s.bring(c), "nothing"
	for range maxRuns {
		busy := false
		for _, env := range []string{"prod", "live"} { // the old name is looked at first: it must let nothing go too soon
			s.env = env
			d, err := s.draft(ctx)
			if err == nil {
				busy = busy || len(d.Plan.Steps)+len(d.Plan.Ledger) > 0 || env == "live" && len(d.Plan.Held) > 0
			}
			did, died, err := b.applied(ctx, d, err)
			if err != nil {
				return 0, 0, err
			}
			busy, last = busy || died, env+": "+did
		}
		s.clock.pass(s.lag/2 + time.Second)
		if !busy {
			break
		}
	}
	calls, writes = b.rest()
	for _, env := range []string{"prod", "live"} {
		s.env = env
		d, err := s.draft(ctx)
		switch {
		case err != nil:
			return 0, 0, err
		case !d.Plan.Empty() || len(d.Plan.Ledger) > 0:
			return 0, 0, fmt.Errorf("a plan of %s is left: %s; the last: %s", env, brief(d.Plan), last)
		case env == "prod" && len(s.state().Entries) > 0:
			return 0, 0, fmt.Errorf("prod still holds %d", len(s.state().Entries))
		}
	}
	if err := b.untouched(want); err != nil {
		return 0, 0, fmt.Errorf("%w; the last: %s", err, last)
	}
	return calls, writes, nil
}

// TestRenameCrash is the law of renaming an environment: whatever befalls one
// call or one write of it, in the end all is under the new name and nothing under
// the old one, each object once, and nothing of the objects but their marks has
// changed; lookups keep what they found.
func TestRenameCrash(t *testing.T) {
	t.Parallel()
	everyFault(t, []trial{{width: 1}, {lag: 20 * time.Second, lagReads: 2, width: 1}}, trial.moves)
}

// TestRename tells what a rename comes to: without movedFrom a warning and
// orphans; with it a plan of marks alone, then what else the spec wants; what it
// does not want stays an orphan of the old name.
func TestRename(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.want(lives()...)
	s.mustRun(t)
	objects := len(s.world.Objects())
	s.specs.put("c", commit{envs: map[string]environment{"live": {Environment: spec.Environment{Desired: under("live", lives())}}}})
	s.env = "live"
	must(t, s.under.PutEnvironment(t.Context(), store.Environment{Name: "prod", Resources: len(lives())}))
	if d := s.mustDraft(t); !slices.ContainsFunc(d.Warnings, func(f diag.Finding) bool {
		return f.Code == "SPEC-141" && strings.Contains(f.Mend, `movedFrom: "prod"`)
	}) {
		t.Fatalf("it does not warn: %v", d.Warnings)
	}
	s.env = "prod"
	for _, h := range s.mustDraft(t).Plan.Held {
		if h.Why != plan.HeldOrphan {
			t.Fatalf("%s of the old name is held: %s", h.Address, h.Why)
		}
	}

	want := lives()
	want[0].Fields["label"] = text("later") // it changes with the rename
	less := slices.DeleteFunc(slices.Clone(want), func(d resource.Desired) bool { return d.Address == at("record", "api") })
	want = s.rename(t.Context(), "prod", "live", append(less, obj("network", "new", resource.Map{"cidr": text("10.9.0.0/16")})))
	s.env = "live"
	d := s.mustDraft(t)
	for i := range d.Plan.Steps {
		if s := &d.Plan.Steps[i]; s.Op != ledger.Adopt {
			t.Fatalf("the first plan has the step %s", s.ID)
		}
	}
	if out := s.Apply(t.Context(), d, nil); !out.OK() || len(s.world.Objects()) != objects {
		t.Fatalf("%d objects of %d\n%s", len(s.world.Objects()), objects, results(out))
	}
	s.mustRun(t)
	s.env = "prod"
	d, out, err := s.run(t.Context())
	must(t, err)
	if !out.OK() || len(d.Plan.Held) != 1 || d.Plan.Held[0].Why != plan.HeldOrphan || d.Plan.Held[0].Address != at("record", "api") || len(s.state().Entries) != 1 {
		t.Fatalf("under the old name: %s", brief(d.Plan))
	}
	s.env = "live"
	if d := s.mustDraft(t); !d.Plan.Empty() || len(s.state().Entries) != len(want) {
		t.Fatalf("under the new name: %s", brief(d.Plan))
	}

	// A copy of the directory is no rename.
	s.specs.put("c", commit{envs: map[string]environment{
		"live": {Environment: spec.Environment{Desired: want}},
		"next": {Environment: spec.Environment{Desired: under("next", want), MovedFrom: "live"}},
	}})
	s.runs++
	var list diag.List
	_, err = s.Draft(t.Context(), reconcile.Job{Tree: tree("c"), Env: "next", Run: fmt.Sprint("run-", s.runs)})
	if !errors.As(err, &list) || list[0].Code != "SPEC-140" {
		t.Fatalf("a copy: %v", err)
	}
}
