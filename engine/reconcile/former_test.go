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
	"isobar.dev/engine/store/storetest"
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
	s, err := c.begun(ctx)
	if err != nil {
		return 0, 0, err
	}
	s.world.Publish("linux", "") // a newer image: a pin that was not kept would take it
	s.clock.pass(c.lag)
	want := s.rename(ctx, "prod", "live", lives())
	s.store, s.writes = nil, 0
	s.restart(writeFault(c.faults, 0))
	b := s.bring(c)
	return b.gathers(ctx, want, "prod", "live")
}

// gathers looks at environments in turn, the last being the one that is there,
// restarting what died, until nothing is left to do: then that one has all, and what
// ann said of one of them.
func (b *bringing) gathers(ctx context.Context, want []resource.Desired, envs ...string) (calls, writes int, err error) {
	there, last := envs[len(envs)-1], "nothing"
	for range maxRuns {
		busy := false
		for _, env := range envs { // the old names are looked at first: they must let nothing go too soon
			b.env = env
			d, err := b.draft(ctx)
			if err == nil {
				busy = busy || len(d.Plan.Steps)+len(d.Plan.Ledger) > 0 || env == there && len(d.Plan.Held) > 0
			}
			did, died, err := b.applied(ctx, d, err)
			if err != nil {
				return 0, 0, err
			}
			busy, last = busy || died, env+": "+did
		}
		b.clock.pass(b.lag/2 + time.Second)
		if !busy {
			break
		}
	}
	calls, writes = b.rest()
	for _, env := range envs {
		b.env = env
		d, err := b.draft(ctx)
		switch {
		case err != nil:
			return 0, 0, err
		case !d.Plan.Empty() || len(d.Plan.Ledger) > 0:
			return 0, 0, fmt.Errorf("a plan of %s is left: %s, held %+v; the last: %s", env, brief(d.Plan), d.Plan.Held, last)
		case env != there && len(b.state().Entries) > 0:
			return 0, 0, fmt.Errorf("%s still holds %d", env, len(b.state().Entries))
		}
	}
	if err := b.untouched(want); err != nil {
		return 0, 0, fmt.Errorf("%w; the last: %s", err, last)
	}
	less := slices.DeleteFunc(want, func(d resource.Desired) bool { return d.Address.Local() == "fake.record/api" })
	b.specs.put("c", commit{envs: map[string]environment{there: {Environment: spec.Environment{Desired: less}}}})
	if d, err := b.draft(ctx); err != nil || len(d.Plan.Changes) != 1 || d.Plan.Changes[0].Action != plan.Forget {
		return 0, 0, fmt.Errorf("the word did not come along: %w, %s", err, brief(d.Plan))
	}
	return calls, writes, nil
}

// begun is a sim with a small estate in prod, as a rename finds it.
func (c trial) begun(ctx context.Context) (*sim, error) {
	s := newSim(options{lag: c.lag, lagReads: c.lagReads, width: c.width})
	s.want(lives()...)
	if err := s.converge(ctx, nil, false); err != nil {
		return nil, err
	}
	s.clock.pass(c.lag)
	if err := s.under.PutEnvironment(ctx, store.Environment{Name: "prod", Resources: len(lives())}); err != nil {
		return nil, err
	}
	return s, s.says(ctx, "prod", "fake.record/api", store.Release)
}

// returns renames an environment, has one run of that, and takes the commit back.
func (c trial) returns(ctx context.Context) (calls, writes int, err error) {
	s, err := c.begun(ctx)
	if err != nil {
		return 0, 0, err
	}
	s.rename(ctx, "prod", "live", lives())
	s.store, s.writes, s.env = nil, 0, "live"
	s.restart(writeFault(c.faults, 0))
	b := s.bring(c)
	d, err := b.draft(ctx)
	if _, _, err = b.applied(ctx, d, err); err != nil {
		return 0, 0, err
	}
	s.clock.pass(s.lag/2 + time.Second)
	s.want(lives()...)
	return b.gathers(ctx, lives(), "live", "prod")
}

// TestRenameTakenBackCrash is the law of a rename that is taken back: wherever it
// came to, all is the first name's again in the end, each object once.
func TestRenameTakenBackCrash(t *testing.T) {
	t.Parallel()
	everyFault(t, []trial{{width: 1}, {lag: 20 * time.Second, lagReads: 2, width: 1}}, trial.returns)
}

// twice renames an environment two times, and nothing looks at the first name in
// between.
func (c trial) twice(ctx context.Context) (calls, writes int, err error) {
	s, err := c.begun(ctx)
	if err != nil {
		return 0, 0, err
	}
	s.rename(ctx, "prod", "live", lives())
	s.store, s.writes, s.env = nil, 0, "live"
	s.restart(writeFault(c.faults, 0))
	b := s.bring(c)
	for range 3 { // each of which may die
		d, err := b.draft(ctx)
		if _, _, err = b.applied(ctx, d, err); err != nil {
			return 0, 0, err
		}
		s.clock.pass(s.lag/2 + time.Second)
	}
	want := s.rename(ctx, "live", "third", lives())
	return b.gathers(ctx, want, "live", "prod", "third")
}

// TestRenameTwiceCrash is the law of two renames in a row.
func TestRenameTwiceCrash(t *testing.T) {
	t.Parallel()
	everyFault(t, []trial{{width: 1}}, trial.twice)
}

// setBack gives the store as it was before a rename.
func (s *sim) setBack(t *testing.T, past []ledger.Event) {
	t.Helper()
	before := store.NewMemory()
	_, err := before.Append(t.Context(), "prod", 0, 0, past)
	must(t, errors.Join(err, before.PutEnvironment(t.Context(), store.Environment{Name: "prod"})))
	s.reopen, s.store = func() store.Store { return before }, nil
	s.restart(storetest.Fault{})
}

// TestRenamesAndAnOlderStore sets the store back to before two renames, or loses
// it: by whichever name the last one asks, each object is moved there, and what
// nothing asks for is held and not made again.
func TestRenamesAndAnOlderStore(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T, back bool) *sim {
		t.Helper()
		s := newSim(options{})
		s.holder = ledger.HolderOf("first")
		s.restart(storetest.Fault{})
		s.want(marked()...)
		s.mustRun(t)
		past, err := s.under.Events(t.Context(), "prod", 0)
		must(t, err)
		s.rename(t.Context(), "prod", "live", marked())
		s.env = "live"
		s.mustRun(t)
		if !back {
			past = nil
		}
		s.setBack(t, past)
		return s
	}
	end := func(t *testing.T, s *sim) {
		t.Helper()
		for _, env := range []string{"prod", "live", "third"} {
			s.env = env
			_, out, err := s.run(t.Context())
			must(t, err)
			if d := s.mustDraft(t); !out.OK() || !d.Plan.Empty() || env != "third" && len(s.state().Entries) > 0 {
				t.Fatalf("%s: %s", env, brief(d.Plan))
			}
		}
		must(t, s.laws(under("third", marked()), nil))
	}
	for name, c := range map[string]struct {
		back bool
		from string
	}{"set back, the second": {true, "live"}, "set back, the first": {true, "prod"}, "lost": {false, "live"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, c.back)
			s.rename(t.Context(), c.from, "third", marked())
			s.env = "third"
			s.mustRun(t)
			end(t, s)
		})
	}
	for name, from := range map[string]string{"lost, the first": "prod", "lost, none": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, false)
			s.rename(t.Context(), from, "third", marked())
			s.env = "third"
			objects := len(s.world.Objects())
			d := s.mustDraft(t)
			for _, h := range d.Plan.Held {
				if h.Why == plan.HeldMove && !strings.Contains(h.Mend, `movedFrom: "live" at the top of third`) {
					t.Errorf("%s: the mend is %q", h.Address, h.Mend)
				}
			}
			if out := s.Apply(t.Context(), d, nil); out.Err != nil || len(d.Plan.Held) != len(marked()) || len(s.world.Objects()) != objects {
				t.Fatalf("%d objects of %d; %s\n%s", len(s.world.Objects()), objects, brief(d.Plan), results(out))
			}
			s.rename(t.Context(), "live", "third", marked())
			s.mustRun(t)
			end(t, s)
		})
	}
	t.Run("let go of", func(t *testing.T) {
		t.Parallel()
		s := newSim(options{})
		s.want(marked()...)
		s.mustRun(t)
		s.rename(t.Context(), "prod", "live", marked())
		for _, env := range []string{"live", "prod"} {
			s.env = env
			s.mustRun(t)
		}
		s.want(marked()...)
		d := s.mustDraft(t)
		for _, h := range d.Plan.Held {
			if h.Why == plan.HeldMove && !strings.Contains(h.Mend, `movedFrom: "live" at the top of prod`) {
				t.Errorf("%s: the mend is %q", h.Address, h.Mend)
			}
		}
		if len(d.Plan.Held) != len(marked()) || len(d.Plan.Steps) > 0 {
			t.Fatalf("%s", brief(d.Plan))
		}
		s.rename(t.Context(), "live", "prod", marked())
		for _, env := range []string{"prod", "live"} {
			s.env = env
			s.mustRun(t)
		}
		s.env = "prod"
		s.settled(t, marked()...)
	})
	t.Run("another store's", func(t *testing.T) { // a branch on somebody's machine: its environment is none of ours
		t.Parallel()
		s := begin(t, false)
		s.holder = ledger.HolderOf("second")
		s.restart(storetest.Fault{})
		s.rename(t.Context(), "", "third", marked())
		s.env = "third"
		if d := s.mustDraft(t); len(d.Plan.Changes) != len(marked()) || len(d.Plan.Held) > 0 {
			t.Fatalf("%s", brief(d.Plan))
		}
	})
}

// TestRenameCrash is the law of renaming an environment: whatever befalls one
// call or one write of it, in the end all is under the new name and nothing under
// the old one, each object once, and nothing of the objects but their marks has
// changed; lookups keep what they found, and objects what was said of them.
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
