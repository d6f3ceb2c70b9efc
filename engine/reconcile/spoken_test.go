package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/providers/fake"
)

// says has ann say something of an object of an environment.
func (s *sim) says(ctx context.Context, env, address string, v store.Verdict) error {
	once := &reconcile.Once{Runner: s.Runner, Store: s.under}
	return once.Say(ctx, reconcile.Word{Env: env, Addresses: []string{address}, By: "ann", Verdict: v})
}

// spare is the object that ann has a word on.
func spare(name, kind string) resource.Desired {
	return obj("disk", name, resource.Map{"size": resource.Int(1), "kind": text(kind)})
}

// spoken makes an object and has ann say that it is to be let go of.
func spoken(t *testing.T) (s *sim, id resource.ID) {
	t.Helper()
	s = newSim(options{})
	must(t, s.under.PutEnvironment(t.Context(), store.Environment{Name: "prod"}))
	s.want(kept(), spare("e", "fast"))
	s.mustRun(t)
	must(t, s.says(t.Context(), "prod", "fake.disk/e", store.Release))
	return s, s.id("disk", "e")
}

// stands fails unless the plan that takes the object out of the spec lets go of it,
// and it stands afterwards without a mark.
func (s *sim) stands(t *testing.T, id resource.ID) {
	t.Helper()
	p := s.mustRun(t)
	if !slices.ContainsFunc(p.Changes, func(c plan.Change) bool { return c.ID == id && c.Action == plan.Forget }) {
		t.Errorf("it does not let go of %s: %s", id, brief(p))
	}
	s.unmarked(t, id)
}

func (s *sim) unmarked(t *testing.T, id resource.ID) {
	t.Helper()
	for _, o := range s.world.Objects() {
		if o.ID == id {
			if !o.Mark.IsZero() {
				t.Errorf("%s still bears the mark of %s", id, o.Mark.Address)
			}
			return
		}
	}
	t.Errorf("%s is gone", id)
}

// TestAWordFollowsAMove renames an object of which a person said that it is to be
// let go of, twice: the plans say so, and once it is out of the spec it stays.
func TestAWordFollowsAMove(t *testing.T) {
	t.Parallel()
	s, id := spoken(t)
	for _, step := range [][2]string{{"e", "f"}, {"f", "g"}} {
		to, from := spare(step[1], "fast"), at("disk", step[0])
		to.Meta.MovedFrom = &from
		s.want(kept(), to)
		if p := s.mustRun(t); !has(p.Notes, string(id), "let go of", "ann") {
			t.Errorf("no note tells of the word: %+v", p.Notes)
		}
	}
	s.want(kept())
	s.stands(t, id)
}

// TestAWordThatIsTakenBackUnderAnotherName is no word any more; and one that
// is on the object before it moved is none on what comes to its old address.
func TestAWordThatIsTakenBackUnderAnotherName(t *testing.T) {
	t.Parallel()
	s, id := spoken(t)
	to, from := spare("f", "fast"), at("disk", "e")
	to.Meta.MovedFrom = &from
	s.want(kept(), to)
	s.mustRun(t)
	s.want(kept(), to, spare("e", "slow")) // another one, of which nobody said anything
	s.mustRun(t)
	s.want(kept(), to)
	if p := s.mustRun(t); len(p.Changes) != 1 || p.Changes[0].Action != plan.Delete {
		t.Errorf("what came to the old address: %s", brief(p))
	}
	must(t, s.says(t.Context(), "prod", "fake.disk/f", store.Keep))
	s.want(kept())
	if p := s.mustRun(t); len(p.Changes) != 1 || p.Changes[0].Action != plan.Delete || p.Changes[0].ID != id {
		t.Errorf("the word was taken back: %s", brief(p))
	}
}

// TestAWordFollowsARename renames the environment: whether the former ledger has
// let go of the object yet or not, and whether the word was said before or between,
// it is let go of and not deleted; and what is said under the new name counts.
func TestAWordFollowsARename(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ between, departed, undone bool }{
		"at once": {}, "let go of before": {departed: true}, "said between": {between: true, departed: true}, "taken back": {departed: true, undone: true},
		"taken back at once": {undone: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, id := spoken(t)
			ctx := t.Context()
			if c.between {
				must(t, s.says(ctx, "prod", "fake.disk/e", store.Keep))
			}
			s.rename(ctx, "prod", "live", []resource.Desired{kept(), spare("e", "fast")})
			s.env = "live"
			s.mustRun(t)
			if c.between {
				must(t, s.says(ctx, "prod", "fake.disk/e", store.Release))
			}
			if c.departed {
				s.env = "prod"
				s.mustRun(t)
				s.env = "live"
			}
			if c.undone {
				must(t, s.says(ctx, "live", "fake.disk/e", store.Keep))
			}
			s.specs.put("c", commit{envs: map[string]environment{"live": {Environment: spec.Environment{Desired: under("live", []resource.Desired{kept()})}}}})
			if !c.undone {
				s.stands(t, id)
				return
			}
			if p := s.mustRun(t); len(p.Changes) != 1 || p.Changes[0].Action != plan.Delete {
				t.Errorf("the word was taken back: %s", brief(p))
			}
		})
	}
}

// TestAConfirmedOrphanIsTheOneNamed: what a person said may be deleted under one
// name is not deleted under another.
func TestAConfirmedOrphanIsTheOneNamed(t *testing.T) {
	t.Parallel()
	s, id := spoken(t)
	ctx := t.Context()
	must(t, s.says(ctx, "prod", "fake.disk/e", store.Keep))
	must(t, s.under.PutEnvironment(ctx, store.Environment{Name: "prod", Orphans: map[string]time.Time{"fake.disk/e " + s.state().Current(at("disk", "e")).Token: s.clock.now()}}))
	must(t, s.says(ctx, "prod", "fake.disk/e", store.Delete))
	to, from := spare("f", "fast"), at("disk", "e")
	to.Meta.MovedFrom = &from
	s.want(kept(), to)
	s.mustRun(t)
	s.want() // all is lost
	for _, h := range s.mustDraft(t).Plan.Held {
		if h.Why != plan.HeldOrphan {
			t.Errorf("%s is held: %s", h.Address, h.Why)
		}
	}
	if d := s.mustDraft(t); len(d.Plan.Changes) > 0 {
		t.Errorf("%s was confirmed as fake.disk/e: %s", id, brief(d.Plan))
	}
}

// replaces lets another object take the place of one that a person wants let go
// of, restarting what died: the old one stays as it is.
func (c trial) replaces(ctx context.Context) (calls, writes int, err error) {
	s := newSim(options{lag: c.lag, lagReads: c.lagReads, width: c.width})
	if err := s.under.PutEnvironment(ctx, store.Environment{Name: "prod"}); err != nil {
		return 0, 0, err
	}
	s.want(kept(), spare("e", "fast"))
	if err := s.converge(ctx, nil, false); err != nil {
		return 0, 0, err
	}
	s.clock.pass(c.lag)
	if err := s.says(ctx, "prod", "fake.disk/e", store.Release); err != nil {
		return 0, 0, err
	}
	old := s.id("disk", "e")
	s.want(kept(), spare("e", "slow"))
	s.store, s.writes = nil, 0
	s.restart(writeFault(c.faults, 0))
	b := s.bring(c)
	last, err := b.through(ctx, reconcile.Job{Env: "prod"}, func(d *reconcile.Draft) bool { return d.Plan.Empty() && len(d.Plan.Ledger) == 0 })
	if err != nil {
		return 0, 0, err
	}
	calls, writes = b.rest()
	if d, err := s.draft(ctx); err != nil || !d.Plan.Empty() || len(s.state().Entries) != 2 {
		return 0, 0, fmt.Errorf("%d entries, %w; the last: %s", len(s.state().Entries), err, last)
	}
	objects := s.world.Objects()
	if i := slices.IndexFunc(objects, func(o resource.Object) bool { return o.ID == old }); len(objects) != 3 || i < 0 || !objects[i].Mark.IsZero() {
		return 0, 0, fmt.Errorf("%d objects, and %s is not let go of; the last: %s", len(objects), old, last)
	}
	return calls, writes, nil
}

// TestReplacedUnderAWordCrash is the law of what is replaced under a word: whatever
// befalls one call or one write, in the end the old object stands without a mark,
// and one new one in its place.
func TestReplacedUnderAWordCrash(t *testing.T) {
	t.Parallel()
	everyFault(t, []trial{{width: 1}, {lag: 20 * time.Second, lagReads: 2, width: 1}}, trial.replaces)
}

// TestAnObjectReplacedUnderAWordStays tells what such a plan says and does.
func TestAnObjectReplacedUnderAWordStays(t *testing.T) {
	t.Parallel()
	s, id := spoken(t)
	s.want(kept(), spare("e", "slow"))
	p := s.mustRun(t)
	if len(p.Changes) != 1 || !p.Changes[0].Spares || slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Op == ledger.Delete }) {
		t.Errorf("the plan: %s", brief(p))
	}
	s.unmarked(t, id)
	s.want(kept()) // nobody said anything of the new one
	if p := s.mustRun(t); len(p.Changes) != 1 || p.Changes[0].Action != plan.Delete || p.Changes[0].ID == id {
		t.Errorf("the new one: %s", brief(p))
	}
	s.unmarked(t, id)
}

// TestAWordIsOnAllThatAnAddressHas: beside what was replaced and could not be
// deleted, it is on the current object, too.
func TestAWordIsOnAllThatAnAddressHas(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	must(t, s.under.PutEnvironment(t.Context(), store.Environment{Name: "prod"}))
	made := func(kind string) resource.Desired {
		d := spare("e", kind)
		d.Meta.CreateBeforeDestroy = true
		return d
	}
	s.want(kept(), made("fast"))
	s.mustRun(t)
	old := s.id("disk", "e")
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op == "delete" {
			return fake.Decision{Before: &resource.Failure{Class: resource.Denied, Message: "no"}}
		}
		return fake.Decision{}
	})
	s.want(kept(), made("slow"))
	if _, out, err := s.run(t.Context()); err != nil || out.OK() {
		t.Fatalf("the old one is gone: %v", err)
	}
	s.world.OnCall(nil)
	must(t, s.says(t.Context(), "prod", "fake.disk/e", store.Release))
	now := s.state().Current(at("disk", "e")).Record.ID
	s.want(kept())
	s.mustRun(t)
	if old == now {
		t.Fatal("nothing was replaced")
	}
	s.unmarked(t, old)
	s.unmarked(t, now)
}
