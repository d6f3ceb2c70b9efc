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
	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
	"isobar.dev/providers/fake"
)

// ended is how a person may let go of what an environment had under its former name.
type ended struct {
	name    string
	destroy bool
	word    store.Verdict
}

// cut has a rename end in the middle, asks for the end of the former name, and has
// the rename go on: nothing that the new name wants is deleted or let go of.
func (c trial) cut(ctx context.Context, by ended) (calls int, err error) {
	s := newSim(options{width: c.width})
	s.want(lives()...)
	if err := s.converge(ctx, nil, false); err != nil {
		return 0, err
	}
	orphans := map[string]time.Time{}
	s.env = "prod"
	for _, e := range s.state().Sorted() {
		if e.Address.Type() != "fake.image" {
			orphans[e.Address.Local()+" "+e.Token] = s.clock.now()
		}
	}
	if err := s.under.PutEnvironment(ctx, store.Environment{Name: "prod", Resources: len(lives()), Orphans: orphans}); err != nil {
		return 0, err
	}
	want := s.rename(ctx, "prod", "live", lives())
	marked := map[resource.ID]bool{}
	for _, o := range s.world.Objects() {
		marked[o.ID] = !o.Mark.IsZero()
	}
	b := s.bring(c)
	s.env = "live"
	d, err := b.draft(ctx)
	if _, _, err = b.applied(ctx, d, err); err != nil {
		return 0, err
	}
	calls, _ = b.rest()
	s.env = "prod"
	if by.word != "" {
		for o := range orphans {
			address, _, _ := strings.Cut(o, " ")
			if err := s.says(ctx, "prod", address, by.word); err != nil {
				return 0, err
			}
		}
	}
	job := reconcile.Job{Tree: tree("c"), Env: "prod", Run: "end", Destroy: by.destroy, Orphans: orphans}
	if d, err = s.Draft(ctx, job); err != nil {
		return 0, err
	}
	for _, h := range d.Plan.Held {
		if h.Why == plan.HeldMove && !strings.Contains(h.Text, "isobar apply live") {
			return 0, fmt.Errorf("%s is held, and live is not named: %s", h.Address, h.Text)
		}
		if h.Why != plan.HeldMove {
			return 0, fmt.Errorf("%s is held: %s: %s", h.Address, h.Why, h.Text)
		}
	}
	if out := s.Apply(ctx, d, nil); out.Err != nil {
		return 0, out.Err
	}
	for _, call := range s.world.Calls()[b.logged:] {
		if call.Op.Mutates() && call.Op != provider.OpMark {
			return 0, fmt.Errorf("the end of the former name made the call %+v", call)
		}
	}
	for _, o := range s.world.Objects() {
		if by.word == store.Release && o.Mark.IsZero() && marked[o.ID] {
			return 0, fmt.Errorf("%s is let go of", o.ID)
		}
	}
	s.env = "live"
	for range maxRuns {
		if d, err = s.draft(ctx); err != nil {
			return 0, err
		}
		if d.Plan.Empty() && len(d.Plan.Held)+len(d.Plan.Ledger) == 0 {
			break
		}
		s.Apply(ctx, d, nil)
		s.clock.pass(time.Minute)
	}
	s.env, job.Run = "prod", "end again"
	if d, err = s.Draft(ctx, job); err != nil {
		return 0, err
	}
	if out := s.Apply(ctx, d, nil); !out.OK() || len(s.state().Entries) > 0 {
		return 0, fmt.Errorf("prod is not at its end: %s, held %+v", brief(d.Plan), d.Plan.Held)
	}
	s.env = "live"
	return calls, b.untouched(want)
}

// TestTheFormerNameEndsInAKilledRename is the law of a rename that was cut at any call:
// neither a destroy of the former name, nor a word to delete or to let go of what it
// had, is followed before the new name has it.
func TestTheFormerNameEndsInAKilledRename(t *testing.T) {
	t.Parallel()
	for _, by := range []ended{{name: "destroy", destroy: true}, {name: "confirm", word: store.Delete}, {name: "forget", word: store.Release}, {name: "plan"}} {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			calls, err := trial{width: 1}.cut(t.Context(), by)
			if err != nil || calls == 0 {
				t.Fatalf("%d calls: %v", calls, err)
			}
			for _, what := range []string{"die-before", "die-after"} {
				for at := range calls {
					c := trial{width: 1, faults: []fault{{what, at}}}
					if _, err := c.cut(t.Context(), by); err != nil {
						t.Errorf("%s: %v", c, err)
					}
				}
			}
		})
	}
}

// TestWhatIsBegunSaysHowItEnds has a rename die with a call under way, and movedFrom
// taken out: the destroy of the former name says what settles the call, and nothing of
// a movedFrom that is no more.
func TestWhatIsBegunSaysHowItEnds(t *testing.T) {
	t.Parallel()
	s := newSim(options{width: 1})
	s.want(lives()...)
	s.mustRun(t)
	must(t, s.under.PutEnvironment(t.Context(), store.Environment{Name: "prod", Resources: len(lives())}))
	s.rename(t.Context(), "prod", "live", lives())
	s.env = "live"
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op == provider.OpMark {
			return s.befall("die-after", s.store)
		}
		return fake.Decision{}
	})
	if _, _, err := s.run(t.Context()); !dead(err) {
		t.Fatalf("it did not die: %v", err)
	}
	s.world.OnCall(nil)
	s.restart(storetest.Fault{})
	s.rename(t.Context(), "", "live", lives())
	d, err := s.Draft(t.Context(), reconcile.Job{Tree: tree("c"), Env: "prod", Run: "end", Destroy: true})
	must(t, err)
	begun := 0
	for _, h := range d.Plan.Held {
		if h.Why != plan.HeldMove {
			continue
		}
		begun++
		if !strings.Contains(h.Text, "live has begun to take it over") || h.Mend != "isobar plan live settles it, then destroy again" {
			t.Errorf("%s: %s; mend: %s", h.Address, h.Text, h.Mend)
		}
	}
	if begun == 0 {
		t.Errorf("nothing waits: %s", brief(d.Plan))
	}
}
