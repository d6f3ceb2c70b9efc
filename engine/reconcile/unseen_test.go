package reconcile_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/fake"
)

// notThere answers NotFound about an id, for the first n creates of a kind.
func notThere(kind, words string, n int64) (decide func(fake.Call) fake.Decision, tries *atomic.Int64) {
	tries = &atomic.Int64{}
	return func(c fake.Call) fake.Decision {
		if c.Op == "create" && c.Kind == kind && tries.Add(1) <= n {
			return fake.Decision{Before: &resource.Failure{Class: resource.NotFound, Message: words}}
		}
		return fake.Decision{}
	}, tries
}

// What the spec names and nobody made just now is missing for good: it is asked
// for once, beside new things too, and the words say which field names it.
func TestWhatNobodyMadeIsMissingAtOnce(t *testing.T) {
	t.Parallel()
	s := newSim(options{lag: time.Minute})
	s.want(
		obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16")}),
		obj("network", "more", resource.Map{"cidr": text("10.1.0.0/16")}),
		obj("group", "a", resource.Map{"networkId": ref("network", "main", "id")}),
		obj("group", "b", resource.Map{"networkId": text("network-404")}))
	before := s.clock.now()
	_, out, err := s.run(t.Context())
	must(t, err)
	if took := s.clock.now().Sub(before); out.Count(apply.Failed) != 1 || out.Count(apply.Done) != 3 || took > 10*time.Second {
		t.Fatalf("in %s: %s", took, results(out))
	}
	for _, r := range out.Results {
		if r.Outcome == apply.Failed && (r.Tries != 1 || !strings.Contains(r.Err.Error(), "there is no network network-404: networkId names what is not in ") ||
			!strings.HasSuffix(r.Err.Error(), ": correct it in the spec")) {
			t.Errorf("%d tries: %v", r.Tries, r.Err)
		}
	}
}

// What this run made may not be known everywhere yet: it is asked for again.
func TestWhatThisRunMadeMayComeToBeSeen(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"there is no network ID", "nothing of that name"} {
		s := newSim(options{})
		want := []resource.Desired{
			obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16")}),
			obj("group", "a", resource.Map{"networkId": ref("network", "main", "id")}),
		}
		s.want(want...)
		tries := &atomic.Int64{}
		s.world.OnCall(func(c fake.Call) fake.Decision {
			if c.Op != "create" || c.Kind != "group" || tries.Add(1) > 2 {
				return fake.Decision{}
			}
			id := s.state().Current(at("network", "main")).Record.ID
			return fake.Decision{Before: &resource.Failure{Class: resource.NotFound, Message: strings.ReplaceAll(words, "ID", string(id))}}
		})
		s.mustRun(t)
		if tries.Load() != 3 {
			t.Errorf("%s: %d tries", words, tries.Load())
		}
		s.settled(t, want...)
	}
}

// What an earlier run made is not seen yet within its kind's lag, and missing
// after it: then it is said to be gone.
func TestWhatARecentRunMadeMayComeToBeSeen(t *testing.T) {
	t.Parallel()
	const lag = time.Minute
	network := obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16")})
	for name, c := range map[string]struct {
		by    resource.Value // how the spec names it
		later time.Duration
		gone  string // how the failure ends; "" for none
	}{
		"recent":           {ref("network", "main", "id"), lag / 2, ""},
		"recent, spelled":  {nil, lag / 2, ""},
		"earlier":          {ref("network", "main", "id"), 2 * lag, "fake.network/main is gone: plan again"},
		"earlier, spelled": {nil, 2 * lag, "correct it in the spec"},
	} {
		s := newSim(options{lag: lag})
		s.want(network)
		s.mustRun(t)
		id := s.state().Sorted()[0].Record.ID
		s.clock.pass(c.later)
		if c.by == nil {
			c.by = resource.String(id)
		}
		s.want(network, obj("group", "a", resource.Map{"networkId": c.by}))
		decide, tries := notThere("group", "there is no network "+string(id), 2)
		s.world.OnCall(decide)
		_, out, err := s.run(t.Context())
		must(t, err)
		if c.gone == "" {
			if !out.OK() || tries.Load() != 3 {
				t.Errorf("%s: %d tries: %s", name, tries.Load(), results(out))
			}
			continue
		}
		if tries.Load() != 1 || out.Count(apply.Failed) != 1 || !strings.Contains(results(out), c.gone) {
			t.Errorf("%s: %d tries: %s", name, tries.Load(), results(out))
		}
	}
}
