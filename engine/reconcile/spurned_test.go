package reconcile_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/fake"
)

// refusing has updates of networks refused with a class, at the cost of an
// interruption, and gives how often they were tried.
func (s *stage) refusing(class resource.Class) func() int {
	tries := 0
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op != "update" || c.Kind != "network" {
			return fake.Decision{}
		}
		tries++
		return fake.Decision{Before: &resource.Failure{Class: class, Message: "it can't be", Interrupted: "label", Became: "it stands still now"}}
	})
	return func() int { return tries }
}

// relabelled pushes a commit that wants another label of a network.
func (s *stage) relabelled(hash, label string) {
	e := withMode(nets("prod", "a"), "auto")
	e.Desired[0].Fields["label"] = text(label)
	s.push(hash, map[string]environment{"prod": e})
	s.pass(time.Minute)
}

// What a cloud refuses only once it has interrupted an object is not asked for
// again by itself: no backoff makes the interruptions worth it. It outlives the
// process; another value in the spec, or a person, takes it up.
func TestRefusedAtACostIsNotTriedAgain(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": withMode(nets("prod", "a"), "auto")})
		s.start()
		s.pass(10 * time.Second)
		tries := s.refusing(resource.Invalid)
		s.relabelled("c2", "b")
		s.pass(3 * time.Hour)
		s.wantState("prod", "held")
		if note := s.row("prod").Note; tries() != 1 || !strings.HasPrefix(note, `fake.network/a: label stays "a": "b" was refused at `) {
			t.Fatalf("%d tries, the note %q", tries(), note)
		} else if strings.Contains(note, "stands still") {
			t.Fatalf("the note says of hours ago what it was then: %q", note)
		}
		if told := strings.Join(s.room.all(), "\n"); strings.Contains(told, "tries again") || !strings.Contains(told, "it stands still now") {
			t.Fatalf("told:\n%s", told)
		}
		if n := s.room.count("isobar resume prod fake.network/a.label"); n != 1 {
			t.Fatalf("told %d times:\n%s", n, strings.Join(s.room.all(), "\n"))
		}
		s.end()
		s.start()
		s.pass(3 * time.Hour)
		if tries() != 1 {
			t.Fatalf("%d tries after another start", tries())
		}
		must(t, s.Resume(t.Context(), "prod", []string{"fake.network/a.label"}, "ann"))
		s.pass(3 * time.Hour)
		if tries() != 2 {
			t.Fatalf("%d tries after a person said so", tries())
		}
		s.relabelled("c3", "c")
		s.pass(3 * time.Hour)
		if tries() != 3 {
			t.Fatalf("%d tries after another spec", tries())
		}
		s.world.OnCall(nil)
		s.relabelled("c4", "d")
		s.wantState("prod", "in sync")
		if flaps := s.row("prod").Flaps; s.label() != "d" || flaps != nil {
			t.Fatalf("the label is %q, kept is %s", s.label(), flaps)
		}
		if err := s.Resume(t.Context(), "prod", nil, "ann"); !errors.Is(err, reconcile.ErrNotPaused) {
			t.Fatal(err)
		}
	})
}

// What may pass with time, want of capacity above all, is asked for again, four
// times a day.
func TestRefusedForNowIsTriedSeldom(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": withMode(nets("prod", "a"), "auto")})
		s.start()
		s.pass(10 * time.Second)
		tries := s.refusing(resource.Throttled)
		s.relabelled("c2", "b")
		if s.room.count("isobar tries again at 06:0") == 0 {
			t.Fatalf("told:\n%s", strings.Join(s.room.all(), "\n"))
		}
		for want := 1; want < 5; want++ {
			if s.pass(time.Hour); tries() != want {
				t.Fatalf("%d tries, want %d", tries(), want)
			}
			s.wantState("prod", "held")
			s.pass(5*time.Hour + 5*time.Minute)
		}
		s.world.OnCall(nil)
		s.pass(7 * time.Hour)
		s.wantState("prod", "in sync")
		if s.label() != "b" {
			t.Fatalf("the label is %q", s.label())
		}
	})
}
