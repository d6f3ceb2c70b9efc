package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/providers/fake"
)

// TestFullDiskIsTold fills the disk between two commits: nothing is started, it
// is said, and it goes on by itself when there is room again.
func TestFullDiskIsTold(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(10 * time.Second)
		s.wantState("prod", "in sync")
		changing := 0
		s.world.OnCall(func(c fake.Call) fake.Decision {
			if c.Op != provider.OpRead {
				changing++
			}
			return fake.Decision{}
		})
		s.disk.Fill(true)
		s.push("c2", map[string]environment{"prod": nets("prod", "a", "b"), "new": nets("new", "c")})
		s.pass(3 * time.Minute)
		if changing > 0 || s.live() != 1 {
			t.Fatalf("%d calls were made without a record, %d objects", changing, s.live())
		}
		const want = "the store cannot be written to: nothing is started until it can; it then goes on by itself"
		if got := s.Unwritable(); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "cannot be written to") {
			t.Errorf("ready: %v", err)
		}
		if unread, aside := s.Unread(), s.Aside(s.row("prod")); len(unread) > 0 || aside != "" {
			t.Errorf("the repository is blamed: %v, %q", unread, aside)
		}
		s.disk.Fill(false)
		s.pass(2 * time.Minute)
		s.wantState("prod", "in sync")
		s.wantState("new", "in sync")
		if s.live() != 3 || s.Unwritable() != "" || s.Ready() != nil {
			t.Errorf("%d objects, %q, %v", s.live(), s.Unwritable(), s.Ready())
		}
	})
}

// TestFullDiskDuringApply fills the disk while the cloud makes an object: its
// outcome can't be recorded, and it is made once all the same.
func TestFullDiskDuringApply(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": nets("prod", "a", "b", "c")})
		s.start()
		s.world.OnCall(func(c fake.Call) fake.Decision {
			if c.Op == provider.OpCreate {
				s.disk.Fill(true)
			}
			return fake.Decision{}
		})
		s.pass(time.Minute)
		made := s.live()
		if made == 0 || s.Unwritable() == "" {
			t.Fatalf("%d objects, %q", made, s.Unwritable())
		}
		s.pass(5 * time.Minute)
		if s.live() != made {
			t.Fatalf("%d objects, and %d while nothing can be recorded", made, s.live())
		}
		s.world.OnCall(nil)
		s.disk.Fill(false)
		s.pass(15 * time.Minute)
		s.wantState("prod", "in sync")
		if s.live() != 3 || s.Unwritable() != "" {
			t.Fatalf("%d objects, %q", s.live(), s.Unwritable())
		}
	})
}
