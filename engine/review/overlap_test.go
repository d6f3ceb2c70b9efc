package review_test

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"isobar.dev/engine/review"
)

func touch(sum string, refs ...string) review.Touch { return review.Touch{Sum: sum, Refs: refs} }

func TestOverlaps(t *testing.T) {
	t.Parallel()
	base := map[string]review.Touch{"db": touch("drift"), "old": touch("delete")}
	got := review.Overlaps([]review.Intent{
		{Pull: 41, Env: "prod", Base: base, Does: map[string]review.Touch{
			"db": touch("drift"), "old": touch("delete"), "web": touch("a"), "subnet": touch("replace"), "log": touch("same"),
		}},
		{Pull: 42, Env: "prod", Base: base, Does: map[string]review.Touch{
			"db": touch("drift"), "old": touch("delete"), "web": touch("b"), "vm": touch("new", "subnet", "vpc"), "log": touch("same"),
		}},
		{Pull: 43, Env: "staging", Does: map[string]review.Touch{"web": touch("a")}},
		{Pull: 44, Env: "prod", Base: base, Does: map[string]review.Touch{"db": touch("drift")}}, // it keeps old
		{Pull: 45, Env: "prod", Base: base, Does: map[string]review.Touch{"db": touch("drift"), "old": touch("another")}},
	})
	want := map[int][]review.Overlap{
		41: {{Pull: 42, Env: "prod", Both: []string{"web"}, Alike: []string{"log"}, Ours: []string{"subnet"}}},
		42: {{Pull: 41, Env: "prod", Both: []string{"web"}, Alike: []string{"log"}, Theirs: []string{"subnet"}}},
		44: {{Pull: 45, Env: "prod", Both: []string{"old"}}},
		45: {{Pull: 44, Env: "prod", Both: []string{"old"}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestOverlapsAreMutual: what one pull request is told of another, the other is
// told of it; order does not matter, and none is in its own way.
func TestOverlapsAreMutual(t *testing.T) {
	t.Parallel()
	addresses := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	rapid.Check(t, func(t *rapid.T) {
		does := func() map[string]review.Touch {
			out := map[string]review.Touch{}
			for range rapid.IntRange(0, 4).Draw(t, "touches") {
				out[addresses.Draw(t, "address")] = touch(rapid.SampledFrom([]string{"1", "2"}).Draw(t, "sum"), rapid.SliceOf(addresses).Draw(t, "refs")...)
			}
			return out
		}
		var all []review.Intent
		for pull := range rapid.IntRange(0, 4).Draw(t, "pulls") {
			for _, env := range []string{"prod", "staging"} {
				all = append(all, review.Intent{Pull: pull + 1, Env: env, Does: does(), Base: does()})
			}
		}
		got := review.Overlaps(all)
		for pull, list := range got {
			for _, o := range list {
				mirror := review.Overlap{Pull: pull, Env: o.Env, Both: o.Both, Alike: o.Alike, Theirs: o.Ours, Ours: o.Theirs}
				if o.Pull == pull || !slices.ContainsFunc(got[o.Pull], func(x review.Overlap) bool { return reflect.DeepEqual(x, mirror) }) {
					t.Fatalf("#%d is told %+v, and #%d is told %+v", pull, o, o.Pull, got[o.Pull])
				}
			}
		}
		if again := review.Overlaps(rapid.Permutation(all).Draw(t, "order")); !reflect.DeepEqual(again, got) {
			t.Fatalf("in another order: %+v, not %+v", again, got)
		}
	})
}
