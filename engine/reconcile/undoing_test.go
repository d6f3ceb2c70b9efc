package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/resource"
)

// TestDriftReplacesNothingUnasked: what was changed outside and can be put back by a
// replacement alone waits for a person in mode auto, too.
func TestDriftReplacesNothingUnasked(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": withMode(nets("prod", "a"), "auto")})
		s.start()
		s.pass(10 * time.Second)
		s.wantState("prod", "in sync")
		id := s.idOf("network", "a")
		must(t, s.world.Mutate("network", id, func(f resource.Map) { f["cidr"] = text("10.99.0.0/16") }))
		s.pass(5 * time.Minute)
		s.wantState("prod", "waiting")
		if note := s.row("prod").Note; s.idOf("network", "a") != id || !strings.Contains(note, "fake.network/a would be replaced only since it was changed outside") {
			t.Errorf("%s, the note %q", s.idOf("network", "a"), note)
		}
	})
}
