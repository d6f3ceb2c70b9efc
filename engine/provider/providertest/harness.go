package providertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// Harness drives one kind's session within one subtest.
type Harness struct {
	Session provider.Session
	Kind    provider.Kind
	Desc    *resource.Descriptor

	s         *Subject
	catalogue provider.Catalogue
	cs        *Case
}

func (h *Harness) open(t *testing.T) provider.Session {
	t.Helper()
	s, err := h.s.Type.Open(t.Context(), h.s.Config)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	if s.Scope() == "" {
		t.Fatal("the session has no scope")
	}
	return s
}

// Address gives a fresh address of a kind.
func (h *Harness) Address(kind string) resource.Address {
	return resource.Address{Env: "conformance", Provider: h.s.Type.Name, Kind: kind, Name: "x" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]}
}

// NewMark gives a fresh mark for an address.
func (h *Harness) NewMark(a resource.Address) resource.Mark {
	return resource.Mark{Estate: h.s.Config.Estate, Env: a.Env, Address: a, Token: uuid.Must(uuid.NewV7()).String()}
}

// Make creates an object with all its fields and aspects, waits until it is
// done and shows, and deletes it when the test ends.
func (h *Harness) Make(t *testing.T, kind string, fields resource.Map) resource.Object {
	t.Helper()
	k, desc, ok := h.catalogue.Kind(h.s.Type.Name + "." + kind)
	if !ok {
		t.Fatalf("there is no kind %s", kind)
	}
	o := &Harness{Session: h.Session, Kind: k, Desc: desc, s: h.s, catalogue: h.catalogue, cs: h.cs}
	bare := resource.Map{}
	for name, v := range fields {
		if f := desc.Field(name); f != nil && f.Aspect == "" {
			bare[name] = v
		}
	}
	a := h.Address(kind)
	live := o.create(t, a, bare, h.NewMark(a))
	for _, aspect := range desc.Aspects() {
		next := resource.Map{}
		for name, v := range fields {
			if f := desc.Field(name); f != nil && f.Aspect == aspect {
				next[name] = v
			}
		}
		if len(next) > 0 {
			live = o.update(t, live, next)
		}
	}
	return live
}

// create makes an object, waits until it is done and shows, and cleans up.
func (h *Harness) create(t *testing.T, a resource.Address, fields resource.Map, m resource.Mark) resource.Object {
	t.Helper()
	if err := h.Session.Rehearse(t.Context(), resource.Object{Address: a, Fields: fields}); err != nil {
		t.Fatalf("rehearse the create of %s: %v", a.Local(), err)
	}
	p, err := h.Session.Create(t.Context(), resource.Object{Address: a, Fields: fields}, m)
	if err == nil && p.Object.ID == "" && p.Handle == "" {
		t.Fatalf("create of %s gave neither an id nor a handle", a.Local())
	}
	if p.Object.ID != "" {
		h.cleanUp(t, a, p.Object.ID)
	}
	if err != nil {
		t.Fatalf("create %s: %v", a.Local(), err)
	}
	id := h.finish(t, p).ID
	live := h.present(t, a, id)
	live.Address = a
	return live
}

func (h *Harness) cleanUp(t *testing.T, a resource.Address, id resource.ID) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		o := resource.Object{Address: a, ID: id}
		if p, err := h.Session.Delete(ctx, o, o); err != nil {
			t.Errorf("clean up of %s %s: %v", a.Kind, id, err)
		} else if _, err := h.poll(ctx, p); err != nil {
			t.Errorf("clean up of %s %s: %v", a.Kind, id, err)
		}
	})
}

// finish polls a handle to its end.
func (h *Harness) finish(t *testing.T, p provider.Progress) resource.Object {
	t.Helper()
	o, err := h.poll(t.Context(), p)
	if err != nil {
		t.Fatalf("poll: %v", err)
	}
	return o
}

func (h *Harness) poll(ctx context.Context, p provider.Progress) (resource.Object, error) {
	id := p.Object.ID
	for p.Handle != "" {
		if err := h.pause(ctx); err != nil {
			return p.Object, err
		}
		got := h.Session.Poll(ctx, []resource.Handle{p.Handle})
		if len(got) != 1 {
			return p.Object, errors.New("a poll of one handle did not give one answer")
		}
		if got[0].Done || got[0].Err != nil {
			if got[0].Object.ID == "" {
				got[0].Object.ID = id
			}
			return got[0].Object, got[0].Err
		}
		p.Handle = got[0].Handle
	}
	return p.Object, nil
}

func (h *Harness) pause(ctx context.Context) error {
	timer := time.NewTimer(h.s.Every)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// eventually waits until ok holds, at most for the kind's Lag and some
// patience; why says what is still wrong.
func (h *Harness) eventually(t *testing.T, what string, ok func() (why string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), h.Kind.Lag+h.s.Patience)
	defer cancel()
	for {
		why := ok()
		if why == "" {
			return
		}
		if h.pause(ctx) != nil {
			t.Fatalf("%s: %s, even after %v", what, why, h.Kind.Lag+h.s.Patience)
		}
	}
}

// one reads by a selector, once.
func (h *Harness) one(t *testing.T, by resource.Selector) []resource.Object {
	t.Helper()
	got := h.Session.Read(t.Context(), []resource.Want{{Kind: h.Kind.Name, By: by}})
	if len(got) != 1 {
		t.Fatalf("one want got %d answers", len(got))
	}
	if got[0].Err != nil {
		t.Fatalf("read: %v", got[0].Err)
	}
	if got[0].At.IsZero() {
		t.Fatal("the answer does not say when it was true (At)")
	}
	return got[0].Objects
}

// present waits until an id shows.
func (h *Harness) present(t *testing.T, a resource.Address, id resource.ID) resource.Object {
	t.Helper()
	var live resource.Object
	h.eventually(t, "read "+a.Local()+" by id", func() string {
		got := h.one(t, resource.Selector{IDs: []resource.ID{id}})
		if len(got) != 1 || got[0].ID != id {
			return "it is not there"
		}
		live = got[0]
		return ""
	})
	live.Address = a
	return live
}

// absent waits until an id no longer shows.
func (h *Harness) absent(t *testing.T, id resource.ID) {
	t.Helper()
	h.eventually(t, "read after delete", func() string {
		if len(h.one(t, resource.Selector{IDs: []resource.ID{id}})) > 0 {
			return "it is still there"
		}
		return ""
	})
}

// update sends what differs between live and next, which holds fields of one
// aspect, waits until it is done and shows.
func (h *Harness) update(t *testing.T, live resource.Object, next resource.Map) resource.Object {
	t.Helper()
	h.send(t, live, next)
	var after resource.Object
	h.eventually(t, "read after update", func() string {
		after = h.present(t, live.Address, live.ID)
		return h.differs(next, after.Fields)
	})
	return after
}

func (h *Harness) send(t *testing.T, live resource.Object, next resource.Map) {
	t.Helper()
	want := resource.Object{Address: live.Address, ID: live.ID, Mark: live.Mark, Fields: merged(live.Fields, next)}
	p, err := h.Session.Update(t.Context(), live, want, h.changes(live.Fields, next))
	if err != nil {
		t.Fatalf("update of %v: %v", next.Keys(), err)
	}
	h.finish(t, p)
}

func merged(live, next resource.Map) resource.Map {
	out := resource.Map{}
	for k, v := range live {
		out[k] = v
	}
	for k, v := range next {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

// changes lists what differs as the plan does: maps key by key, all else whole.
func (h *Harness) changes(live, next resource.Map) []resource.Change {
	var out []resource.Change
	for _, name := range next.Keys() {
		f := h.Desc.Field(name)
		before, isMap := live[name].(resource.Map)
		after, isMap2 := next[name].(resource.Map)
		if f != nil && f.Type == "map" && isMap && isMap2 {
			for _, k := range merged(before, after).Keys() {
				if !resource.Equal(before[k], after[k]) {
					out = append(out, resource.Change{Path: resource.Path{name, k}, Before: before[k], After: after[k]})
				}
			}
			continue
		}
		out = append(out, resource.Change{Path: resource.Path{name}, Before: live[name], After: next[name]})
	}
	return out
}

// differs says which field of want does not read back, or "".
func (h *Harness) differs(want, live resource.Map) string {
	return differ("", h.Desc.Fields, want, live)
}

// differ compares as the plan does: of a struct only the fields that are
// wanted.
func differ(at string, fields []resource.Field, want, live resource.Map) string {
	for _, name := range want.Keys() {
		i := slices.IndexFunc(fields, func(f resource.Field) bool { return f.Name == name })
		if i < 0 {
			return "the descriptor has no field " + at + name
		}
		f := &fields[i]
		inner, isMap := want[name].(resource.Map)
		have, isMap2 := live[name].(resource.Map)
		switch {
		case f.Unseen():
			if live[name] != nil {
				return at + name + " is of those that no read shows, and reads back"
			}
		case want[name] == nil && (f.Default == "server" || f.DefaultsTo != nil || resource.Empty(live[name])):
		case resource.Empty(want[name]) && resource.Empty(live[name]):
		case f.Type == "struct" && isMap && isMap2:
			if why := differ(at+name+".", f.Fields, inner, have); why != "" {
				return why
			}
		case !plan.Same(f, want[name], live[name]):
			return at + name + " reads back as " + string(resource.Encode(live[name])) + ", not " + string(resource.Encode(want[name]))
		}
	}
	return ""
}

// plansNothing wants an empty plan of what was set against what is live.
func (h *Harness) plansNothing(t *testing.T, live resource.Object, set resource.Map) {
	t.Helper()
	a := live.Address
	token := "t-" + a.Name
	record := ledger.Record{ID: live.ID, Scope: h.Session.Scope(), Applied: set, Outs: h.Desc.Outputs(live)}
	state, err := ledger.Fold([]ledger.Event{
		{Seq: 1, Address: a, Token: token, Type: ledger.Intended, Intent: &ledger.Intent{Step: "s", Op: ledger.Create, Record: record}},
		{Seq: 2, Address: a, Token: token, Type: ledger.Done, Record: &record},
	})
	if err != nil {
		t.Fatalf("fold: %v", err)
	}
	live.Mark = resource.Mark{Estate: h.s.Config.Estate, Env: a.Env, Address: a, Token: token}
	p := plan.Build(plan.Input{
		Env: a.Env, Estate: h.s.Config.Estate, Ledger: state,
		Desired: []resource.Desired{{Address: a, Fields: set}},
		Live:    map[ledger.Key]plan.Reading{{Address: a, Token: token}: {Seen: plan.Present, Object: live}},
		Kinds:   map[string]plan.Kind{a.Type(): {Descriptor: h.Desc, Marked: !h.Kind.Unmarked, Found: h.Kind.Origin == provider.OriginFound}},
	})
	if !p.Empty() {
		for _, c := range p.Changes {
			for _, f := range c.Fields {
				t.Errorf("the plan after it is not empty: %s: %s → %s", f.Path, resource.Encode(f.Before), resource.Encode(f.After))
			}
		}
		t.Fatalf("the plan after it has %d steps and %d holds", len(p.Steps), len(p.Held))
	}
}

func wantClass(t *testing.T, what string, err error, class resource.Class) {
	t.Helper()
	var f *resource.Failure
	if !errors.As(err, &f) {
		t.Errorf("%s: got %v, want a *resource.Failure of class %s", what, err, class)
	} else if f.Class != class {
		t.Errorf("%s: got class %s (%v), want %s", what, f.Class, err, class)
	}
}
