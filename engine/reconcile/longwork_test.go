package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store/storetest"
	"isobar.dev/providers/fake"
)

// never is how often a task may be asked for before it ends.
const never = 1 << 40

// slowMachine is a network a and a machine db on it.
func slowMachine(env string) environment {
	e := nets(env, "a")
	e.Desired = append(e.Desired, resource.Desired{
		Address: resource.Address{Env: env, Provider: "fake", Kind: "machine", Name: "db"},
		Fields:  resource.Map{"cpus": resource.Int(2), "hostname": text("db"), "networkId": ref("network", "a", "id")},
	})
	return e
}

// openIntents counts the calls of which nobody knows yet what became of them.
func (s *sim) openIntents() (n int) {
	for _, e := range s.state().Entries {
		if e.Open != nil {
			n++
		}
	}
	return n
}

// TestWorkThatNeverEnds has a machine's create run for ever. The step ends in
// doubt after two hours; each look asks for it once and writes nothing; once it has
// ended it is settled, and made once.
func TestWorkThatNeverEnds(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.world = fake.NewWorld(fake.Options{Now: s.clock.now, Polls: never, PollAfter: time.Second})
	s.restart(storetest.Fault{})
	s.want(slowMachine("prod").Desired...)
	began := s.clock.now()
	_, out, err := s.run(t.Context())
	must(t, err)
	if took := s.clock.now().Sub(began); took < 2*time.Hour || took > 2*time.Hour+time.Minute {
		t.Errorf("it took %s", took)
	}
	for _, r := range out.Results {
		switch {
		case r.Step.Address.Kind == "network" && r.Outcome != apply.Done:
			t.Errorf("network: %s, %v", r.Outcome, r.Err)
		case r.Step.Address.Kind == "machine" && (r.Outcome != apply.InDoubt || !strings.Contains(r.Err.Error(), "still runs after 2 hours")):
			t.Errorf("machine: %s, %v", r.Outcome, r.Err)
		}
	}
	for range 3 {
		began, seq := s.clock.now(), s.state().Seq
		d, _, err := s.run(t.Context())
		must(t, err)
		if took := s.clock.now().Sub(began); took > 15*time.Second || s.state().Seq != seq {
			t.Fatalf("a look took %s, and wrote %d events", took, s.state().Seq-seq)
		}
		if len(d.Plan.Held) != 1 || d.Plan.Held[0].Why != plan.HeldDoubt || !strings.Contains(d.Plan.Held[0].Text, "still runs after 2 hours") {
			t.Fatalf("held: %+v", d.Plan.Held)
		}
	}
	s.world.ForgetTasks()
	_, _, err = s.run(t.Context())
	must(t, err)
	s.mustRun(t)
	made := 0
	for _, c := range s.world.Calls() {
		if c.Op == provider.OpCreate && c.Kind == "machine" {
			made++
		}
	}
	if made != 1 || len(s.world.Objects()) != 2 || s.openIntents() > 0 {
		t.Fatalf("%d machines were made, %d objects", made, len(s.world.Objects()))
	}
}

// TestCancelOfLongWork cancels a run while a machine is being made for ever: it
// ends soon, and the next run takes up what became of it.
func TestCancelOfLongWork(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.world = fake.NewWorld(fake.Options{Now: time.Now, Polls: never, PollAfter: time.Second})
		e := slowMachine("prod")
		s.push("c1", map[string]environment{"prod": e})
		s.start()
		s.pass(10 * time.Minute)
		s.wantState("prod", "applying")
		s.cancel("prod", "bob")
		s.pass(time.Minute)
		if state := s.row("prod").State; state == "applying" {
			t.Fatalf("it is still %s", state)
		}
		s.world.ForgetTasks()
		s.push("c2", map[string]environment{"prod": withMode(e, "auto")})
		s.pass(5 * time.Minute)
		s.wantState("prod", "in sync")
		if s.live() != 2 || doubles(s.world.Calls()) != "" {
			t.Fatalf("%d objects, %s", s.live(), doubles(s.world.Calls()))
		}
	})
}
