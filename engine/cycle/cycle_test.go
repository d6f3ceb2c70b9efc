package cycle_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"isobar.dev/engine/cycle"
)

func t0() time.Time { return time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC) }

func rules(m cycle.Mode) cycle.Rules {
	return cycle.Rules{Mode: m, Interval: time.Minute, Backoff: 10 * time.Second}
}

// tell writes effects in one line: "plan push; apply d1 by ann; tell waiting".
func tell(effects []cycle.Effect) string {
	out := ""
	for _, e := range effects {
		if out != "" {
			out += "; "
		}
		switch e := e.(type) {
		case cycle.MakePlan:
			out += "plan " + string(e.Trigger)
		case cycle.Apply:
			out += "apply " + e.Digest
			if e.By != "" {
				out += " by " + e.By
			}
		case cycle.Tell:
			out += "tell " + string(e.What)
			if e.By != "" {
				out += " by " + e.By
			}
		}
	}
	return out
}

func TestStories(t *testing.T) {
	t.Parallel()
	some := cycle.Planned{Digest: "d1", Changes: 1, Key: "d1"}
	none := cycle.Planned{Key: "c1"}
	drift := cycle.Ticked{Trigger: cycle.Drift}
	type line struct {
		ev   cycle.Event
		want string
	}
	for name, c := range map[string]struct {
		mode  cycle.Mode
		lines []line
	}{
		"auto applies": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell applying; apply d1"},
			{cycle.Applied{OK: true, Key: "r1"}, "tell applied"},
		}},
		"auto asks when a plan deletes more than may be unasked": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{cycle.Planned{Digest: "d1", Changes: 9, Key: "d1", Over: true}, "tell waiting"},
			{cycle.Approved{Digest: "d1", By: "ann"}, "plan approve"},
			{cycle.Planned{Digest: "d1", Changes: 9, Key: "d1", Over: true}, "tell applying by ann; apply d1 by ann"},
		}},
		"approve waits for that very plan": {cycle.Approve, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell waiting"},
			{cycle.Approved{Digest: "d1", By: "ann"}, "plan approve"},
			{cycle.Planned{Digest: "d2", Changes: 1, Key: "d2"}, "tell waiting"},
			{cycle.Approved{Digest: "d2", By: "ann"}, "plan approve"},
			{cycle.Planned{Digest: "d2", Changes: 1, Key: "d2"}, "tell applying by ann; apply d2 by ann"},
		}},
		"what is left of an approved plan runs under the approval, and what moved is asked about at once": {cycle.Approve, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell waiting"},
			{cycle.Approved{Digest: "d1", By: "ann"}, "plan approve"},
			{cycle.Planned{Digest: "d2", Of: "d1", Changes: 1, Held: 1, Key: "d2"}, "tell applying by ann; apply d2 by ann"},
			{cycle.Applied{OK: true, Key: "r1", Held: "x", Rest: true}, "tell applied; plan approve"},
			{cycle.Planned{Digest: "d3", Changes: 1, Key: "d3"}, "tell waiting"},
			{cycle.Planned{Digest: "d4", Of: "d1", Changes: 1, Key: "d4"}, "tell waiting"},
		}},
		"what follows a move has its trigger": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell applying; apply d1"},
			{cycle.Applied{OK: true, Key: "r1", Rest: true}, "tell applied; plan push"},
		}},
		"an approval is used once": {cycle.Approve, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell waiting"},
			{cycle.Approved{Digest: "d1", By: "ann"}, "plan approve"},
			{some, "tell applying by ann; apply d1 by ann"},
			{cycle.Applied{Key: "r1"}, "tell failed"},
			{cycle.Ticked{Trigger: cycle.Retry}, "plan retry"},
			{some, "tell waiting"},
		}},
		"a wait is told once, and found still there": {cycle.Approve, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell waiting"},
			{drift, ""},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{some, ""},
		}},
		"what was approved before its commit came is applied": {cycle.Approve, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{cycle.Planned{Digest: "d1", Changes: 1, Key: "d1", Agreed: "ann (#12)"}, "tell applying by ann (#12); apply d1 by ann (#12)"},
			{cycle.Applied{Key: "r1"}, "tell failed"},
			{cycle.Ticked{Trigger: cycle.Retry}, "plan retry"},
			{some, "tell waiting"},
		}},
		"what was approved before its commit came and is rejected is not applied": {cycle.Approve, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell waiting"},
			{cycle.Turned{Digest: "d1", By: "bob"}, "tell rejected"},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{cycle.Planned{Digest: "d1", Changes: 1, Key: "d1", Agreed: "ann (#12)"}, ""},
		}},
		"auto asks where another plan was approved": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{cycle.Planned{Digest: "d2", Changes: 1, Key: "d2", Unlike: true}, "tell waiting"},
			{cycle.Approved{Digest: "d2", By: "ann"}, "plan approve"},
			{cycle.Planned{Digest: "d2", Changes: 1, Key: "d2", Unlike: true}, "tell applying by ann; apply d2 by ann"},
		}},
		"a rejected plan is not asked for again, until a push": {cycle.Approve, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell waiting"},
			{cycle.Turned{Digest: "d1", By: "bob"}, "tell rejected"},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{some, ""},
			{cycle.Pushed{Commit: "c2"}, "plan push"},
			{some, "tell waiting"},
		}},
		"that a plan was rejected is told again after other news": {cycle.Approve, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell waiting"},
			{cycle.Turned{Digest: "d1", By: "bob"}, "tell rejected"},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{cycle.Planned{Digest: "d2", Changes: 1, Key: "d2"}, "tell waiting"},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{some, "tell rejected"},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{some, ""},
		}},
		"a rejection that comes too late leaves what waits": {cycle.Approve, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{cycle.Planned{Digest: "d2", Changes: 1, Key: "d2"}, "tell waiting"},
			{cycle.Turned{Digest: "d1", By: "bob"}, "tell rejected"},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{cycle.Planned{Digest: "d2", Changes: 1, Key: "d2"}, ""},
			{cycle.Approved{Digest: "d2", By: "ann"}, "plan approve"},
			{cycle.Planned{Digest: "d2", Changes: 1, Key: "d2"}, "tell applying by ann; apply d2 by ann"},
		}},
		"observe reports once": {cycle.Observe, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell report"},
			{cycle.Approved{Digest: "d1", By: "ann"}, "plan approve"},
			{some, ""},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{none, "tell in sync"},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{none, ""},
		}},
		"denied is told once and not applied": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{cycle.Planned{Digest: "d1", Changes: 1, Denied: true, Key: "d1 no"}, "tell denied"},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{cycle.Planned{Digest: "d1", Changes: 1, Denied: true, Key: "d1 no"}, ""},
		}},
		"a push during an apply is planned afterwards": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell applying; apply d1"},
			{cycle.Pushed{Commit: "c2"}, ""},
			{cycle.Applied{OK: true, Key: "r1"}, "tell applied; plan push"},
		}},
		"a push during a plan makes it old": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{cycle.Pushed{Commit: "c2"}, ""},
			{some, "plan push"},
			{some, "tell applying; apply d1"},
		}},
		"a stopped apply starts nothing, a restart goes on": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell applying; apply d1"},
			{cycle.Pushed{Commit: "c2"}, ""},
			{cycle.Applied{Stopped: true, Key: "r1"}, "tell stopped"},
			{cycle.Ticked{Trigger: cycle.Start}, "plan start"},
		}},
		"what a person cancelled waits in mode auto, till somebody says so": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell applying; apply d1"},
			{cycle.Cancelled{By: "bob"}, ""},
			{cycle.Applied{Halted: "bob", Key: "r1"}, "tell cancelled; plan retry"},
			{cycle.Planned{Digest: "d2", Changes: 1, Key: "d2"}, "tell waiting"},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{cycle.Planned{Digest: "d2", Changes: 1, Key: "d2"}, ""},
			{cycle.Approved{Digest: "d2", By: "ann"}, "plan approve"},
			{cycle.Planned{Digest: "d2", Changes: 1, Key: "d2"}, "tell applying by ann; apply d2 by ann"},
			{cycle.Applied{OK: true, Key: "r2"}, "tell applied"},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{some, "tell applying; apply d1"},
		}},
		"a commit takes up what a person cancelled": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell applying; apply d1"},
			{cycle.Applied{Halted: "bob", Key: "r1"}, "tell cancelled; plan retry"},
			{cycle.Planned{Digest: "d2", Changes: 1, Key: "d2"}, "tell waiting"},
			{cycle.Pushed{Commit: "c2"}, "plan push"},
			{some, "tell applying; apply d1"},
		}},
		"a cancel that comes too late holds up nothing": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell applying; apply d1"},
			{cycle.Cancelled{By: "bob"}, ""},
			{cycle.Applied{OK: true, Key: "r1"}, "tell applied"},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{some, "tell applying; apply d1"},
		}},
		"a newer commit is planned at once": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell applying; apply d1"},
			{cycle.Applied{Newer: true, Key: "r1"}, "tell cancelled; plan push"},
			{some, "tell applying; apply d1"},
		}},
		"held is told once": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{cycle.Planned{Held: 2, Key: "c1 x"}, "tell held"},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{cycle.Planned{Held: 2, Key: "c1 x"}, ""},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{none, "tell in sync"},
		}},
		"held by an applied run is not told again": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{some, "tell applying; apply d1"},
			{cycle.Applied{OK: true, Key: "r1", Held: " x"}, "tell applied"},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{cycle.Planned{Held: 1, Key: " x"}, ""},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{cycle.Planned{Held: 2, Key: " x y"}, "tell held"},
		}},
		"broken is told once": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{cycle.Broken{Why: "c1 typo", Final: true}, "tell broken"},
			{cycle.Ticked{Trigger: cycle.Manual}, "plan manual"},
			{cycle.Broken{Why: "c1 typo", Final: true}, ""},
			{cycle.Pushed{Commit: "c2"}, "plan push"},
			{none, "tell in sync"},
		}},
		"a new environment in sync is not worth a word": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{none, ""},
		}},
		"drift is put back": {cycle.Auto, []line{
			{cycle.Pushed{Commit: "c1"}, "plan push"},
			{none, ""},
			{drift, ""},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, now := cycle.State{}, t0()
			for i, l := range c.lines {
				var effects []cycle.Effect
				s, effects = cycle.Step(s, l.ev, now, rules(c.mode))
				if got := tell(effects); got != l.want {
					t.Fatalf("line %d, %T: got %q, want %q (state %+v)", i, l.ev, got, l.want, s)
				}
			}
		})
	}
}

// TestRipe: what cannot be told yet is looked at again as soon as it can be.
func TestRipe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ev   cycle.Event
		want time.Duration
	}{
		"nothing is to come":         {cycle.Planned{}, time.Minute},
		"sooner than the interval":   {cycle.Planned{Ripe: t0().Add(20 * time.Second)}, 20 * time.Second},
		"later than the interval":    {cycle.Planned{Ripe: t0().Add(2 * time.Minute)}, time.Minute},
		"held till then":             {cycle.Planned{Held: 1, Key: "held a", Ripe: t0().Add(20 * time.Second)}, 20 * time.Second},
		"after an apply":             {cycle.Applied{OK: true, Ripe: t0().Add(20 * time.Second)}, 20 * time.Second},
		"an apply that left no rest": {cycle.Applied{OK: true}, time.Minute},
	} {
		s, _ := cycle.Step(cycle.State{}, c.ev, t0(), rules(cycle.Auto))
		if got := s.Next.Sub(t0()); got != c.want {
			t.Errorf("%s: next in %v, want %v", name, got, c.want)
		}
	}
}

// TestBackoff grows, is bounded by the interval, and starts over after success.
func TestBackoff(t *testing.T) {
	t.Parallel()
	s, now := cycle.State{}, t0()
	wait := func(ev cycle.Event) time.Duration {
		s, _ = cycle.Step(s, cycle.Ticked{Trigger: cycle.Retry}, now, rules(cycle.Auto))
		s, _ = cycle.Step(s, ev, now, rules(cycle.Auto))
		return s.Next.Sub(now)
	}
	var got []string
	for range 5 {
		got = append(got, wait(cycle.Broken{Why: "down"}).String())
	}
	if fmt.Sprint(got) != "[10s 20s 40s 1m0s 1m0s]" {
		t.Errorf("the pauses are %v", got)
	}
	wait(cycle.Planned{Key: "c1"})
	if d := wait(cycle.Broken{Why: "down"}); d != 10*time.Second {
		t.Errorf("after a success the pause is %s", d)
	}
	if d := wait(cycle.Broken{Why: "typo", Final: true}); d != time.Minute {
		t.Errorf("a mistake of the user's is looked at again after %s", d)
	}
	// A failed apply backs off too: that its plan could be made is no success.
	s = cycle.State{}
	got = nil
	for range 5 {
		s, _ = cycle.Step(s, cycle.Ticked{Trigger: cycle.Retry}, now, rules(cycle.Auto))
		s, _ = cycle.Step(s, cycle.Planned{Digest: "d", Changes: 1, Key: "d"}, now, rules(cycle.Auto))
		s, _ = cycle.Step(s, cycle.Applied{Key: "r"}, now, rules(cycle.Auto))
		got = append(got, s.Next.Sub(now).String())
	}
	if fmt.Sprint(got) != "[10s 20s 40s 1m0s 1m0s]" {
		t.Errorf("after failed applies the pauses are %v", got)
	}
}

func drawEvent(t *rapid.T) cycle.Event {
	digest := rapid.SampledFrom([]string{"d1", "d2"}).Draw(t, "digest")
	flag := rapid.Bool().Draw(t, "flag")
	switch rapid.IntRange(0, 11).Draw(t, "event") {
	case 0:
		return cycle.Pushed{Commit: rapid.SampledFrom([]string{"c1", "c2", "c3"}).Draw(t, "commit")}
	case 1:
		return cycle.Ticked{Trigger: rapid.SampledFrom([]cycle.Trigger{cycle.Drift, cycle.Retry, cycle.Manual}).Draw(t, "trigger")}
	case 2, 3:
		return cycle.Planned{Digest: digest, Changes: 1, Denied: flag, Key: digest}
	case 4:
		return cycle.Planned{Held: rapid.IntRange(0, 1).Draw(t, "held"), Key: "c"}
	case 5:
		return cycle.Broken{Why: digest, Final: flag}
	case 6:
		return cycle.Approved{Digest: digest, By: "ann"}
	case 7:
		return cycle.Turned{Digest: digest, By: "bob"}
	case 8:
		return cycle.Ticked{Trigger: cycle.Start}
	case 10:
		return cycle.Cancelled{By: "eve"}
	case 11:
		return cycle.Applied{Newer: flag, Halted: map[bool]string{false: "eve"}[flag], Key: digest}
	default:
		return cycle.Applied{OK: flag, Stopped: !flag && rapid.Bool().Draw(t, "stopped"), Key: digest}
	}
}

// fits reports whether an event can come in a phase: a plan's outcome only
// while planning, an apply's only while applying.
func fits(s cycle.State, ev cycle.Event) bool {
	switch ev.(type) {
	case cycle.Planned, cycle.Broken:
		return s.Phase == cycle.Planning
	case cycle.Applied:
		return s.Phase == cycle.Applying
	}
	return true
}

// TestLaws lets anything that can happen happen, in any order.
func TestLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		mode := rapid.SampledFrom([]cycle.Mode{cycle.Observe, cycle.Approve, cycle.Auto}).Draw(t, "mode")
		s, now := cycle.State{}, t0()
		consent := ""   // what a person last agreed to, unless it was used or taken back
		told := ""      // what was last told
		pushed := false // since a plan was last asked for
		halted := false // a person cancelled the last apply, and nothing took that back
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			ev := drawEvent(t)
			if !fits(s, ev) {
				continue
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
			was := s
			before, _ := json.Marshal(s)
			var effects []cycle.Effect
			s, effects = cycle.Step(s, ev, now, rules(mode))
			if b, _ := json.Marshal(was); string(b) != string(before) {
				t.Fatalf("Step wrote into the state it was given")
			}
			if _, ok := ev.(cycle.Pushed); ok {
				pushed = true
			}
			plans, applies := 0, 0
			for _, e := range effects {
				switch e := e.(type) {
				case cycle.MakePlan:
					plans++
					pushed = false
				case cycle.Apply:
					applies++
					p, ok := ev.(cycle.Planned)
					switch {
					case !ok || p.Digest != e.Digest || e.Digest == "":
						t.Fatalf("%T led to %+v", ev, e)
					case mode == cycle.Observe:
						t.Fatalf("mode observe applied")
					case p.Denied:
						t.Fatalf("a denied plan was applied")
					case halted && (consent != e.Digest || e.By != "ann"):
						t.Fatalf("applied %s unasked though a person cancelled what was under way", e.Digest)
					case mode == cycle.Approve && (consent != e.Digest || e.By != "ann"):
						t.Fatalf("applied %s without consent to it, but to %q", e.Digest, consent)
					}
					consent, halted = "", false
				case cycle.Tell:
					key := fmt.Sprint(e.What, " ", s.Told)
					if key == told && (e.What == cycle.NewsWaiting || e.What == cycle.NewsDenied || e.What == cycle.NewsBroken || e.What == cycle.NewsReport || e.What == cycle.NewsHeld) {
						t.Fatalf("told twice in a row: %s", key)
					}
					told = key
				}
			}
			switch e := ev.(type) {
			case cycle.Pushed:
				halted = false
			case cycle.Cancelled:
				halted = true
			case cycle.Applied:
				halted = !e.OK && (halted || e.Halted != "" && !e.Newer)
			case cycle.Planned:
				halted = halted && (e.Digest != "" || e.Held > 0 || e.Denied)
			case cycle.Approved:
				consent = e.Digest
			case cycle.Turned:
				consent = ""
			}
			switch s.Phase {
			case cycle.Idle, cycle.Waiting:
				if plans+applies > 0 && plans == applies {
					t.Fatalf("busy and idle at once: %s", tell(effects))
				}
				if pushed && !stopped(ev) {
					t.Fatalf("after %T a push is forgotten: %+v", ev, s)
				}
			case cycle.Planning:
				if plans != 1 && was.Phase != cycle.Planning {
					t.Fatalf("planning, but no plan was asked for: %s", tell(effects))
				}
			case cycle.Applying:
				if applies != 1 && was.Phase != cycle.Applying {
					t.Fatalf("applying, but no apply was asked for: %s", tell(effects))
				}
			default:
				t.Fatalf("the phase %q is not defined", s.Phase)
			}
			if stopped(ev) && plans+applies > 0 {
				t.Fatalf("after a stop: %s", tell(effects))
			}
			if plans > 1 || applies > 1 || plans > 0 && applies > 0 {
				t.Fatalf("too much at once: %s", tell(effects))
			}
			if d := s.Next.Sub(now); d > time.Minute {
				t.Fatalf("the next look is %s away", d)
			}
			if stopped(ev) {
				pushed = false // the start looks at the newest commit anyway
			}
		}
	})
}

func stopped(ev cycle.Event) bool {
	a, ok := ev.(cycle.Applied)
	return ok && a.Stopped
}

// TestUnexpected gives each phase each event, fitting or not: the state stays a
// defined one.
func TestUnexpected(t *testing.T) {
	t.Parallel()
	events := []cycle.Event{
		cycle.Pushed{},
		cycle.Ticked{Trigger: cycle.Drift},
		cycle.Planned{},
		cycle.Planned{Digest: "d"},
		cycle.Planned{Digest: "d", Denied: true},
		cycle.Planned{Held: 1},
		cycle.Broken{},
		cycle.Approved{Digest: "d"},
		cycle.Turned{Digest: "d"},
		cycle.Applied{},
		cycle.Applied{OK: true},
		cycle.Applied{Stopped: true},
		cycle.Ticked{Trigger: cycle.Start},
	}
	for _, phase := range []cycle.Phase{cycle.Idle, cycle.Planning, cycle.Waiting, cycle.Applying} {
		for _, mode := range []cycle.Mode{cycle.Observe, cycle.Approve, cycle.Auto, ""} {
			for _, ev := range events {
				s, effects := cycle.Step(cycle.State{Phase: phase, Digest: "d"}, ev, t0(), rules(mode))
				switch s.Phase {
				case cycle.Idle, cycle.Planning, cycle.Waiting, cycle.Applying:
				default:
					t.Errorf("%s, %s, %T: the phase is %q", phase, mode, ev, s.Phase)
				}
				if _, ok := ev.(cycle.Planned); !ok && mode != cycle.Auto {
					for _, e := range effects {
						if a, ok := e.(cycle.Apply); ok {
							t.Errorf("%s, %s, %T: %+v", phase, mode, ev, a)
						}
					}
				}
			}
		}
	}
}

// TestRefreshStays keeps what a person wants asked anew until it came to
// something, and no longer.
func TestRefreshStays(t *testing.T) {
	t.Parallel()
	ask := func(lookups ...string) cycle.Event { return cycle.Refreshed{Lookups: lookups} }
	some, none := cycle.Planned{Digest: "d1", Changes: 1, Key: "d1"}, cycle.Planned{Key: "c1"}
	for name, c := range map[string]struct {
		mode   cycle.Mode
		events []cycle.Event
		want   string
	}{
		"while it is planned":          {cycle.Approve, []cycle.Event{ask("a"), ask("b", "a")}, "[a b]"},
		"while its plan waits":         {cycle.Approve, []cycle.Event{ask("a"), some}, "[a]"},
		"while it is looked at again":  {cycle.Approve, []cycle.Event{ask("a"), some, cycle.Ticked{Trigger: cycle.Manual}, some}, "[a]"},
		"while it is applied":          {cycle.Auto, []cycle.Event{ask("a"), some}, "[a]"},
		"after an apply that failed":   {cycle.Auto, []cycle.Event{ask("a"), some, cycle.Applied{Key: "r"}}, "[a]"},
		"not once it is applied":       {cycle.Auto, []cycle.Event{ask("a"), some, cycle.Applied{OK: true, Key: "r"}}, "[]"},
		"not where it found the same":  {cycle.Auto, []cycle.Event{ask("a"), none}, "[]"},
		"not once it is turned away":   {cycle.Approve, []cycle.Event{ask("a"), some, cycle.Turned{Digest: "d1", By: "bob"}}, "[]"},
		"not where it is denied":       {cycle.Auto, []cycle.Event{ask("a"), cycle.Planned{Digest: "d1", Denied: true, Key: "d1"}}, "[]"},
		"not where it is only told":    {cycle.Observe, []cycle.Event{ask("a"), some}, "[]"},
		"where it came during a plan":  {cycle.Auto, []cycle.Event{cycle.Pushed{Commit: "c"}, ask("a"), none}, "[a]"},
		"where it came during a write": {cycle.Auto, []cycle.Event{cycle.Pushed{Commit: "c"}, some, ask("a"), cycle.Applied{OK: true, Key: "r"}}, "[a]"},
	} {
		var s cycle.State
		for _, ev := range c.events {
			s, _ = cycle.Step(s, ev, t0(), rules(c.mode))
		}
		if got := fmt.Sprint(s.Refresh); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
