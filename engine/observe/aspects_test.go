package observe_test

import (
	"context"
	"slices"
	"testing"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/observe"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// made gives a ledger that holds one object made at t0.
func made(t *testing.T, kind string, applied resource.Map) *ledger.State {
	t.Helper()
	a := addr(kind, "main")
	rec := ledger.Record{ID: "n-1", Scope: "fake/main", Applied: applied}
	s, err := ledger.Fold([]ledger.Event{
		{Seq: 1, At: t0(), Address: a, Token: "t1", Type: ledger.Intended, Intent: &ledger.Intent{Op: ledger.Create, Record: rec}},
		{Seq: 2, At: t0(), Address: a, Token: "t1", Type: ledger.Done, Record: &rec},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// seen reads one object of a kind and gives it with the aspects that were
// asked for.
func seen(t *testing.T, kind string, applied, wanted, live resource.Map) (resource.Object, []string) {
	t.Helper()
	s := &stand{scope: "fake/main", read: func(_ context.Context, wants []resource.Want) []resource.Answer {
		out := make([]resource.Answer, len(wants))
		for i := range out {
			out[i] = resource.Answer{At: t0(), Objects: []resource.Object{{ID: "n-1", Mark: mark(kind, "main", "t1"), Fields: live}}}
		}
		return out
	}}
	w := observe.New(kinds(), t0).Observe(t.Context(), observe.Request{
		Estate: "e", Env: "prod", Ledger: made(t, kind, applied), Sessions: map[string]provider.Session{"fake": s},
		Desired: []resource.Desired{{Address: addr(kind, "main"), Fields: wanted}},
	})
	asked := s.calls[0][0].Aspects
	for _, want := range s.calls[0] {
		if !slices.Equal(want.Aspects, asked) {
			t.Errorf("one want asks for %q, another for %q", asked, want.Aspects)
		}
	}
	return w.Live[ledger.Key{Address: addr(kind, "main"), Token: "t1"}].Object, asked
}

// Aspects that the environment has nothing to do with are not asked for, and
// that they are unread holds nothing up.
func TestAspectsAreAskedAsUsed(t *testing.T) {
	t.Parallel()
	policy := resource.Map{"policy": resource.Map{"a": resource.String("b")}}
	for name, c := range map[string]struct {
		applied, wanted resource.Map
		asked           []string
		kept            bool
	}{
		"used by nobody":    {asked: []string{""}},
		"wanted":            {wanted: policy, asked: []string{"", "policy"}, kept: true},
		"applied, now gone": {applied: policy, asked: []string{"", "policy"}, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			live := resource.Map{"policy": resource.Unread{Why: "not asked for"}}
			got, asked := seen(t, "disk", c.applied, c.wanted, live)
			if !slices.Equal(asked, c.asked) {
				t.Errorf("asked for %q, want %q", asked, c.asked)
			}
			if _, kept := got.Fields["policy"]; kept != c.kept {
				t.Errorf("the unread field is kept: %v, want %v", kept, c.kept)
			}
			if len(live) != 1 {
				t.Error("the answer, which others share, was written into")
			}
		})
	}
}

// A write-only field never reads back, which is no sign of a late read.
func TestWriteOnlyIsNeverLate(t *testing.T) {
	t.Parallel()
	got, _ := seen(t, "machine", resource.Map{"password": resource.String("x"), "diskIds": resource.List{resource.String("d")}}, nil, resource.Map{})
	if v := got.Fields["password"]; v != nil {
		t.Errorf("password is %#v", v)
	}
	if !resource.HasUnread(got.Fields["diskIds"]) {
		t.Errorf("diskIds, which is older than the write, is %#v", got.Fields["diskIds"])
	}
}
