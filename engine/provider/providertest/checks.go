package providertest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// made prepares and creates one object.
func (h *Harness) made(t *testing.T) (Fixture, resource.Object, resource.Mark) {
	t.Helper()
	fx := h.cs.Prepare(t, h)
	for name := range fx.Create {
		if f := h.Desc.Field(name); f == nil || f.Aspect != "" {
			t.Fatalf("the fixture's Create holds %s, which no create carries", name)
		}
	}
	a := h.Address(h.Kind.Name)
	m := h.NewMark(a)
	return fx, h.create(t, a, fx.Create, m), m
}

func createReadsBack(t *testing.T, h *Harness) {
	fx, live, m := h.made(t)
	if why := h.differs(fx.Create, live.Fields); why != "" {
		t.Error(why)
	}
	h.marked(t, live, m)
	h.plansNothing(t, live, fx.Create)
	for _, o := range h.Desc.Outs {
		if !o.Volatile && h.Desc.Outputs(live)[o.Name] == nil { // a volatile one may come later: an address of what does not run
			t.Errorf("the output %s is missing", o.Name)
		}
	}
	for name := range live.Fields {
		if h.Desc.Field(name) == nil && !slices.ContainsFunc(h.Desc.Outs, func(o resource.Out) bool { return o.Name == name }) {
			t.Errorf("read gives %s, which the descriptor does not know", name)
		}
	}
	if fx.Holds != nil {
		_, err := h.Session.Delete(t.Context(), *fx.Holds, *fx.Holds)
		wantClass(t, "delete of what is in use", err, resource.Conflict)
	}
}

func (h *Harness) marked(t *testing.T, live resource.Object, m resource.Mark) {
	t.Helper()
	if want := m; h.Kind.Unmarked && !live.Mark.IsZero() || !h.Kind.Unmarked && live.Mark != want {
		t.Errorf("the mark reads back as %+v, not %+v", live.Mark, want)
	}
}

func readsInOrder(t *testing.T, h *Harness) {
	_, a, ma := h.made(t)
	_, b, _ := h.made(t)
	wants := []resource.Want{
		{Kind: h.Kind.Name, By: resource.Selector{IDs: []resource.ID{b.ID}}},
		{Kind: h.Kind.Name, By: resource.Selector{IDs: []resource.ID{a.ID, b.ID}}},
		{Kind: h.Kind.Name, By: resource.Selector{IDs: []resource.ID{a.ID}}},
		{Kind: h.Kind.Name, By: resource.Selector{Named: string(b.ID)}},
	}
	ids := [][]resource.ID{{b.ID}, {a.ID, b.ID}, {a.ID}, {b.ID}}
	if !h.Kind.Unmarked {
		wants = append(wants, resource.Want{Kind: h.Kind.Name, By: resource.Selector{Token: ma.Token}},
			resource.Want{Kind: h.Kind.Name, By: resource.Selector{Estate: "no-such-estate"}})
		ids = append(ids, []resource.ID{a.ID}, nil)
	}
	if h.cs.Missing != "" {
		wants = append(wants, resource.Want{Kind: h.Kind.Name, By: resource.Selector{IDs: []resource.ID{h.cs.Missing}}},
			resource.Want{Kind: h.Kind.Name, By: resource.Selector{IDs: []resource.ID{h.cs.Missing, a.ID}}},
			resource.Want{Kind: h.Kind.Name, By: resource.Selector{Named: string(h.cs.Missing)}})
		ids = append(ids, nil, []resource.ID{a.ID}, nil)
	}
	got := h.Session.Read(t.Context(), wants)
	if len(got) != len(wants) {
		t.Fatalf("%d wants got %d answers", len(wants), len(got))
	}
	for i := range got {
		if got[i].Err != nil {
			t.Errorf("want %d: %v", i, got[i].Err)
		} else if have := idsOf(got[i].Objects); !slices.Equal(have, sorted(ids[i])) {
			t.Errorf("want %d (%+v) gave %v, not %v", i, wants[i].By, have, sorted(ids[i]))
		}
	}
	if !h.Kind.Unmarked {
		estate := idsOf(h.one(t, resource.Selector{Estate: h.s.Config.Estate}))
		if !slices.Contains(estate, a.ID) || !slices.Contains(estate, b.ID) {
			t.Errorf("the list by estate %v lacks %s or %s", estate, a.ID, b.ID)
		}
	}
	if all := idsOf(h.one(t, resource.Selector{All: true})); !slices.Contains(all, a.ID) || !slices.Contains(all, b.ID) {
		t.Errorf("the list of everything %v lacks %s or %s", all, a.ID, b.ID)
	}
	if got := h.Session.Read(t.Context(), nil); len(got) != 0 {
		t.Errorf("no want got %d answers", len(got))
	}
}

func idsOf(os []resource.Object) []resource.ID {
	var out []resource.ID
	for _, o := range os {
		out = append(out, o.ID)
	}
	return sorted(out)
}

func sorted(ids []resource.ID) []resource.ID {
	out := slices.Clone(ids)
	slices.Sort(out)
	return out
}

func eachAspectUpdates(t *testing.T, h *Harness) {
	fx, live, m := h.made(t)
	for _, aspect := range h.Desc.Aspects() {
		if fx.Updates[aspect] == nil {
			t.Errorf("the fixture changes nothing of aspect %s", aspect)
		}
	}
	set := fx.Create
	for _, aspect := range append([]string{""}, h.Desc.Aspects()...) {
		next := fx.Updates[aspect]
		if next == nil {
			continue
		}
		for name := range next {
			if f := h.Desc.Field(name); f == nil || f.Aspect != aspect {
				t.Fatalf("the fixture's update of %q holds %s", aspect, name)
			}
		}
		set = merged(set, next)
		before := live
		live = h.update(t, live, next)
		if why := h.differs(set, live.Fields); why != "" {
			t.Errorf("after the update of %q: %s", aspect, why)
		}
		h.send(t, before, next) // repeatable
		h.eventually(t, "read after the same update again", func() string {
			live = h.present(t, live.Address, live.ID)
			return h.differs(set, live.Fields)
		})
		h.marked(t, live, m)
		h.plansNothing(t, live, set)
	}
}

func deleteTwice(t *testing.T, h *Harness) {
	_, live, m := h.made(t)
	p, err := h.Session.Delete(t.Context(), live, live)
	if err != nil {
		t.Fatalf("delete: %v", err)
	}
	h.finish(t, p)
	h.absent(t, live.ID)
	if !h.Kind.Unmarked {
		if got := h.one(t, resource.Selector{Token: m.Token}); len(got) > 0 {
			t.Errorf("its mark still finds %v", idsOf(got))
		}
	}
	if p, err = h.Session.Delete(t.Context(), live, live); err != nil {
		t.Fatalf("delete of what is gone: %v", err)
	}
	h.finish(t, p)
}

func findSettles(t *testing.T, h *Harness) {
	fx, live, m := h.made(t)
	in := provider.Intent{Want: resource.Object{Address: live.Address, Fields: fx.Create}, Mark: m, Since: time.Now().Add(-time.Minute)}
	h.eventually(t, "find after create", func() string {
		p, err := h.Session.Find(t.Context(), in)
		if err != nil {
			t.Fatalf("find: %v", err)
		}
		if o := h.finish(t, p); o.ID != live.ID {
			return "it gives " + string(o.ID) + ", not " + string(live.ID)
		}
		return ""
	})
	if !h.Kind.Unmarked {
		if got := h.one(t, resource.Selector{Token: m.Token}); len(got) != 1 {
			t.Errorf("after find, %d objects bear the token", len(got))
		}
	}
	other := h.cs.Prepare(t, h)
	a := h.Address(h.Kind.Name)
	in = provider.Intent{Want: resource.Object{Address: a, Fields: other.Create}, Mark: h.NewMark(a), Since: time.Now().Add(-time.Minute)}
	in.LookOnly = true
	p, err := h.Session.Find(t.Context(), in)
	if err != nil || p.Object.ID != "" || p.Handle != "" {
		t.Errorf("a find that only looks gives %+v, %v", p, err)
	}
	in.LookOnly = false
	p, err = h.Session.Find(t.Context(), in)
	switch {
	case err != nil:
		t.Errorf("find of nothing: %v", err)
	case p.Object.ID == "" && p.Handle == "":
	case h.Kind.Settle != provider.SettleToken:
		t.Errorf("find of nothing gives %+v", p)
	default: // it may replay the create under its token
		h.cleanUp(t, a, h.finish(t, p).ID)
	}
}

func markReleasesAndAdopts(t *testing.T, h *Harness) {
	fx, live, _ := h.made(t)
	if err := h.Session.Mark(t.Context(), live, nil); err != nil {
		t.Fatalf("release: %v", err)
	}
	if h.Kind.Unmarked {
		return
	}
	h.eventually(t, "read after release", func() string {
		if live = h.present(t, live.Address, live.ID); !live.Mark.IsZero() {
			return "the mark is still there"
		}
		return h.differs(fx.Create, live.Fields)
	})
	m := h.NewMark(live.Address)
	for range 2 { // repeatable
		if err := h.Session.Mark(t.Context(), live, &m); err != nil {
			t.Fatalf("adopt: %v", err)
		}
	}
	h.eventually(t, "read after adoption", func() string {
		if live = h.present(t, live.Address, live.ID); live.Mark != m {
			return "the mark is not there"
		}
		return h.differs(fx.Create, live.Fields)
	})
}

func fenceDown(t *testing.T, h *Harness) {
	fx, live, m := h.made(t)
	lost := errors.New("the lease is held by another")
	down := provider.WithFence(t.Context(), func(context.Context) error { return lost })
	fenced := func(what string, err error) {
		t.Helper()
		var f *provider.FencedError
		if !errors.As(err, &f) || !errors.Is(err, lost) {
			t.Errorf("%s under a fence that is down gave %v, want a *provider.FencedError with its cause", what, err)
		}
	}
	other := h.cs.Prepare(t, h)
	a := h.Address(h.Kind.Name)
	m2 := h.NewMark(a)
	p, err := h.Session.Create(down, resource.Object{Address: a, Fields: other.Create}, m2)
	fenced("create", err)
	if p.Object.ID != "" {
		t.Errorf("create under a fence that is down tells of %s", p.Object.ID)
		h.cleanUp(t, a, p.Object.ID)
	}
	for aspect, next := range fx.Updates {
		want := resource.Object{Address: live.Address, ID: live.ID, Mark: m, Fields: merged(live.Fields, next)}
		_, err = h.Session.Update(down, live, want, h.changes(live.Fields, next))
		fenced("update of "+aspect, err)
	}
	_, err = h.Session.Delete(down, live, live)
	fenced("delete", err)
	if !h.Kind.Unmarked {
		fenced("release", h.Session.Mark(down, live, nil))
		if got := h.one(t, resource.Selector{Token: m2.Token}); len(got) > 0 {
			t.Errorf("the create was made: %v", idsOf(got))
		}
	}
	now := h.present(t, live.Address, live.ID)
	h.marked(t, now, m)
	if why := h.differs(fx.Create, now.Fields); why != "" {
		t.Errorf("it was changed: %s", why)
	}
}

func cancelled(t *testing.T, h *Harness) {
	_, live, _ := h.made(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := h.Session.Read(ctx, []resource.Want{{Kind: h.Kind.Name, By: resource.Selector{IDs: []resource.ID{live.ID}}}})
	if len(got) != 1 || got[0].Err == nil {
		t.Errorf("read under a cancelled context gave %+v, want one answer with an error", got)
	}
	if _, err := h.Session.Delete(ctx, live, live); err == nil {
		t.Error("delete under a cancelled context went well")
	}
	h.present(t, live.Address, live.ID)
}

func errorsAreClassified(t *testing.T, h *Harness) {
	fx, live, _ := h.made(t)
	if fx.Invalid != nil {
		a := h.Address(h.Kind.Name)
		p, err := h.Session.Create(t.Context(), resource.Object{Address: a, Fields: fx.Invalid}, h.NewMark(a))
		wantClass(t, "create with invalid fields", err, resource.Invalid)
		if p.Object.ID != "" {
			t.Errorf("it tells of %s", p.Object.ID)
			h.cleanUp(t, a, p.Object.ID)
		}
	}
	p, err := h.Session.Delete(t.Context(), live, live)
	if err != nil {
		t.Fatalf("delete: %v", err)
	}
	h.finish(t, p)
	h.absent(t, live.ID)
	if m := h.NewMark(live.Address); !h.Kind.Unmarked {
		wantClass(t, "mark of what is gone", h.Session.Mark(t.Context(), live, &m), resource.NotFound)
	}
	for aspect, next := range fx.Updates {
		want := resource.Object{Address: live.Address, ID: live.ID, Fields: merged(live.Fields, next)}
		_, err := h.Session.Update(t.Context(), live, want, h.changes(live.Fields, next))
		wantClass(t, "update of "+aspect+" of what is gone", err, resource.NotFound)
	}
}

func concurrent(t *testing.T, h *Harness) {
	const n = 4
	var wg sync.WaitGroup
	ids := make([]resource.ID, n)
	errs := make([]error, n)
	objects := make([]resource.Object, n)
	for i := range n {
		a := h.Address(h.Kind.Name)
		objects[i] = resource.Object{Address: a, Fields: h.cs.Prepare(t, h).Create}
	}
	for i := range n {
		wg.Go(func() {
			m := h.NewMark(objects[i].Address)
			p, err := h.Session.Create(t.Context(), objects[i], m)
			ids[i] = p.Object.ID
			if err == nil {
				var o resource.Object
				if o, err = h.poll(t.Context(), p); o.ID != "" {
					ids[i] = o.ID
				}
			}
			if err == nil {
				err = h.Session.Read(t.Context(), []resource.Want{{Kind: h.Kind.Name, By: resource.Selector{IDs: ids[i : i+1]}}})[0].Err
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for i := range n {
		if ids[i] != "" {
			h.cleanUp(t, objects[i].Address, ids[i])
		}
		if errs[i] != nil {
			t.Errorf("create and read of %d at once: %v", n, errs[i])
		}
	}
	if got := sorted(ids); len(slices.Compact(got)) != n {
		t.Errorf("%d creates at once gave the ids %v", n, ids)
	}
}
