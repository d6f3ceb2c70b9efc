package providertest

import (
	"context"
	"sync"
	"testing"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// ask looks up by each of fields in one read.
func (h *Harness) ask(t *testing.T, fields ...resource.Map) []resource.Answer {
	t.Helper()
	wants := make([]resource.Want, len(fields))
	for i, f := range fields {
		wants[i] = resource.Want{Kind: h.Kind.Name, By: resource.Selector{Lookup: f}}
	}
	got := h.Session.Read(t.Context(), wants)
	if len(got) != len(wants) {
		t.Fatalf("%d wants got %d answers", len(wants), len(got))
	}
	return got
}

// found is what a lookup must have found: one object with all its outputs.
func (h *Harness) found(t *testing.T, a resource.Answer) resource.Object {
	t.Helper()
	if a.Err != nil || len(a.Objects) != 1 || a.Objects[0].ID == "" {
		t.Fatalf("the lookup gave %d objects, %v; want one with an id", len(a.Objects), a.Err)
	}
	if a.At.IsZero() {
		t.Error("the answer does not say when it was true (At)")
	}
	o := a.Objects[0]
	if !o.Mark.IsZero() {
		t.Errorf("it bears a mark: %+v", o.Mark)
	}
	for _, out := range h.Desc.Outs {
		if h.Desc.Outputs(o)[out.Name] == nil {
			t.Errorf("the output %s is missing", out.Name)
		}
	}
	return o
}

func lookupFinds(t *testing.T, h *Harness) {
	first := h.cs.Prepare(t, h).Create
	again := h.found(t, h.ask(t, first)[0])
	for i, a := range h.ask(t, first, first, first) {
		if o := h.found(t, a); o.ID != again.ID || !resource.Equal(o.Fields, again.Fields) {
			t.Errorf("answer %d is %s %s, and was %s %s before", i, o.ID, resource.Encode(o.Fields), again.ID, resource.Encode(again.Fields))
		}
	}
}

// lookupOfNothing asks for nothing between two that find something: only its own
// answer may suffer.
func lookupOfNothing(t *testing.T, h *Harness) {
	fx := h.cs.Prepare(t, h)
	if len(fx.Nothing) == 0 {
		t.Fatal("the fixture has no lookup that finds nothing")
	}
	asks := []resource.Map{fx.Create}
	asks = append(asks, fx.Nothing...)
	got := h.ask(t, append(asks, fx.Create)...)
	if a, b := h.found(t, got[0]), h.found(t, got[len(got)-1]); a.ID != b.ID {
		t.Errorf("the first is %s, the last %s", a.ID, b.ID)
	}
	for i := range fx.Nothing {
		a := got[1+i]
		wantClass(t, "lookup "+string(resource.Encode(fx.Nothing[i])), a.Err, resource.NotFound)
		if len(a.Objects) > 0 {
			t.Errorf("it gives %v", idsOf(a.Objects))
		}
	}
}

func lookupChangesNothing(t *testing.T, h *Harness) {
	fields := h.cs.Prepare(t, h).Create
	o := h.found(t, h.ask(t, fields)[0])
	o.Address = h.Address(h.Kind.Name)
	want := resource.Object{Address: o.Address, Fields: fields}
	m := h.NewMark(o.Address)
	_, err := h.Session.Create(t.Context(), want, m)
	wantClass(t, "create", err, resource.Bug)
	_, err = h.Session.Update(t.Context(), o, want, nil)
	wantClass(t, "update", err, resource.Bug)
	_, err = h.Session.Delete(t.Context(), o, o)
	wantClass(t, "delete", err, resource.Bug)
	_, err = h.Session.Find(t.Context(), provider.Intent{Want: want, Mark: m})
	wantClass(t, "find", err, resource.Bug)
	wantClass(t, "adoption", h.Session.Mark(t.Context(), o, &m), resource.Bug)
	wantClass(t, "release", h.Session.Mark(t.Context(), o, nil), resource.Bug)
	if now := h.found(t, h.ask(t, fields)[0]); now.ID != o.ID || !resource.Equal(now.Fields, o.Fields) {
		t.Errorf("it is %s %s now", now.ID, resource.Encode(now.Fields))
	}
}

func lookupCancelled(t *testing.T, h *Harness) {
	fields := h.cs.Prepare(t, h).Create
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := h.Session.Read(ctx, []resource.Want{{Kind: h.Kind.Name, By: resource.Selector{Lookup: fields}}})
	if len(got) != 1 || got[0].Err == nil || resource.ClassOf(got[0].Err) == resource.NotFound {
		t.Errorf("a lookup under a cancelled context gave %+v, want one answer with an error that is no absence", got)
	}
}

func lookupsAtOnce(t *testing.T, h *Harness) {
	fields := h.cs.Prepare(t, h).Create
	var wg sync.WaitGroup
	answers := make([]resource.Answer, 4)
	for i := range answers {
		wg.Go(func() {
			answers[i] = h.Session.Read(t.Context(), []resource.Want{{Kind: h.Kind.Name, By: resource.Selector{Lookup: fields}}})[0]
		})
	}
	wg.Wait()
	for _, a := range answers {
		if o := h.found(t, a); o.ID != answers[0].Objects[0].ID {
			t.Errorf("%s and %s at once", o.ID, answers[0].Objects[0].ID)
		}
	}
}
