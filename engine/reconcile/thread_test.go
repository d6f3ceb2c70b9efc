package reconcile_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
	"isobar.dev/providers/fake"
)

// syncBuffer is a buffer that several may write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// withDisk is a network a and a disk b.
func withDisk(env string) environment {
	e := nets(env, "a")
	e.Desired = append(e.Desired, resource.Desired{
		Address: resource.Address{Env: env, Provider: "fake", Kind: "disk", Name: "b"}, Fields: resource.Map{"size": resource.Int(8)},
	})
	return e
}

// withRecord is a record of a name, which bears no mark.
func withRecord(env, name string) environment {
	e := nets(env)
	e.Desired = append(e.Desired, resource.Desired{
		Address: resource.Address{Env: env, Provider: "fake", Kind: "record", Name: "r"},
		Fields:  resource.Map{"name": text(name), "values": resource.List{text("x")}},
	})
	return e
}

// failing has the fake refuse to make disks, with another request id each time,
// until it is mended.
func (s *stage) failing() (mend func()) {
	var mu sync.Mutex
	on, n := true, 0
	s.world.OnCall(func(c fake.Call) fake.Decision {
		mu.Lock()
		defer mu.Unlock()
		if !on || c.Op != provider.OpCreate || c.Kind != "disk" {
			return fake.Decision{}
		}
		n++
		id := fmt.Sprint("req-", n)
		return fake.Decision{Before: &resource.Failure{Class: resource.Denied, Op: "fake:CreateDisk", Code: "Quota", Message: "no room left", RequestID: id}}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		on = false
	}
}

// TestRetriesStayInTheirThread: what is tried again, and how it ends, is told where
// the failure was: one head that is edited, and no line twice.
func TestRetriesStayInTheirThread(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		mend := s.failing()
		s.push("c1", map[string]environment{"prod": withDisk("prod")})
		s.start()
		s.pass(3 * time.Second)
		s.wantState("prod", "partial")
		s.wantHeads("✗ *prod* · partial: 1 done, 1 failed · `fake.disk/b`: create failed: fake:CreateDisk: Quota: no room left (request req-1) · `c1` \"change c1\" by ann · " +
			"isobar tries again at 00:00:10 UTC")
		s.pass(5 * time.Minute)
		failures := s.room.count("reply m1", "fake.disk/b")
		if n := s.meter.count("prod failed"); n < 3 || s.room.count("post") != 1 || failures != 1 {
			t.Fatalf("%d retries, %d lines of the failure; the chat saw\n%s", n, failures, strings.Join(s.room.all(), "\n"))
		}
		mend()
		s.pass(90 * time.Second)
		s.wantState("prod", "in sync")
		runs, err := s.data.Runs(t.Context(), store.RunFilter{Env: "prod"})
		must(t, err)
		if runs[0].Trigger != "retry" || runs[len(runs)-1].Trigger != "push" {
			t.Fatalf("the triggers are %s … %s", runs[len(runs)-1].Trigger, runs[0].Trigger)
		}
		n := len(runs) - 1
		s.wantHeads(fmt.Sprintf("✓ *prod* · applied 1 change in 0.0 s, nothing drifted · retry %d · `c1` \"change c1\" by ann", n))
		if s.room.count("reply m1", "went well", fmt.Sprint("retry ", n)) != 1 || s.room.count("reply m1", "created") != 2 {
			t.Fatalf("the chat saw\n%s", strings.Join(s.room.all(), "\n"))
		}
		// What drifts after it is another story.
		must(t, s.world.Mutate("network", s.world.Objects()[0].ID, func(f resource.Map) { f["label"] = text("hacked") }))
		s.pass(2 * time.Minute)
		if s.room.count("post") != 2 {
			t.Fatalf("the chat saw\n%s", strings.Join(s.room.all(), "\n"))
		}
	})
}

// TestANewCommitLeavesTheThread with a word of where it goes on.
func TestANewCommitLeavesTheThread(t *testing.T) {
	play(t, func(_ *testing.T, s *stage) {
		s.failing()
		s.push("c1", map[string]environment{"prod": withDisk("prod")})
		s.start()
		s.pass(3 * time.Second)
		s.push("c2", map[string]environment{"prod": nets("prod", "a")})
		s.pass(20 * time.Second)
		s.wantState("prod", "in sync")
		s.wantHeads(
			"✗ *prod* · partial: 1 done, 1 failed · `fake.disk/b`: create failed: fake:CreateDisk: Quota: no room left (request req-1) · `c1` \"change c1\" by ann · a newer commit goes on: c2",
			"✓ *prod* · in sync · `c2` \"change c2\" by ann",
		)
	})
}

// TestWhatWasHeldIsToldToItsEnd in the thread that said so: by what is done once
// nothing keeps it any more, or by where it goes on.
func TestWhatWasHeldIsToldToItsEnd(t *testing.T) {
	const held = "⚠ *prod* · nothing can be done, 1 held · `c1` \"change c1\" by ann"
	for name, c := range map[string]struct {
		mode  string
		then  func(s *stage, taken resource.ID)
		heads []string
	}{
		"it is done": {"auto", func(s *stage, taken resource.ID) { must(s.t, s.world.Remove("record", taken)) }, []string{
			"✓ *prod* · applied 1 change in 0.0 s, nothing drifted · `c1` \"change c1\" by ann",
		}},
		"a person is asked": {"approve", func(s *stage, taken resource.ID) { must(s.t, s.world.Remove("record", taken)) }, []string{
			held + " · what was held waits for an approval: plan 2a7f-32e1",
			"◐ *prod* · plan `2a7f-32e1` waits for an approval · 1 change: 1 create · `c1` \"change c1\" by ann\n`+ fake.record/r` create\n" +
				"to approve it: `isobar approve prod 2a7f-32e1` · to turn it away: `isobar reject prod 2a7f-32e1`",
		}},
		"a newer commit": {"auto", func(s *stage, _ resource.ID) {
			s.push("c2", map[string]environment{"prod": nets("prod", "a")})
		}, []string{held + " · a newer commit goes on: c2", "✓ *prod* · applied 1 change in 0.0 s, nothing drifted · `c2` \"change c2\" by ann"}},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, s *stage) {
				taken, err := s.world.Add("fake/main", resource.Object{
					Address: resource.Address{Kind: "record"}, Fields: resource.Map{"name": text("www"), "values": resource.List{text("x")}},
				})
				must(t, err)
				s.push("c1", map[string]environment{"prod": withMode(withRecord("prod", "www"), c.mode)})
				s.start()
				s.pass(10 * time.Second)
				s.wantState("prod", "held")
				c.then(s, taken)
				s.pass(2 * time.Minute)
				s.wantHeads(c.heads...)
			})
		})
	}
}

// TestRetriesOutliveTheProcess: the next process goes on in the same thread.
func TestRetriesOutliveTheProcess(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		mend := s.failing()
		s.push("c1", map[string]environment{"prod": withDisk("prod")})
		s.start()
		s.pass(3 * time.Second)
		s.end()
		mend()
		s.start()
		s.pass(90 * time.Second)
		s.wantState("prod", "in sync")
		if s.room.count("post") != 1 {
			t.Fatalf("the chat saw\n%s", strings.Join(s.room.all(), "\n"))
		}
	})
}

// TestAnOutageIsOneThread: a cloud that can't be read is told once, and that it can
// be again in the same place.
func TestAnOutageIsOneThread(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(10 * time.Second)
		down := true
		var mu sync.Mutex
		s.world.OnCall(func(fake.Call) fake.Decision {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return fake.Decision{Before: &resource.Failure{Class: resource.Transient, Message: "connection refused"}}
			}
			return fake.Decision{}
		})
		s.pass(10 * time.Minute)
		if s.row("prod").State == "in sync" || s.room.count("post") != 2 {
			t.Fatalf("%s; the chat saw\n%s", s.row("prod").State, strings.Join(s.room.all(), "\n"))
		}
		mu.Lock()
		down = false
		mu.Unlock()
		s.pass(2 * time.Minute)
		s.wantState("prod", "in sync")
		if s.room.count("post") != 2 || s.room.count("edit", "in sync") != 1 {
			t.Fatalf("the chat saw\n%s", strings.Join(s.room.all(), "\n"))
		}
	})
}

// TestARevokedTokenIsSaidOnce: in the log once, in status for as long as it is so,
// and all that waited goes out in order when the token is mended.
func TestARevokedTokenIsSaidOnce(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		var log syncBuffer
		s.room.set(&resource.Failure{Class: resource.Denied, Op: "chat.postMessage", Code: "token_revoked", Message: "Slack refuses the bot token: give it a new one"})
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.log = slog.New(slog.NewTextHandler(&log, nil))
		s.start()
		s.pass(3 * time.Hour)
		s.wantState("prod", "in sync")
		if got := s.Aside(s.row("prod")); !strings.Contains(got, "chat is not told since 2000-01-01 00:00 UTC, messages wait: chat.postMessage: token_revoked") {
			t.Fatalf("the note is %q", got)
		}
		if n := strings.Count(log.String(), "level=WARN"); n > 1 {
			t.Fatalf("it was logged %d times:\n%s", n, log.String())
		}
		s.room.set(nil)
		must(t, s.Refollow(t.Context(), s.Repos)) // as a hangup does
		s.pass(time.Second)
		if got := s.Aside(s.row("prod")); got != "" || s.room.count("post") != 1 || s.room.count("reply m1") == 0 {
			t.Fatalf("the note is %q, the chat saw\n%s", got, strings.Join(s.room.all(), "\n"))
		}
		if n := strings.Count(log.String(), "chat is told again"); n != 1 {
			t.Fatalf("that it is well was logged %d times:\n%s", n, log.String())
		}
	})
}
