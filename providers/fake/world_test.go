package fake_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/fake"
)

// clock is a clock that tests set by hand.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func world(o fake.Options) (*fake.World, *clock) {
	c := &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	o.Now = c.now
	return fake.NewWorld(o), c
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func session(t failer, w *fake.World) provider.Session {
	t.Helper()
	s, err := fake.Type(w).Open(context.Background(), provider.Config{Estate: "e"})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

func object(kind string, id resource.ID, fields resource.Map) resource.Object {
	return resource.Object{Address: resource.Address{Env: "prod", Provider: "fake", Kind: kind, Name: "x"}, ID: id, Fields: fields}
}

func mark(kind, token string) resource.Mark {
	return resource.Mark{Estate: "e", Env: "prod", Address: object(kind, "", nil).Address, Token: token}
}

func block() resource.Map { return resource.Map{"cidr": resource.String("10.0.0.0/16")} }

func TestLostAnswerIsFoundAgain(t *testing.T) {
	t.Parallel()
	for kind, fields := range map[string]resource.Map{
		"network": block(),
		"disk":    {"size": resource.Int(1)},
		"record":  {"name": resource.String("www")},
	} {
		w, _ := world(fake.Options{})
		s := session(t, w)
		w.OnCall(func(c fake.Call) fake.Decision {
			if c.Op == provider.OpCreate {
				return fake.Decision{After: fake.ErrCrash}
			}
			return fake.Decision{}
		})
		m := mark(kind, "t1")
		p, err := s.Create(t.Context(), object(kind, "", fields), m)
		if !errors.Is(err, fake.ErrCrash) || p.Object.ID != "" {
			t.Fatalf("%s: create gave %+v, %v", kind, p, err)
		}
		p, err = session(t, w).Find(t.Context(), provider.Intent{Want: object(kind, "", fields), Mark: m})
		if all := w.Objects(); err != nil || len(all) != 1 || p.Object.ID != all[0].ID {
			t.Errorf("%s: find gave %+v, %v in a world of %v", kind, p, err, all)
		}
		if l := w.Calls(); !l[0].Done || l[0].Token != "t1" || l[1].Replay {
			t.Errorf("%s: the log says %+v", kind, l)
		}
	}
}

func TestTokenReplay(t *testing.T) {
	t.Parallel()
	w, _ := world(fake.Options{})
	s := session(t, w)
	in := provider.Intent{Want: object("disk", "", resource.Map{"size": resource.Int(3)}), Mark: mark("disk", "t1")}
	p, err := s.Find(t.Context(), in)
	if err != nil || p.Object.ID == "" || !w.Calls()[0].Replay {
		t.Fatalf("a find of an unsent create does not replay it: %+v, %v", p, err)
	}
	again, err := s.Create(t.Context(), in.Want, in.Mark)
	if err != nil || again.Object.ID != p.Object.ID {
		t.Errorf("the same token gave %v, %v, not %v", again.Object.ID, err, p.Object.ID)
	}
	other := object("disk", "", resource.Map{"size": resource.Int(4)})
	if _, err := s.Create(t.Context(), other, in.Mark); resource.ClassOf(err) != resource.Invalid {
		t.Errorf("the same token with other fields gave %v", err)
	}
	if _, err := s.Delete(t.Context(), p.Object, p.Object); err != nil {
		t.Fatal(err)
	}
	if p, err := s.Find(t.Context(), in); err != nil || p.Object.ID != "" {
		t.Errorf("a spent token makes a new disk: %+v, %v", p, err)
	}
}

func TestLongCreate(t *testing.T) {
	t.Parallel()
	w, _ := world(fake.Options{Polls: 2})
	s := session(t, w)
	n, _ := s.Create(t.Context(), object("network", "", block()), mark("network", "n"))
	fields := resource.Map{"networkId": resource.String(n.Object.ID), "cpus": resource.Int(1), "hostname": resource.String("h")}
	in := provider.Intent{Want: object("machine", "", fields), Mark: mark("machine", "t1")}
	p, err := s.Create(t.Context(), in.Want, in.Mark)
	if err != nil || p.Handle == "" {
		t.Fatalf("create gave %+v, %v", p, err)
	}
	byID := []resource.Want{{Kind: "machine", By: resource.Selector{IDs: []resource.ID{p.Object.ID}}}}
	if a := s.Read(t.Context(), byID); len(a[0].Objects) != 0 || a[0].Err != nil {
		t.Errorf("it shows before it is done: %+v", a)
	}
	if f, err := s.Find(t.Context(), in); err != nil || f.Handle != p.Handle {
		t.Errorf("find of a running create gave %+v, %v", f, err)
	}
	if a := s.Poll(t.Context(), []resource.Handle{p.Handle, "task-none"}); a[0].Done || a[0].Err != nil || resource.ClassOf(a[1].Err) != resource.NotFound || a[1].Done {
		t.Errorf("first poll gave %+v", a)
	}
	w.ForgetTasks()
	if a := s.Poll(t.Context(), []resource.Handle{p.Handle}); resource.ClassOf(a[0].Err) != resource.NotFound || a[0].Done {
		t.Errorf("poll of a forgotten task gave %+v", a)
	}
	if f, err := s.Find(t.Context(), in); err != nil || f.Handle != "" || f.Object.ID != p.Object.ID {
		t.Errorf("find after a forgotten task gave %+v, %v", f, err)
	}
}

func TestReadsLag(t *testing.T) {
	t.Parallel()
	w, c := world(fake.Options{Lag: time.Minute})
	s := session(t, w)
	p, _ := s.Create(t.Context(), object("network", "", block()), mark("network", "t"))
	count := func() int {
		return len(s.Read(t.Context(), []resource.Want{{Kind: "network", By: resource.Selector{Estate: "e"}}})[0].Objects)
	}
	if n := count(); n != 0 {
		t.Errorf("%d show at once", n)
	}
	c.at = c.at.Add(time.Minute)
	if n := count(); n != 1 {
		t.Errorf("%d show after the lag", n)
	}
	if _, err := s.Delete(t.Context(), p.Object, p.Object); err != nil || count() != 1 {
		t.Errorf("the delete (%v) shows at once", err)
	}
	c.at = c.at.Add(time.Minute)
	if n := count(); n != 0 {
		t.Errorf("%d show after the delete's lag", n)
	}
}

func TestKnobs(t *testing.T) {
	t.Parallel()
	w, _ := world(fake.Options{})
	s := session(t, w)
	for i := range 3 {
		if _, err := s.Create(t.Context(), object("network", "", block()), mark("network", fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	d, _ := s.Create(t.Context(), object("disk", "", resource.Map{"size": resource.Int(1)}), mark("disk", "d"))
	all := func(kind string) resource.Answer {
		return s.Read(t.Context(), []resource.Want{{Kind: kind, By: resource.Selector{All: true}}})[0]
	}
	w.FailLists("network", 2)
	if a := all("network"); len(a.Objects) != 2 || resource.ClassOf(a.Err) != resource.Transient {
		t.Errorf("a list that breaks off gave %+v", a)
	}
	w.FailLists("network", -1)
	w.DenyAspect("disk", "policy", true)
	if a := all("disk"); a.Err != nil || !resource.HasUnread(a.Objects[0].Fields["policy"]) || a.Objects[0].Fields["size"] == nil {
		t.Errorf("a denied aspect gave %+v", a)
	}
	w.DenyAspect("disk", "", true)
	if a := all("disk"); resource.ClassOf(a.Err) != resource.Denied {
		t.Errorf("a denied kind gave %+v", a)
	}
	w.Throttle(1, time.Second)
	var f *resource.Failure
	if a := all("network"); !errors.As(a.Err, &f) || f.Class != resource.Throttled || f.After != time.Second {
		t.Errorf("a throttled read gave %+v", a)
	}
	if a := all("network"); len(a.Objects) != 3 || a.Err != nil {
		t.Errorf("the read after it gave %+v", a)
	}
	if err := w.Mutate("disk", d.Object.ID, func(f resource.Map) { f["size"] = resource.Int(7) }); err != nil {
		t.Fatal(err)
	}
	if got := w.Objects()[3].Fields["size"]; got != resource.Int(7) {
		t.Errorf("after the drift its size is %v", got)
	}
	w.OnCall(func(fake.Call) fake.Decision { return fake.Decision{Broken: "no boot"} })
	p, err := s.Create(t.Context(), object("network", "", block()), mark("network", "b"))
	if resource.ClassOf(err) != resource.Invalid || p.Object.ID == "" {
		t.Errorf("a broken create gave %+v, %v", p, err)
	}
}

func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	w, _ := world(fake.Options{})
	s := session(t, w)
	const secret = "swordfish-7"
	fields := resource.Map{"password": resource.List{resource.String(secret)}, "networkId": resource.String("network-none"), "cpus": resource.Int(1), "hostname": resource.String("h")}
	_, err1 := s.Create(t.Context(), object("machine", "", fields), mark("machine", "t"))
	fields["password"] = resource.String(secret)
	_, err2 := s.Create(t.Context(), object("machine", "", fields), mark("machine", "t"))
	if err1 == nil || err2 == nil {
		t.Fatal("bad machines were made")
	}
	if text := fmt.Sprintf("%v %v %+v", err1, err2, w.Calls()); strings.Contains(text, secret) {
		t.Errorf("the secret shows in %s", text)
	}
}

// Whatever calls are made, references hold, unique values are unique, a token
// or mark is borne once, and every object was made by a create that the log
// tells of.
func TestWorldInvariants(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w, c := world(fake.Options{Lag: 3 * time.Second, Polls: 1})
		s := session(t, w)
		ctx := context.Background()
		pick := func(kind string) resource.ID {
			ids := []resource.ID{resource.ID(kind + "-none")}
			for _, o := range w.Objects() {
				if o.Address.Kind == kind {
					ids = append(ids, o.ID)
				}
			}
			return rapid.SampledFrom(ids).Draw(t, kind)
		}
		text := func(name string) resource.Value {
			return resource.String(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, name))
		}
		token := func() string { return rapid.StringMatching(`[0-9]`).Draw(t, "token") }
		kinds := rapid.SampledFrom([]string{"disk", "group", "machine", "network", "record"})
		t.Repeat(map[string]func(*rapid.T){
			"create": func(*rapid.T) {
				kind := kinds.Draw(t, "kind")
				fields := map[string]func() resource.Map{
					"network": func() resource.Map { return block() },
					"disk": func() resource.Map {
						return resource.Map{"size": resource.Int(1), "networkId": resource.String(pick("network"))}
					},
					"group":  func() resource.Map { return resource.Map{"networkId": resource.String(pick("network"))} },
					"record": func() resource.Map { return resource.Map{"name": text("name")} },
					"machine": func() resource.Map {
						return resource.Map{"networkId": resource.String(pick("network")), "cpus": resource.Int(1), "hostname": text("host")}
					},
				}[kind]()
				m := mark(kind, kind+token())
				if kind == "network" || kind == "group" { // their tokens are fresh by contract
					m.Token = fmt.Sprintf("%s-%d", kind, w.Count())
				}
				if p, err := s.Create(ctx, object(kind, "", fields), m); err == nil && p.Handle != "" {
					s.Poll(ctx, []resource.Handle{p.Handle})
				}
			},
			"rules": func(*rapid.T) {
				g := object("group", pick("group"), nil)
				rules := resource.List{resource.Map{"peer": resource.String(pick("group")), "port": resource.Int(1)}}
				_, _ = s.Update(ctx, g, g, []resource.Change{{Path: resource.Path{"rules"}, After: rules}})
			},
			"delete": func(*rapid.T) {
				kind := kinds.Draw(t, "kind")
				o := object(kind, pick(kind), nil)
				_, _ = s.Delete(ctx, o, o)
			},
			"find": func(*rapid.T) {
				in := provider.Intent{Want: object("disk", "", resource.Map{"size": resource.Int(1)}), Mark: mark("disk", "disk"+token())}
				_, _ = s.Find(ctx, in)
			},
			"wait": func(*rapid.T) { c.at = c.at.Add(time.Second) },
			"":     func(t *rapid.T) { invariants(t, w) },
		})
	})
}

func invariants(t *rapid.T, w *fake.World) {
	living, unique := map[resource.ID]bool{}, map[string]bool{}
	for _, o := range w.Objects() {
		living[o.ID] = true
	}
	made := map[string]bool{}
	for _, c := range w.Calls() {
		if c.Done && (c.Op == provider.OpCreate || c.Replay) {
			made[c.Token] = true
		}
	}
	once := func(what, v string) {
		if unique[what+v] {
			t.Fatalf("two objects share the %s %s", what, v)
		}
		unique[what+v] = true
	}
	for _, o := range w.Objects() {
		refs := []string{o.Fields.Text("networkId")}
		rules, _ := o.Fields["rules"].(resource.List)
		for _, r := range rules {
			refs = append(refs, r.(resource.Map).Text("peer"))
		}
		for _, id := range refs {
			if id != "" && !living[resource.ID(id)] {
				t.Fatalf("%s refers to %s, which is gone", o.ID, id)
			}
		}
		switch o.Address.Kind {
		case "machine":
			once("hostname", o.Fields.Text("hostname"))
		case "record":
			once("name", o.Fields.Text("name"))
			continue // it bears no mark
		}
		once("token", o.Mark.Token)
		if !made[o.Mark.Token] {
			t.Fatalf("no call made %s", o.ID)
		}
	}
}

func TestLongWorkEndsUnasked(t *testing.T) {
	t.Parallel()
	w, c := world(fake.Options{Lasts: time.Minute})
	s := session(t, w)
	net, err := s.Create(t.Context(), object("network", "", block()), mark("network", "n"))
	if err != nil {
		t.Fatal(err)
	}
	fields := resource.Map{"hostname": resource.String("h"), "cpus": resource.Int(1), "networkId": resource.String(net.Object.ID)}
	p, err := s.Create(t.Context(), object("machine", "", fields), mark("machine", "m"))
	if err != nil || p.Handle == "" {
		t.Fatalf("%+v, %v", p, err)
	}
	count := func() int {
		return len(s.Read(t.Context(), []resource.Want{{Kind: "machine", By: resource.Selector{Estate: "e"}}})[0].Objects)
	}
	if n := count(); n != 0 {
		t.Errorf("%d show while it is made", n)
	}
	c.at = c.at.Add(time.Minute)
	if n := count(); n != 1 {
		t.Errorf("%d show after a minute", n)
	}
	if a := s.Poll(t.Context(), []resource.Handle{p.Handle}); resource.ClassOf(a[0].Err) != resource.NotFound {
		t.Errorf("its handle gives %+v", a)
	}
}
