package reconcile_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/providers/fake"
)

// onImage is a machine that is made from an image which is looked up.
func onImage(channel string) []resource.Desired {
	f := resource.Map{"name": text("linux")}
	if channel != "" {
		f["channel"] = text(channel)
	}
	return []resource.Desired{
		obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16")}),
		obj("image", "os", f),
		obj("machine", "db", resource.Map{
			"hostname": text("db"), "cpus": resource.Int(1), "networkId": ref("network", "main", "id"), "state": text("running"), "imageId": ref("image", "os", "id"),
		}),
	}
}

// made is the image that the machine was made from.
func made(w *fake.World) string {
	for _, o := range w.Objects() {
		if o.Address.Kind == "machine" {
			return o.Fields.Text("imageId")
		}
	}
	return ""
}

func (s *sim) refresh(t *testing.T, lookups ...string) (*plan.Plan, *reconcile.Outcome) {
	t.Helper()
	s.runs++
	d, err := s.Draft(t.Context(), reconcile.Job{Tree: tree("c"), Env: "prod", Commit: "c", Run: "refresh", Refresh: reconcile.RefreshOf("prod", lookups)})
	must(t, err)
	return d.Plan, s.Apply(t.Context(), d, nil)
}

// TestLookupsStayPinned follows one through its life.
func TestLookupsStayPinned(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.want(onImage("")...)
	s.mustRun(t)
	s.settled(t, onImage("")...)
	if got := made(s.world); got != "image-linux-1" {
		t.Fatalf("made from %s", got)
	}
	s.world.Publish("linux", "")
	s.settled(t, onImage("")...)

	p, out := s.refresh(t, "fake.image/other")
	if !p.Empty() || !out.OK() {
		t.Fatalf("refreshing something else: %s", brief(p))
	}
	p, out = s.refresh(t, "fake.image/os")
	if brief(p) != "pin fake.image/os, replace fake.machine/db" || !out.OK() || made(s.world) != "image-linux-2" {
		t.Fatalf("%s\n%s\nmade from %s, then %s", brief(p), results(out), made(s.world), brief(out.After))
	}
	s.settled(t, onImage("")...)

	s.want(onImage("edge")...) // an edit of its fields asks, too
	if p := s.mustRun(t); brief(p) != "pin fake.image/os, replace fake.machine/db" || made(s.world) != "image-linuxedge-1" {
		t.Fatalf("%s, made from %s", brief(p), made(s.world))
	}
	s.settled(t, onImage("edge")...)

	s.want(onImage("none")...)
	d := s.mustDraft(t)
	if len(d.Plan.Steps) > 0 || len(d.Plan.Held) != 1 || d.Plan.Held[0].Why != plan.HeldNothing || d.Plan.Held[0].Text != "no image is called linux" {
		t.Fatalf("a lookup of nothing: %s", brief(d.Plan))
	}
	bare := onImage("")
	bare[2].Fields["imageId"] = text("image-linuxedge-1")
	rest := []resource.Desired{bare[0], bare[2]}
	s.want(rest...)
	if p := s.mustRun(t); brief(p) != "forget fake.image/os, ledger settled fake.machine/db" {
		t.Fatalf("without the lookup: %s", brief(p))
	}
	s.settled(t, rest...)
}

// TestAPinBetweenPlanAndApply: what was shown is what is used, whatever is
// published meanwhile.
func TestAPinBetweenPlanAndApply(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.want(onImage("")...)
	d := s.mustDraft(t)
	s.world.Publish("linux", "")
	if out := s.Apply(t.Context(), d, nil); !out.OK() || made(s.world) != "image-linux-1" {
		t.Fatalf("%smade from %s", results(out), made(s.world))
	}
	s.settled(t, onImage("")...)
}

// TestImaginedLookups: offline, what a lookup finds is known only later, and
// nothing is held for it.
func TestImaginedLookups(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.want(onImage("")...)
	d, err := s.Imagine(t.Context(), reconcile.Job{Tree: tree("c"), Env: "prod"})
	must(t, err)
	if got := brief(d.Plan); got != "pin fake.image/os, create fake.machine/db, create fake.network/main" {
		t.Fatalf("%s", got)
	}
	for _, c := range d.Plan.Changes {
		if _, unknown := c.After["imageId"].(resource.Unknown); c.Address.Kind == "machine" && !unknown {
			t.Fatalf("imageId is %s", resource.Encode(c.After["imageId"]))
		}
	}
}

// TestDaemonRefresh: what a person wants asked anew goes the way of the mode,
// outlives a restart, and is over once it is applied.
func TestDaemonRefresh(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": {Environment: spec.Environment{Mode: "auto", Desired: onImage("")}}})
		s.start()
		s.pass(30 * time.Second)
		s.wantState("prod", "in sync")
		s.world.Publish("linux", "")
		s.push("c2", map[string]environment{"prod": {Environment: spec.Environment{Mode: "approve", Desired: onImage("")}}})
		s.pass(2 * time.Minute)
		s.wantState("prod", "in sync")
		for _, wrong := range []string{"fake.network/main", "fake.image/other", "nonsense"} {
			if err := s.Refresh(t.Context(), "prod", []string{wrong}); !errors.Is(err, reconcile.ErrNoLookup) {
				t.Fatalf("refreshing %s: %v", wrong, err)
			}
		}
		if err := s.Refresh(context.Background(), "nowhere", nil); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("refreshing nowhere: %v", err)
		}
		must(t, s.Refresh(t.Context(), "prod", []string{"fake.image/os"}))
		s.pass(3 * time.Minute)
		s.wantState("prod", "waiting")
		digest := s.row("prod").PlanDigest
		if _, err := s.Verdict(t.Context(), "prod", digest, "ann", store.Approve); err != nil {
			t.Fatal(err)
		}
		s.pass(30 * time.Second)
		s.wantState("prod", "in sync")
		if got := made(s.world); got != "image-linux-2" {
			t.Fatalf("made from %s\n%s", got, strings.Join(s.room.all(), "\n"))
		}
		s.world.Publish("linux", "")
		s.pass(5 * time.Minute)
		s.wantState("prod", "in sync")
	})
}

// TestDaemonLostPin: a lookup whose pin was lost with the store is not pinned while
// what uses it has several; a person who asks for it anew has what is found now taken.
func TestDaemonLostPin(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		second := func(image resource.Value) []resource.Desired {
			return append(onImage(""), obj("machine", "web", resource.Map{
				"hostname": text("web"), "cpus": resource.Int(1), "networkId": ref("network", "main", "id"), "state": text("running"), "imageId": image,
			}))
		}
		auto := func(want []resource.Desired) map[string]environment {
			return map[string]environment{"prod": {Environment: spec.Environment{Mode: "auto", Desired: want, Deletes: spec.Deletes{Max: 9, MaxShare: 1}}}}
		}
		s.push("c1", auto(onImage("")))
		s.start()
		s.pass(time.Minute)
		s.world.Publish("linux", "")
		s.push("c2", auto(second(text("image-linux-2"))))
		s.pass(time.Minute)
		s.wantState("prod", "in sync")
		s.end()
		s.data = store.NewMemory()
		s.push("c3", auto(second(ref("image", "os", "id"))))
		s.start()
		s.pass(5 * time.Minute)
		s.wantState("prod", "held")
		if got := made(s.world); got != "image-linux-1" {
			t.Fatalf("made from %s", got)
		}
		must(t, s.Refresh(t.Context(), "prod", []string{"fake.image/os"}))
		s.pass(5 * time.Minute)
		s.wantState("prod", "in sync")
		for _, o := range s.world.Objects() {
			if o.Address.Kind == "machine" && o.Fields.Text("imageId") != "image-linux-2" {
				t.Errorf("%s is made from %s", o.Address, o.Fields.Text("imageId"))
			}
		}
	})
}
