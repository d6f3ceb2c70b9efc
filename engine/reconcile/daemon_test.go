package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/git"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/providers/fake"
)

func TestPushIsApplied(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": nets("prod", "a", "b")})
		s.start()
		s.pass(10 * time.Second)
		s.wantState("prod", "in sync")
		if err := s.Ready(); err != nil || s.live() != 2 {
			t.Fatalf("%v, %d objects", err, s.live())
		}
		lines := s.room.all()
		if len(lines) < 4 || !strings.HasPrefix(lines[0], "post #ops ") || s.room.count("post") != 1 || s.room.count("reply m1", "network/a") != 1 ||
			s.room.count("reply m1", "network/b") != 1 || !strings.HasPrefix(lines[len(lines)-1], "edit m1") && s.room.count("edit m1") == 0 {
			t.Fatalf("the chat saw\n%s", strings.Join(lines, "\n"))
		}
		runs, err := s.data.Runs(t.Context(), store.RunFilter{})
		if err != nil || len(runs) != 1 || runs[0].State != store.Applied || runs[0].Counts.Create != 2 || runs[0].Ended.IsZero() {
			t.Fatalf("runs %+v, %v", runs, err)
		}
		s.pass(10 * time.Minute)
		if n := len(s.room.all()); n != len(lines) {
			t.Fatalf("nothing happened, and %d more lines were written:\n%s", n-len(lines), strings.Join(s.room.all(), "\n"))
		}
	})
}

// What a read cannot tell so soon after a write is looked at again as soon as it
// can, and not only after the interval.
func TestALateReadIsLookedAtAgain(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.world = fake.NewWorld(fake.Options{Now: time.Now, PollAfter: time.Second, Lag: 40 * time.Second})
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(10 * time.Second)
		s.wantState("prod", "in sync")
		if note := s.row("prod").Note; !strings.Contains(note, "fake.network/a") || !strings.Contains(note, "cannot be trusted before") {
			t.Fatalf("the note is %q", note)
		}
		s.pass(35 * time.Second)
		s.wantState("prod", "in sync")
		if note := s.row("prod").Note; note != "" || s.room.count("post") != 1 {
			t.Fatalf("the note is %q, the chat saw\n%s", note, strings.Join(s.room.all(), "\n"))
		}
	})
}

func TestDriftTick(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(10 * time.Second)
		id := s.world.Objects()[0].ID
		must(t, s.world.Mutate("network", id, func(f resource.Map) { f["label"] = text("hacked") }))
		s.pass(70 * time.Second)
		s.wantState("prod", "in sync")
		if got := s.world.Objects()[0].Fields.Text("label"); got != "a" || s.room.count("post") != 2 || s.meter.count("prod applied") != 2 {
			t.Fatalf("the label is %s, the chat saw\n%s", got, strings.Join(s.room.all(), "\n"))
		}
	})
}

func TestObserveReportsOnce(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": withMode(nets("prod", "a"), "observe")})
		s.start()
		s.pass(20 * time.Minute)
		s.wantState("prod", "differs")
		if s.live() != 0 || s.room.count("post") != 1 {
			t.Fatalf("%d objects, the chat saw\n%s", s.live(), strings.Join(s.room.all(), "\n"))
		}
	})
}

func TestDeniedIsToldOnce(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.judge.deny = "prod"
		s.push("c1", map[string]environment{"prod": nets("prod", "a"), "test": nets("test", "a")})
		s.start()
		s.pass(20 * time.Minute)
		s.wantState("prod", "denied")
		s.wantState("test", "in sync")
		if s.live() != 1 || s.room.count("post", "prod") != 1 || s.room.count("Friday") != 1 {
			t.Fatalf("%d objects, the chat saw\n%s", s.live(), strings.Join(s.room.all(), "\n"))
		}
	})
}

func TestOnlyWhatAPushConcerns(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		envs := map[string]environment{}
		for _, n := range []string{"e1", "e2", "e3", "e4", "e5", "e6"} {
			envs[n] = nets(n, "a")
		}
		s.push("c1", envs)
		s.start()
		s.pass(10 * time.Second)
		if s.live() != 6 {
			t.Fatalf("%d objects", s.live())
		}
		s.specs.mu.Lock()
		clear(s.specs.asked)
		s.specs.mu.Unlock()
		next := map[string]environment{}
		for n, e := range envs {
			next[n] = e
		}
		next["e3"] = nets("e3", "a", "b")
		s.push("c2", next)
		s.pass(8 * time.Second)
		s.specs.mu.Lock()
		asked := fmt.Sprint(s.specs.asked)
		s.specs.mu.Unlock()
		if asked != "map[e3:1]" || s.live() != 7 {
			t.Fatalf("evaluated %s, %d objects", asked, s.live())
		}
	})
}

func TestOneFailingDoesNotHoldOthers(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		bad := nets("bad", "a")
		bad.Providers = map[string]spec.Provider{"fake": {Type: "fake", Settings: resource.Map{"user": text("stranger")}}}
		broken := environment{broken: diag.List{{Severity: diag.Error, Code: "CUE-1", Message: "a typo"}}}
		s.push("c1", map[string]environment{"bad": bad, "broken": broken, "good": nets("good", "a")})
		s.start()
		s.pass(15 * time.Minute)
		s.wantState("good", "in sync")
		s.wantState("broken", "broken")
		if s.live() != 1 || s.row("bad").State == "in sync" || s.room.count("post", "broken") != 1 || s.room.count("a typo") != 1 {
			t.Fatalf("bad is %q, the chat saw\n%s", s.row("bad").State, strings.Join(s.room.all(), "\n"))
		}
	})
}

func TestBrokenSpecKeepsTheLastState(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(10 * time.Second)
		s.push("c2", map[string]environment{"prod": {broken: diag.List{{Severity: diag.Error, Code: "CUE-1", Message: "a typo"}}}})
		s.pass(10 * time.Minute)
		s.wantState("prod", "broken")
		if s.live() != 1 || s.room.count("a typo") != 1 {
			t.Fatalf("%d objects, the chat saw\n%s", s.live(), strings.Join(s.room.all(), "\n"))
		}
		s.push("c3", map[string]environment{"prod": nets("prod", "a")})
		s.pass(10 * time.Second)
		s.wantState("prod", "in sync")
	})
}

func TestVanishedEnvironment(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": nets("prod", "a"), "test": nets("test", "a")})
		s.start()
		s.pass(10 * time.Second)
		for i := range 4 {
			s.push(fmt.Sprint("later", i), map[string]environment{"test": nets("test", "a")})
			s.pass(2 * time.Minute)
		}
		s.wantState("prod", "held")
		s.wantState("test", "in sync")
		if s.live() != 2 || s.room.count("post", "prod") != 2 {
			t.Fatalf("%d objects, the chat saw\n%s", s.live(), strings.Join(s.room.all(), "\n"))
		}
	})
}

func TestChatDownForAnHour(t *testing.T) {
	chatDown(t, &resource.Failure{Class: resource.Transient, Message: "down"}, time.Hour)
}

// TestTokenRevokedForHours loses no report either: somebody will renew it.
func TestTokenRevokedForHours(t *testing.T) {
	chatDown(t, &resource.Failure{Class: resource.Denied, Code: "token_revoked", Message: "refused"}, 3*time.Hour)
}

// chatDown has two commits applied while the receiver is down, and told after.
func chatDown(t *testing.T, why error, length time.Duration) {
	t.Helper()
	play(t, func(t *testing.T, s *stage) {
		s.room.set(why)
		s.push("c1", map[string]environment{"prod": nets("prod", "a", "b")})
		s.start()
		s.pass(length / 3)
		s.push("c2", map[string]environment{"prod": nets("prod", "a", "b", "c")})
		s.pass(2 * length / 3)
		if s.live() != 3 || len(s.room.all()) != 0 {
			t.Fatalf("%d objects", s.live())
		}
		if s.room.tries > int(200*length/time.Hour) {
			t.Fatalf("a receiver that is down was called %d times in %s", s.room.tries, length)
		}
		s.room.set(nil)
		s.pass(3 * time.Minute)
		lines := s.room.all()
		thread := 0
		for i, l := range lines {
			switch {
			case strings.HasPrefix(l, "post"):
				thread = i + 1
			case !strings.Contains(l, fmt.Sprintf(" m%d ", thread)):
				t.Fatalf("out of order: %s", strings.Join(lines, "\n"))
			}
		}
		if s.room.count("post") != 2 || s.room.count("reply", "network/c") != 1 || s.room.count("reply", "network/a") != 1 {
			t.Fatalf("the chat saw\n%s", strings.Join(lines, "\n"))
		}
	})
}

// TestRefusedMessage lets one message be refused for good: the others go out.
func TestRefusedMessage(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.room.set(&resource.Failure{Class: resource.Invalid, Message: "too long"})
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(5 * time.Second)
		s.pass(20 * time.Minute)
		s.room.set(nil)
		s.push("c2", map[string]environment{"prod": nets("prod", "a", "b")})
		s.pass(10 * time.Second)
		if s.room.count("post") != 1 || s.room.count("reply", "network/b") != 1 || s.room.count("network/a") != 0 {
			t.Fatalf("the chat saw\n%s", strings.Join(s.room.all(), "\n"))
		}
		due, err := s.data.Due(t.Context(), time.Now().Add(time.Hour), 100)
		if err != nil || len(due) != 0 {
			t.Fatalf("still due: %+v, %v", due, err)
		}
	})
}

func TestTermDuringApplyDrains(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		e := environment{Environment: spec.Environment{Desired: phases()[0]}}
		s.push("c1", map[string]environment{"prod": e})
		first := true
		s.world.OnCall(func(c fake.Call) fake.Decision {
			if first && c.Op == provider.OpCreate && c.Kind == "machine" {
				first = false
				s.stop()
			}
			return fake.Decision{}
		})
		s.start()
		s.pass(time.Minute)
		if err := <-s.ended; err != nil {
			t.Fatal(err)
		}
		s.wantState("prod", "stopped")
		done := s.live()
		st, err := s.data.State(t.Context(), "prod")
		must(t, err)
		for _, e := range st.Entries {
			if e.Open != nil {
				t.Fatalf("%s was left open", e.Address)
			}
		}
		if done == 0 { // wantState has it that steps were left
			t.Fatal("nothing was done before the stop")
		}
		if s.room.count("edit") == 0 {
			t.Fatalf("the stop was not told before the end:\n%s", strings.Join(s.room.all(), "\n"))
		}
		s.start()
		s.pass(30 * time.Second)
		s.wantState("prod", "in sync")
		if s.live() != 10 {
			t.Fatalf("%d objects", s.live())
		}
	})
}

// TestLostLeaseStopsSends lets another process take the lease while an apply
// is under way: nothing more is sent, and it is picked up again later.
func TestLostLeaseStopsSends(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		e := environment{Environment: spec.Environment{Desired: phases()[0]}}
		s.push("c1", map[string]environment{"prod": e})
		stolen, at := false, time.Time{}
		var mu sync.Mutex
		s.world.OnCall(func(c fake.Call) fake.Decision {
			mu.Lock()
			defer mu.Unlock()
			if !stolen && c.Op == provider.OpPoll {
				stolen, at = true, time.Now()
				must(t, s.data.Release(context.Background(), "prod", "local"))
				if _, err := s.data.Acquire(context.Background(), "prod", "other", 30*time.Second, time.Now()); err != nil {
					t.Error(err)
				}
			}
			return fake.Decision{}
		})
		s.start()
		s.pass(20 * time.Second)
		mu.Lock()
		if !stolen {
			t.Error("the lease was not taken")
		}
		mu.Unlock()
		for _, c := range mutating(s.world.Calls()) {
			if c.At.After(at) && c.At.Before(at.Add(20*time.Second)) && c.Done {
				t.Errorf("sent after the lease was lost: %+v", c)
			}
		}
		if s.row("prod").State == "in sync" {
			t.Errorf("the run went on without a lease")
		}
		mu.Lock()
		calls := len(mutating(s.world.Calls()))
		mu.Unlock()
		s.pass(5 * time.Second)
		if n := len(mutating(s.world.Calls())); n != calls {
			t.Errorf("%d calls while another process holds the lease", n-calls)
		}
		s.pass(2 * time.Minute)
		s.wantState("prod", "in sync")
		if runs, err := s.data.Runs(t.Context(), store.RunFilter{}); err != nil || slices.ContainsFunc(runs, func(r store.Run) bool { return r.State == store.Applying }) {
			t.Errorf("a run is applying for ever: %+v", runs)
		}
	})
}

// TestAWokenProcessTellsNothing: one that stood still while another took over
// neither ends the other's run nor tells anything of its own plan.
func TestAWokenProcessTellsNothing(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		box := newInbox()
		s.inbox = func() reconcile.Inbox { return &lively{tray{box: box, p: &process{disk: s.disk}}} }
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(20 * time.Second)
		ctx := context.Background()
		var woken time.Time
		var mu sync.Mutex
		s.world.OnCall(func(c fake.Call) fake.Decision {
			mu.Lock()
			defer mu.Unlock()
			if woken.IsZero() && (c.Op == provider.OpRead || c.Op == provider.OpFind) {
				time.Sleep(15 * time.Second) // its heartbeats go on in this world: the lease is taken by force
				must(t, s.data.Release(ctx, "prod", s.leaseOwner()))
				if _, err := s.data.Acquire(ctx, "prod", "other", time.Minute, time.Now()); err != nil {
					t.Error(err)
				}
				must(t, s.data.PutRun(ctx, store.Run{ID: "0194a000-0000-7000-8000-00000000ffff", Env: "prod", State: store.Applying, Started: time.Now()}))
				woken = time.Now()
			}
			return fake.Decision{}
		})
		s.push("c2", map[string]environment{"prod": nets("prod", "a", "b")})
		s.pass(40 * time.Second)
		mu.Lock()
		if woken.IsZero() {
			t.Error("nothing was read")
		}
		mu.Unlock()
		said := len(s.room.all())
		run, err := s.data.Run(ctx, "0194a000-0000-7000-8000-00000000ffff")
		if err != nil || run.State != store.Applying {
			t.Fatalf("the other's run is %s: %s, %v\n%s", run.State, run.Note, err, strings.Join(s.room.all(), "\n"))
		}
		if n := s.room.count("c2"); n != 0 {
			t.Fatalf("%d of %d messages tell of what it planned\n%s", n, said, strings.Join(s.room.all(), "\n"))
		}
	})
}

// lively is an inbox among whose processes nobody is dead.
type lively struct{ tray }

// Reap implements reconcile.Inbox.
func (l *lively) Reap(context.Context, json.RawMessage) ([]store.Lease, error) { return nil, nil }

// leaseOwner is who holds prod now.
func (s *stage) leaseOwner() string {
	l, err := s.data.Lease(context.Background(), "prod")
	must(s.t, err)
	return l.Owner
}

// TestPushDuringApply is planned after it.
func TestPushDuringApply(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": {Environment: spec.Environment{Desired: phases()[0]}}})
		pushed := false
		var mu sync.Mutex
		s.world.OnCall(func(c fake.Call) fake.Decision {
			mu.Lock()
			now := c.Op == provider.OpPoll && !pushed
			pushed = pushed || now
			mu.Unlock() // a lock held over a sleep would stop the fake clock
			if now {
				s.push("c2", map[string]environment{"prod": {Environment: spec.Environment{Desired: phases()[1]}}})
				time.Sleep(7 * time.Second) // a slow answer: the next poll of the repository comes first
			}
			return fake.Decision{}
		})
		s.start()
		s.pass(50 * time.Second)
		s.wantState("prod", "in sync")
		if s.row("prod").Commit != "c2" || s.live() != 9 || s.room.count("post") != 2 {
			t.Fatalf("commit %s, %d objects\n%s", s.row("prod").Commit, s.live(), strings.Join(s.room.all(), "\n"))
		}
	})
}

// TestUnreadableRepository: the last commit stays in force, and people can see
// why nothing new comes.
func TestUnreadableRepository(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		var log syncBuffer
		s.log = slog.New(slog.NewTextHandler(&log, nil))
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(10 * time.Second)
		s.source.set(errors.New("the repository is gone"))
		s.pass(2 * time.Minute)
		if n := strings.Count(log.String(), "repository could not be read"); n != 1 {
			t.Errorf("it is told %d times:\n%s", n, log.String())
		}
		s.wantState("prod", "in sync")
		if got := s.Aside(s.row("prod")); got != "repository unreadable, c1 stays in force: the repository is gone" {
			t.Fatalf("what is said beside it is %q", got)
		}
		s.source.set(nil)
		s.pass(2 * time.Minute)
		if got := s.Aside(s.row("prod")); got != "" {
			t.Fatalf("what is said beside it is still %q", got)
		}
	})
}

// TestUnreadableRepositoryIsToldInChat: not what passes by itself, not twice, and
// the message says when it is over.
func TestUnreadableRepositoryIsToldInChat(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		said := func(n, edits int, last string) {
			t.Helper()
			all := s.room.all()
			if s.room.count("post", "repository") != n || s.room.count("edit", "repository") != edits || !strings.Contains(all[len(all)-1], last) {
				t.Fatalf("the chat saw\n%s", strings.Join(all, "\n"))
			}
		}
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(10 * time.Second)
		s.source.set(errors.New("the token is no more"))
		s.pass(9 * time.Minute)
		s.source.set(nil)
		s.pass(2 * time.Minute)
		said(0, 0, "")
		s.source.set(errors.New("the token is no more"))
		s.pass(time.Hour)
		said(1, 0, "· the token is no more · `c1` stays in force")
		s.source.set(nil)
		s.pass(10 * time.Minute)
		said(1, 1, "is followed again · from ")
		s.source.set(errors.New("gone again"))
		s.pass(time.Hour)
		said(1, 2, "· gone again ·")
		s.source.set(nil)
		s.pass(10 * time.Minute)
		said(1, 3, "is followed again · from ")
	})
}

// TestUnsignedHeadIsTold: at once, each head that is not taken with whose it is, in one
// message; what was taken stays in force.
func TestUnsignedHeadIsTold(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		var log syncBuffer
		s.log = slog.New(slog.NewTextHandler(&log, nil))
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(10 * time.Second)
		said := func(edits int, last string) {
			t.Helper()
			all := s.room.all()
			if s.room.count("post", "repository") != 1 || s.room.count("edit", "repository") != edits || !strings.Contains(all[len(all)-1], last) {
				t.Fatalf("the chat saw\n%s", strings.Join(all, "\n"))
			}
		}
		s.source.set(&git.Error{Kind: git.Unsigned, What: "c2 of Ann is not signed", Mend: "sign it"})
		s.pass(2 * time.Minute)
		said(0, "· c2 of Ann is not signed · `c1` stays in force")
		if got := s.Aside(s.row("prod")); got != "c1 stays in force: c2 of Ann is not signed" {
			t.Errorf("what is said beside it is %q", got)
		}
		s.source.set(&git.Error{Kind: git.Unsigned, What: "c3 of Ben is not signed", Mend: "sign it"})
		s.pass(2 * time.Minute)
		said(1, "· c3 of Ben is not signed · `c1` stays in force")
		if n := strings.Count(log.String(), "is not taken; the last commit stays in force"); n != 2 {
			t.Errorf("it is told %d times:\n%s", n, log.String())
		}
		s.source.set(nil)
		s.pass(2 * time.Minute)
		said(2, "is followed again · from ")
		s.wantState("prod", "in sync")
	})
}

// TestUnreadableRepositoryAndANewProcess: the one that starts while a repository
// can't be read says no more than what was said, and one that can read it says so
// where it was told otherwise, once.
func TestUnreadableRepositoryAndANewProcess(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.source.set(errors.New("the token is no more"))
		s.pass(20 * time.Minute)
		s.end()
		s.start()
		s.pass(20 * time.Minute)
		s.end()
		s.source.set(nil)
		s.start()
		s.pass(2 * time.Minute)
		for range 2 {
			s.end()
			s.start()
			s.pass(2 * time.Minute)
		}
		all := s.room.all()
		if s.room.count("post", "repository") != 1 || s.room.count("edit", "is followed again · at ") != 1 || !strings.Contains(all[len(all)-1], "again") {
			t.Fatalf("the chat saw\n%s", strings.Join(all, "\n"))
		}
	})
}

// TestAskedWhileItStarts: people ask as soon as the socket is there, while what was
// known before is read; under the race detector.
func TestAskedWhileItStarts(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(10 * time.Second)
		s.end()
		s.start()
		if got := s.Aside(s.row("prod")); got != "" {
			t.Errorf("what is said beside it is %q", got)
		}
		s.pass(10 * time.Second)
		s.wantState("prod", "in sync")
	})
}

// TestDriftSeesACommitFirst has a look for drift begin while the environments that
// a commit changes are still being found: its run is the push's.
func TestDriftSeesACommitFirst(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("one", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(20 * time.Second)
		s.specs.mu.Lock()
		s.specs.hashing = func() { time.Sleep(2 * time.Minute) }
		s.specs.mu.Unlock()
		s.push("two", map[string]environment{"prod": nets("prod", "a", "b")})
		s.pass(90 * time.Second)
		runs, err := s.data.Runs(t.Context(), store.RunFilter{Env: "prod", Limit: 1})
		if err != nil || len(runs) != 1 || runs[0].Commit != "two" || runs[0].Trigger != "push" || runs[0].State != store.Applied {
			t.Errorf("the last run is %+v (%v)", runs, err)
		}
		s.pass(3 * time.Minute)
		s.wantState("prod", "in sync")
	})
}
