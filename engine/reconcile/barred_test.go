package reconcile_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/fake"
)

func isTaken() fake.Decision {
	return fake.Decision{Before: &resource.Failure{Class: resource.Invalid, Message: "the range is taken", Taken: true}}
}

// What another object has is asked for once: no wait brings it.
func TestWhatIsTakenEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.want(obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16")}), obj("record", "a", resource.Map{"name": text("a"), "values": resource.List{text("1")}}))
	tries := 0
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op == "create" && c.Kind == "network" {
			tries++
			return isTaken()
		}
		return fake.Decision{}
	})
	before := s.clock.now()
	_, out, err := s.run(t.Context())
	must(t, err)
	if took := s.clock.now().Sub(before); out.Count(apply.Failed) != 1 || out.Count(apply.Done) != 1 || tries != 1 || took > time.Second {
		t.Fatalf("%d tries in %s: %s", tries, took, results(out))
	}
}

// What another object has is asked for again once this run has taken that one
// away, and not before.
func TestWhatIsTakenWaitsForItsDelete(t *testing.T) {
	t.Parallel()
	s := newSim(options{width: 1})
	old := obj("network", "old", resource.Map{"cidr": text("10.0.0.0/16")})
	s.want(old)
	s.mustRun(t)
	s.want(
		obj("network", "new", resource.Map{"cidr": text("10.0.0.0/16")}),
		obj("record", "a", resource.Map{"name": text("a"), "values": resource.List{text("1")}}), obj("record", "b", resource.Map{"name": text("b"), "values": resource.List{text("2")}}))
	var mu sync.Mutex
	gone := false
	var calls []string
	s.world.OnCall(func(c fake.Call) fake.Decision {
		mu.Lock()
		defer mu.Unlock()
		if c.Op != "create" && c.Op != "delete" {
			return fake.Decision{}
		}
		calls = append(calls, string(c.Op)+" "+c.Kind)
		gone = gone || c.Op == "delete"
		if c.Op == "create" && c.Kind == "network" && !gone {
			return isTaken()
		}
		return fake.Decision{}
	})
	s.mustRun(t)
	want := "create network, create record, create record, delete network, create network"
	if got := strings.Join(calls, ", "); got != want {
		t.Errorf("called %s\nwant   %s", got, want)
	}
}

// What is one object's alone within some place is asked for again once the one
// that has it was given something else, and not before.
func TestWhatIsTakenWaitsForAChange(t *testing.T) {
	t.Parallel()
	s := newSim(options{width: 1})
	disk := func(name string, size int) resource.Desired {
		return obj("disk", name, resource.Map{"size": resource.Int(size)})
	}
	s.want(disk("old", 10), disk("other", 5))
	s.mustRun(t)
	s.want(disk("new", 10), disk("old", 20), disk("other", 6))
	var mu sync.Mutex
	var calls []string
	s.world.OnCall(func(c fake.Call) fake.Decision {
		mu.Lock()
		defer mu.Unlock()
		if c.Op != "create" && c.Op != "update" {
			return fake.Decision{}
		}
		calls = append(calls, string(c.Op))
		if len(calls) == 1 {
			return isTaken()
		}
		return fake.Decision{}
	})
	s.mustRun(t)
	if got, want := strings.Join(calls, ", "), "create, update, create, update"; got != want {
		t.Errorf("called %s\nwant   %s", got, want)
	}
}

// A refusal that is heard only after the delete that mends it is no end either:
// both calls are under way at once, and their answers come in either order.
func TestWhatIsTakenAndFreedMeanwhile(t *testing.T) {
	t.Parallel()
	for range 300 {
		s := newSim(options{})
		s.want(obj("network", "old", resource.Map{"cidr": text("10.0.0.0/16")}))
		s.mustRun(t)
		s.want(obj("network", "new", resource.Map{"cidr": text("10.0.0.0/16")}))
		var tries atomic.Int32
		s.world.OnCall(func(c fake.Call) fake.Decision {
			if c.Op == "create" && tries.Add(1) == 1 {
				return isTaken()
			}
			return fake.Decision{}
		})
		s.mustRun(t)
		if tries.Load() != 2 {
			t.Fatalf("%d tries", tries.Load())
		}
	}
}

// Who may not look does not wait for what he can't see: work that goes on is left
// to the next run, and what was asked meanwhile fails with the reason.
func TestExpiredCredentialsEndAtOnce(t *testing.T) {
	t.Parallel()
	s := newSim(options{lag: time.Minute})
	want := []resource.Desired{
		obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16")}),
		obj("machine", "web", resource.Map{"cpus": resource.Int(1), "hostname": text("web"), "networkId": ref("network", "main", "id")}),
		obj("record", "web", resource.Map{"name": text("web"), "values": resource.List{ref("machine", "web", "id")}}),
	}
	s.want(want...)
	spent := false
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if spent {
			return fake.Decision{Before: &resource.Failure{Class: resource.Denied, Code: "ExpiredToken", Message: "renew them"}}
		}
		spent = c.Op == "create" && c.Kind == "machine"
		return fake.Decision{}
	})
	before := s.clock.now()
	_, out, err := s.run(t.Context())
	must(t, err)
	took := s.clock.now().Sub(before)
	if took > 5*time.Second || out.Count(apply.Done) != 1 || out.Count(apply.InDoubt) != 1 || out.Count(apply.NotStarted) != 1 {
		t.Fatalf("after %s: %s", took, results(out))
	}
	for _, r := range out.Results {
		if r.Outcome == apply.InDoubt && !strings.Contains(r.Err.Error(), "renew them") {
			t.Errorf("%s: %v", r.Step.ID, r.Err)
		}
	}
	s.world.OnCall(nil)
	_, _, err = s.run(t.Context())
	must(t, err)
	s.clock.pass(2 * time.Minute)
	s.mustRun(t)
	s.settled(t, want...)
}
