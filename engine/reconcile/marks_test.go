package reconcile_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
	"isobar.dev/providers/fake"
)

// copyOf puts an object into the world that has all of another's tags.
func (s *sim) copyOf(t *testing.T, o resource.Object) resource.Object {
	t.Helper()
	id, err := s.world.Add("fake/main", o)
	must(t, err)
	o.ID = id
	return o
}

// bearer gives the one object that bears an address's mark.
func (s *sim) bearer(t *testing.T, a resource.Address) resource.Object {
	t.Helper()
	var out []resource.Object
	for _, o := range s.world.Objects() {
		if o.Mark.Address == a {
			out = append(out, o)
		}
	}
	if len(out) != 1 {
		t.Fatalf("%d objects bear the mark of %s", len(out), a)
	}
	return out[0]
}

// forgets gives the environment another store, which knows these events alone.
func (s *sim) forgets(t *testing.T, events ...ledger.Event) {
	t.Helper()
	m := store.NewMemory()
	if len(events) > 0 {
		_, err := m.Append(t.Context(), "prod", 0, 0, events)
		must(t, err)
	}
	s.reopen, s.store = func() store.Store { return m }, nil
	s.restart(storetest.Fault{})
}

// imports applies the import of an object.
func (s *sim) imports(t *testing.T, a resource.Address, id resource.ID) {
	t.Helper()
	s.runs++
	d, err := s.Draft(t.Context(), reconcile.Job{Tree: tree("c"), Env: "prod", Run: fmt.Sprint("run-", s.runs), Imports: []reconcile.Import{{Address: a, Named: string(id)}}})
	must(t, err)
	if out := s.Apply(t.Context(), d, nil); !out.OK() || len(d.Plan.Held) > 0 {
		t.Fatalf("the import:\n%s\nheld %+v", results(out), d.Plan.Held)
	}
}

// kept stays in the spec, so that what leaves it is edited out.
func kept() resource.Desired { return obj("disk", "kept", resource.Map{"size": resource.Int(1)}) }

func has(notes []plan.Note, words ...string) bool {
	return slices.ContainsFunc(notes, func(n plan.Note) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(n.Text, w) })
	})
}

// TestACopyOfAMarkIsLeftAlone copies an object with its tags, as a restore from a
// backup does. Whether the ledger knows the object, was lost, or the object is
// gone: no copy is taken for it, changed or deleted.
func TestACopyOfAMarkIsLeftAlone(t *testing.T) {
	t.Parallel()
	disk := obj("disk", "d", resource.Map{"size": resource.Int(5)})
	begin := func(t *testing.T) (*sim, resource.Object, []resource.Object) {
		s := newSim(options{lag: time.Second})
		s.want(kept(), disk)
		s.mustRun(t)
		s.clock.pass(time.Minute)
		own := s.bearer(t, disk.Address)
		other := own
		other.Fields = maps.Clone(own.Fields)
		other.Fields["size"] = resource.Int(6)
		return s, own, []resource.Object{s.copyOf(t, own), s.copyOf(t, other)}
	}
	end := func(t *testing.T, s *sim, copies []resource.Object, want ...resource.Desired) *plan.Plan {
		t.Helper()
		s.clock.pass(time.Minute)
		d := s.mustDraft(t)
		if !d.Plan.Empty() {
			t.Fatalf("the plan is %s, held %+v", brief(d.Plan), d.Plan.Held)
		}
		must(t, s.laws(append(want, kept()), copies))
		return d.Plan
	}
	t.Run("known", func(t *testing.T) {
		t.Parallel()
		s, own, copies := begin(t)
		p := end(t, s, copies, disk)
		if !has(p.Notes, string(copies[0].ID), string(copies[1].ID), "the mark of "+string(own.ID), "take the isobar: tags off") {
			t.Errorf("notes %+v", p.Notes)
		}
		s.want(kept())
		s.mustRun(t)
		if p := end(t, s, copies); !has(p.Notes, string(copies[0].ID), "was deleted") {
			t.Errorf("notes %+v", p.Notes)
		}
	})
	t.Run("gone", func(t *testing.T) {
		t.Parallel()
		s, own, copies := begin(t)
		must(t, s.world.Remove("disk", own.ID))
		if p := s.mustRun(t); len(p.Changes) != 1 || p.Changes[0].Action != plan.Create || !has(p.Notes, "isobar import prod fake.disk/d ID") {
			t.Fatalf("%s, notes %+v", brief(p), p.Notes)
		}
		end(t, s, copies, disk)
	})
	t.Run("gone, and one takes its place", func(t *testing.T) {
		t.Parallel()
		s, own, copies := begin(t)
		must(t, s.world.Remove("disk", own.ID))
		s.imports(t, disk.Address, copies[0].ID)
		if p := end(t, s, copies[1:], disk); !has(p.Notes, string(copies[1].ID), "was gone") {
			t.Errorf("notes %+v", p.Notes)
		}
		if now := s.state().Current(disk.Address); now.Record.ID != copies[0].ID {
			t.Errorf("it is %s", now.Record.ID)
		}
	})
	t.Run("lost", func(t *testing.T) {
		t.Parallel()
		s, own, copies := begin(t)
		s.forgets(t)
		d, out, err := s.run(t.Context())
		must(t, err)
		if len(d.Plan.Steps)+len(out.Results) > 0 || s.state().Current(disk.Address) != nil || len(d.Plan.Held) != 1 || d.Plan.Held[0].Why != plan.HeldUnowned ||
			!strings.Contains(d.Plan.Held[0].Text, string(own.ID)) || !strings.Contains(d.Plan.Held[0].Mend, "isobar import prod fake.disk/d ID") {
			t.Fatalf("the plan is %s, held %+v", brief(d.Plan), d.Plan.Held)
		}
		s.imports(t, disk.Address, own.ID)
		if p := end(t, s, copies, disk); !has(p.Notes, string(copies[0].ID), string(copies[1].ID)) {
			t.Errorf("notes %+v", p.Notes)
		}
		s.want(kept())
		s.mustRun(t)
		end(t, s, copies)
	})
	t.Run("lost and no longer wanted", func(t *testing.T) {
		t.Parallel()
		s, own, copies := begin(t)
		s.forgets(t)
		s.want(kept())
		d, _, err := s.run(t.Context())
		must(t, err)
		if len(d.Plan.Steps) > 0 || len(d.Plan.Held) != 1 || !strings.Contains(d.Plan.Held[0].Mend, "take the isobar: tags off") {
			t.Fatalf("the plan is %s, held %+v", brief(d.Plan), d.Plan.Held)
		}
		must(t, s.laws([]resource.Desired{kept()}, append(copies, own)))
	})
}

// TestACreateInDoubtTakesNoCopy loses the answer of a create whose object is copied
// before anybody looks: which is which is not guessed.
func TestACreateInDoubtTakesNoCopy(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	disk := obj("disk", "d", resource.Map{"size": resource.Int(5)})
	s.want(disk)
	dead, twin := false, resource.Object{}
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op == provider.OpCreate && !dead {
			dead = true
			return fake.Decision{After: &resource.Failure{Class: resource.UnknownOutcome, Message: "no answer"}}
		}
		if dead {
			return fake.Decision{Before: &resource.Failure{Class: resource.Transient, Message: "away"}}
		}
		return fake.Decision{}
	})
	_, _, err := s.run(t.Context())
	if e := s.state().Current(disk.Address); e == nil || e.Open == nil {
		t.Fatalf("nothing is open: %v", err)
	}
	twin = s.copyOf(t, s.bearer(t, disk.Address))
	s.world.OnCall(nil)
	s.clock.pass(time.Hour)
	d, _, err := s.run(t.Context())
	must(t, err)
	if len(d.Plan.Held) != 1 || d.Plan.Held[0].Why != plan.HeldDoubt || !strings.Contains(d.Plan.Held[0].Text, string(twin.ID)) || !strings.Contains(d.Plan.Held[0].Text, "2 objects bear its mark") {
		t.Fatalf("the plan is %s, held %+v", brief(d.Plan), d.Plan.Held)
	}
	must(t, s.world.Unmark("disk", twin.ID))
	s.mustRun(t)
	twin.Mark = resource.Mark{}
	must(t, s.laws([]resource.Desired{disk}, []resource.Object{twin}))
}

// TestAMoveIsFoundByItsMark restores a store that is older than a move: the ledger
// follows the mark, or holds what it would delete.
func TestAMoveIsFoundByItsMark(t *testing.T) {
	t.Parallel()
	disk := func(name string, from ...string) resource.Desired {
		d := obj("disk", name, resource.Map{"size": resource.Int(5)})
		for _, f := range from {
			a := at("disk", f)
			d.Meta.MovedFrom = &a
		}
		return d
	}
	s := newSim(options{})
	s.want(kept(), disk("a"))
	s.mustRun(t)
	older, err := s.under.Events(t.Context(), "prod", 0)
	must(t, err)
	s.want(kept(), disk("b", "a"))
	s.mustRun(t)
	s.want(kept(), disk("b"))
	s.mustRun(t)
	calls := s.world.Count()

	s.forgets(t, older...)
	s.want(kept()) // as when it left the spec meanwhile
	d, _, err := s.run(t.Context())
	must(t, err)
	if len(d.Plan.Steps) > 0 || len(d.Plan.Held) != 1 || d.Plan.Held[0].Why != plan.HeldUnowned || !strings.Contains(d.Plan.Held[0].Text, "fake.disk/b") {
		t.Fatalf("the plan is %s, held %+v", brief(d.Plan), d.Plan.Held)
	}
	s.want(kept(), disk("b"))
	if p := s.mustRun(t); !p.Empty() || !has(p.Notes, "was fake.disk/a") {
		t.Fatalf("the plan is %s, notes %+v", brief(p), p.Notes)
	}
	s.settled(t, kept(), disk("b"))
	for _, c := range s.world.Calls()[calls:] {
		if c.Op != provider.OpRead {
			t.Errorf("%s was called", c.Op)
		}
	}
	s.want(kept())
	s.mustRun(t) // now the mark confirms it
	s.settled(t, kept())
}

// TestAMoveIsFollowedWithoutALedger loses the store before a move is applied: what
// bears the old name's mark is taken over under the new one.
func TestAMoveIsFollowedWithoutALedger(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.want(obj("disk", "a", resource.Map{"size": resource.Int(5)}))
	s.mustRun(t)
	own := s.bearer(t, at("disk", "a"))
	s.forgets(t)
	moved, from := obj("disk", "b", resource.Map{"size": resource.Int(5)}), at("disk", "a")
	moved.Meta.MovedFrom = &from
	s.want(moved)
	s.mustRun(t)
	s.settled(t, moved)
	if now := s.bearer(t, moved.Address); now.ID != own.ID {
		t.Errorf("it is %s, was %s", now.ID, own.ID)
	}
}

// TestARenamedEnvironmentTakesNoCopy loses the store of an environment that gets
// another name, where an object was copied: none is taken until one is left.
func TestARenamedEnvironmentTakesNoCopy(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.want(kept())
	s.mustRun(t)
	own := s.bearer(t, kept().Address)
	twin := s.copyOf(t, own)
	s.forgets(t)
	want := s.rename(t.Context(), "prod", "live", []resource.Desired{kept()})
	s.env = "live"
	d, out, err := s.run(t.Context())
	must(t, err)
	if len(out.Results) > 0 || len(d.Plan.Held) != 1 || d.Plan.Held[0].Why != plan.HeldMove || !strings.Contains(d.Plan.Held[0].Text, string(twin.ID)) {
		t.Fatalf("the plan is %s, held %+v", brief(d.Plan), d.Plan.Held)
	}
	must(t, s.world.Unmark("disk", twin.ID))
	s.mustRun(t)
	if now := s.bearer(t, want[0].Address); now.ID != own.ID {
		t.Errorf("it is %s, was %s", now.ID, own.ID)
	}
}

// TestADeleteAsksTheMarkOnceMore moves an object, as another store would, or gives it to
// another environment, between the plan that deletes it and the delete.
func TestADeleteAsksTheMarkOnceMore(t *testing.T) {
	t.Parallel()
	for said, change := range map[string]func(m *resource.Mark){
		"bears the mark of prod/fake.disk/b by now": func(m *resource.Mark) { m.Address = at("disk", "b") },
		"does not bear our mark any more":           func(m *resource.Mark) { m.Env = "shop" },
	} {
		t.Run(said, func(t *testing.T) {
			t.Parallel()
			s := newSim(options{})
			s.want(kept(), obj("disk", "a", resource.Map{"size": resource.Int(5)}))
			s.mustRun(t)
			own := s.bearer(t, at("disk", "a"))
			s.want(kept())
			d := s.mustDraft(t)
			m := own.Mark
			change(&m)
			must(t, s.world.Remark("disk", own.ID, m))
			if out := s.Apply(t.Context(), d, nil); out.OK() || !strings.Contains(results(out), said) {
				t.Errorf("the run:\n%s", results(out))
			}
			if now := s.bearer(t, m.Address); now.ID != own.ID {
				t.Errorf("it is %s, was %s", now.ID, own.ID)
			}
		})
	}
}

// TestAChangedTokenIsWrittenAnew changes the token of an owned object's mark, and once
// more between the plan that writes the ledger's and that call.
func TestAChangedTokenIsWrittenAnew(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.want(kept(), obj("disk", "a", resource.Map{"size": resource.Int(5)}))
	s.mustRun(t)
	own := s.bearer(t, at("disk", "a"))
	marked := func(token string) {
		m := own.Mark
		m.Token = token
		must(t, s.world.Remark("disk", own.ID, m))
	}
	marked("0194a000-0000-7000-8000-0000000000aa")
	d := s.mustDraft(t)
	marked("0194a000-0000-7000-8000-0000000000bb")
	if out := s.Apply(t.Context(), d, nil); out.OK() || !strings.Contains(results(out), "by now") {
		t.Errorf("the run:\n%s", results(out))
	}
	s.mustRun(t)
	if now := s.bearer(t, at("disk", "a")); now.ID != own.ID || now.Mark != own.Mark {
		t.Errorf("it is %s with %+v, was %s with %+v", now.ID, now.Mark, own.ID, own.Mark)
	}
	if d := s.mustDraft(t); !d.Plan.Empty() || len(d.Plan.Notes) > 0 {
		t.Errorf("a plan is left: %+v, notes %v", d.Plan.Held, d.Plan.Notes)
	}
}
