package observe_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/observe"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

func image(name, find string) resource.Desired {
	return resource.Desired{Address: addr("image", name), Fields: resource.Map{"name": resource.String(find)}}
}

// pins gives a ledger that holds lookups, each by its name, found in a scope.
func pins(t *testing.T, scope string, ds ...resource.Desired) *ledger.State {
	t.Helper()
	var events []ledger.Event
	for i, d := range ds {
		rec := &ledger.Record{ID: "image-1", Scope: scope, Applied: d.Fields, Outs: resource.Map{"id": resource.String("image-1")}}
		events = append(events, ledger.Event{Seq: int64(i + 1), At: t0(), Address: d.Address, Token: fmt.Sprint("t", i), Type: ledger.Pinned, Record: rec})
	}
	s, err := ledger.Fold(events)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLookupsAreAskedOnce: what has its pin costs no call; what has none, or is
// to be refreshed, is asked with all others in one read.
func TestLookupsAreAskedOnce(t *testing.T) {
	t.Parallel()
	a, b := image("a", "linux"), image("b", "minix")
	moved := image("c", "linux")
	moved.Meta.MovedFrom = &a.Address
	for name, c := range map[string]struct {
		held    []resource.Desired
		scope   string // of what is held
		want    []resource.Desired
		refresh observe.Refresh
		asked   string
	}{
		"new ones":                    {nil, "", []resource.Desired{a, b}, observe.Refresh{}, "linux minix"},
		"pinned ones":                 {[]resource.Desired{a, b}, "fake/main", []resource.Desired{a, b}, observe.Refresh{}, ""},
		"one whose fields changed":    {[]resource.Desired{a, b}, "fake/main", []resource.Desired{image("a", "plan9"), b}, observe.Refresh{}, "plan9"},
		"one that moved":              {[]resource.Desired{a}, "fake/main", []resource.Desired{moved}, observe.Refresh{}, ""},
		"one beside what it was":      {[]resource.Desired{a}, "fake/main", []resource.Desired{a, moved}, observe.Refresh{}, "linux"},
		"one to refresh":              {[]resource.Desired{a, b}, "fake/main", []resource.Desired{a, b}, observe.Refresh{Only: map[resource.Address]bool{b.Address: true}}, "minix"},
		"all to refresh":              {[]resource.Desired{a, b}, "fake/main", []resource.Desired{a, b}, observe.Refresh{All: true}, "linux minix"},
		"found in another region":     {[]resource.Desired{a}, "fake/north", []resource.Desired{a}, observe.Refresh{}, "linux"},
		"what the spec does not want": {[]resource.Desired{a, b}, "fake/main", nil, observe.Refresh{All: true}, ""},
	} {
		var asked []string
		s := &stand{scope: "fake/main", read: func(_ context.Context, wants []resource.Want) []resource.Answer {
			out := make([]resource.Answer, len(wants))
			for i, w := range wants {
				asked = append(asked, w.By.Lookup.Text("name"))
				out[i].Objects = []resource.Object{{ID: "image-9"}}
			}
			return out
		}}
		w := observe.New(kinds(), t0).Observe(t.Context(), observe.Request{
			Estate: "e", Env: "prod", Ledger: pins(t, c.scope, c.held...), Desired: c.want, Refresh: c.refresh,
			Sessions: map[string]provider.Session{"fake": s},
		})
		slices.Sort(asked)
		if got := strings.Join(asked, " "); got != c.asked || s.count() > 1 || len(w.Found) != len(asked) || len(w.Live) > 0 {
			t.Errorf("%s: asked %q in %d reads, want %q; found %v, live %v", name, got, s.count(), c.asked, w.Found, w.Live)
		}
	}
}

// TestWhatALookupFound tells nothing from not knowing.
func TestWhatALookupFound(t *testing.T) {
	t.Parallel()
	fail := func(c resource.Class) error {
		return &resource.Failure{Class: c, Op: "fake:read", Code: "No", Message: "no image is called linux"}
	}
	for name, c := range map[string]struct {
		answer resource.Answer
		want   plan.Reading
	}{
		"one":               {resource.Answer{Objects: []resource.Object{{ID: "image-1"}}}, plan.Reading{Seen: plan.Present}},
		"none":              {resource.Answer{}, plan.Reading{Seen: plan.Absent, Why: "nothing was found"}},
		"one without an id": {resource.Answer{Objects: []resource.Object{{}}}, plan.Reading{Seen: plan.Absent, Why: "nothing was found"}},
		"not found":         {resource.Answer{Err: fail(resource.NotFound)}, plan.Reading{Seen: plan.Absent, Why: "no image is called linux"}},
		"denied":            {resource.Answer{Err: fail(resource.Denied)}, plan.Reading{Seen: plan.Unread, Why: fail(resource.Denied).Error()}},
	} {
		s := &stand{scope: "fake/main", read: func(context.Context, []resource.Want) []resource.Answer { return []resource.Answer{c.answer} }}
		w := observe.New(kinds(), t0).Observe(t.Context(), observe.Request{
			Env: "prod", Ledger: &ledger.State{}, Desired: []resource.Desired{image("a", "linux")}, Sessions: map[string]provider.Session{"fake": s},
		})
		if got := w.Found[addr("image", "a")]; got.Seen != c.want.Seen || got.Why != c.want.Why {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	w := observe.New(kinds(), t0).Observe(t.Context(), observe.Request{
		Env: "prod", Ledger: &ledger.State{}, Desired: []resource.Desired{image("a", "linux")}, Blind: map[string]string{"fake": "the user is not known"},
	})
	if got := slices.Collect(maps.Values(w.Found)); len(got) != 1 || got[0].Seen != plan.Unread || got[0].Why != "the user is not known" {
		t.Errorf("without a session: %+v", got)
	}
}
