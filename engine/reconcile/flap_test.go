package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
)

// fight has somebody change a network's label as soon as isobar has put it back,
// n times, a look between each.
func (s *stage) fight(from, n int) {
	s.t.Helper()
	for i := range n {
		must(s.t, s.world.Mutate("network", s.idOf("network", "a"), func(f resource.Map) { f["label"] = text(fmt.Sprint("eve ", from+i)) }))
		s.pass(65 * time.Second)
	}
}

func (s *stage) label() string {
	for _, o := range s.world.Objects() {
		if o.ID == s.idOf("network", "a") {
			return o.Fields.Text("label")
		}
	}
	return ""
}

// flapping starts a daemon in mode auto that puts a field back twice an hour.
func (s *stage) flapping(mode string) {
	s.t.Helper()
	s.specs.put("c1", commit{flapping: spec.Flapping{Times: 2, Within: time.Hour}, envs: map[string]environment{"prod": withMode(nets("prod", "a", "b"), mode)}})
	s.source.head = "c1"
	s.start()
	s.pass(10 * time.Second)
}

// TestFlappingIsTold puts a field back so often and no more, tells it once, lets
// the rest go on, and takes it up again when a person says so.
func TestFlappingIsTold(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.flapping("auto")
		s.fight(0, 2)
		if s.label() != "a" {
			t.Fatalf("the label is %q", s.label())
		}
		s.fight(2, 1)
		s.wantState("prod", "held")
		if note := s.row("prod").Note; s.label() != "eve 2" || !strings.HasPrefix(note, "fake.network/a: label flaps, put back 2 times within 1 h, last at 00:") {
			t.Fatalf("the label is %q, the note %q", s.label(), note)
		}
		posts := s.room.count("post")
		s.pass(30 * time.Minute)
		if s.room.count("post") != posts || s.room.count("flapping", "isobar resume prod fake.network/a.label") != 1 {
			t.Fatalf("the chat saw\n%s", strings.Join(s.room.all(), "\n"))
		}
		// It outlives the process, and the rest goes on.
		s.end()
		s.start()
		must(t, s.world.Mutate("network", s.idOf("network", "b"), func(f resource.Map) { f["label"] = text("mallory") }))
		s.pass(90 * time.Minute)
		for _, o := range s.world.Objects() {
			if got := o.Fields.Text("label"); got != map[bool]string{true: "eve 2", false: "a"}[o.ID == s.idOf("network", "a")] {
				t.Fatalf("%s has the label %q", o.ID, got)
			}
		}
		s.wantState("prod", "held")
		for _, names := range [][]string{{"fake.network/b"}, {"fake.network/a.cidr"}, {"fake.network/a.labe"}} {
			if err := s.Resume(t.Context(), "prod", names, "ann"); !errors.Is(err, reconcile.ErrNotPaused) {
				t.Errorf("resuming %v: %v", names, err)
			}
		}
		must(t, s.Resume(t.Context(), "prod", []string{"fake.network/a"}, "ann"))
		s.pass(time.Second)
		s.wantState("prod", "in sync")
		rows, err := s.data.AuditRows(context.Background(), store.AuditFilter{Env: "prod"})
		must(t, err)
		found := false
		for _, r := range rows {
			found = found || r.Kind == "resume" && r.Actor == "ann" && strings.Contains(string(r.Body), "fake.network/a.label")
		}
		if !found || s.label() != "a" {
			t.Fatalf("the label is %q, the audit log %+v", s.label(), rows)
		}
	})
}

// A spec that changes the field takes it up; so does an hour in which nobody
// touched it.
func TestFlappingEnds(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.flapping("auto")
		s.fight(0, 3)
		s.wantState("prod", "held")
		e := withMode(nets("prod", "a", "b"), "auto")
		e.Desired[0].Fields["label"] = text("new")
		s.specs.put("c2", commit{flapping: spec.Flapping{Times: 2, Within: time.Hour}, envs: map[string]environment{"prod": e}})
		s.source.mu.Lock()
		s.source.head = "c2"
		s.source.mu.Unlock()
		s.pass(time.Minute)
		s.wantState("prod", "in sync")
		if s.label() != "new" {
			t.Fatalf("the label is %q", s.label())
		}
		s.pass(2 * time.Hour)
		if flaps := s.row("prod").Flaps; flaps != nil {
			t.Fatalf("still kept: %s", flaps)
		}
		s.fight(9, 1)
		if s.label() != "new" {
			t.Fatalf("the label is %q", s.label())
		}
	})
}

// In mode approve a person decides each time: nothing is left alone.
func TestFlappingAsks(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.flapping("approve")
		for i := range 5 {
			s.wantState("prod", "waiting")
			s.say(s.row("prod").PlanDigest, "ann", store.Approve)
			s.pass(time.Second)
			s.wantState("prod", "in sync")
			s.fight(i, 1)
		}
	})
}
