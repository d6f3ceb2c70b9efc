package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
	"isobar.dev/engine/view"
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

// TestAServerThatIsAwayIsWaitedFor has the store's server gone when the daemon
// begins, when its queue does, and in the midst of its life. The daemon says so
// once, blames no repository, and goes on by itself.
func TestAServerThatIsAwayIsWaitedFor(t *testing.T) {
	for name, prepare := range map[string]func(*stage){
		"restart": func(s *stage) { s.lost = true },
		"queue": func(s *stage) {
			box := newInbox()
			s.inbox = func() reconcile.Inbox { return &late{tray: tray{box: box, p: &process{disk: s.disk}}, s: s} }
		},
		"life": func(*stage) {},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, s *stage) {
				var log syncBuffer
				s.log = slog.New(slog.NewTextHandler(&log, nil))
				prepare(s)
				s.push("c1", map[string]environment{"prod": nets("prod", "a")})
				s.start()
				if name == "life" {
					s.pass(20 * time.Second)
					s.disk.Lose(true)
				}
				s.pass(10 * time.Minute)
				select {
				case err := <-s.ended:
					t.Fatalf("the daemon ended: %v\n%s", err, log.String())
				default:
				}
				if err := s.Ready(); err == nil || err.Error() != "the store's server cannot be used" {
					t.Errorf("ready: %v", err)
				}
				if got, want := s.Unwritable(), "the store's server cannot be used: nothing is started until it answers; it then goes on by itself"; got != want {
					t.Errorf("got  %q\nwant %q", got, want)
				}
				if unread := s.Unread(); len(unread) > 0 {
					t.Errorf("the repository is blamed: %v", unread)
				}
				s.disk.Lose(false)
				s.push("c2", map[string]environment{"prod": nets("prod", "a", "b")})
				s.pass(2 * time.Minute)
				s.wantState("prod", "in sync")
				if s.live() != 2 || s.Unwritable() != "" || s.Ready() != nil {
					t.Errorf("%d objects, %q, %v", s.live(), s.Unwritable(), s.Ready())
				}
				text := log.String()
				if away, back := strings.Count(text, "level=ERROR"), strings.Count(text, "server answers again"); away != 1 || back != 1 || strings.Contains(text, "level=WARN") {
					t.Errorf("it is told %d times, and %d times that it is back:\n%s", away, back, text)
				}
			})
		})
	}
}

// late is an inbox whose server is away while its stage is lost. It is lost as
// soon as somebody wants to work.
type late struct {
	tray
	s    *stage
	once sync.Once
}

// Run implements reconcile.Inbox.
func (l *late) Run(ctx context.Context, workers int, do func(ctx context.Context, key string) (again time.Duration)) error {
	l.once.Do(func() { l.s.disk.Lose(true) })
	if _, err := l.s.disk.Environments(ctx); err != nil {
		return err
	}
	return l.tray.Run(ctx, workers, do)
}

// Reap implements reconcile.Inbox: nobody is dead.
func (l *late) Reap(ctx context.Context, _ json.RawMessage) ([]store.Lease, error) {
	if _, err := l.s.disk.Environments(ctx); err != nil {
		return nil, err
	}
	return nil, nil
}

// fillDuringApply fills the disk once an environment's apply has begun, before
// the intent of its first update is written. It gives how many calls change something.
func (s *stage) fillDuringApply(env string) (changing func() int) {
	var mu sync.Mutex
	n := 0
	s.world.OnCall(func(c fake.Call) fake.Decision {
		mu.Lock()
		defer mu.Unlock()
		if c.Op != provider.OpRead {
			n++
		} else if row, err := s.data.Environment(context.Background(), env); err == nil && row.State == "applying" {
			s.disk.Fill(true)
		}
		return fake.Decision{}
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// relabelled are networks whose label another commit changed.
func relabelled(env string, names ...string) environment {
	e := nets(env, names...)
	for i := range e.Desired {
		e.Desired[i].Fields["label"] = text("b")
	}
	return e
}

// TestWhatCouldNotBeRecordedWasNotStarted: no call is made without its intent, so
// nothing is in doubt where that could not be written.
func TestWhatCouldNotBeRecordedWasNotStarted(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		var log syncBuffer
		s.log = slog.New(slog.NewTextHandler(&log, nil))
		s.push("c1", map[string]environment{"prod": nets("prod", "a", "b")})
		s.start()
		s.pass(10 * time.Second)
		s.wantState("prod", "in sync")
		changing := s.fillDuringApply("prod")
		s.push("c2", map[string]environment{"prod": relabelled("prod", "a", "b")})
		s.pass(time.Minute)
		const want = `error="what would be done can't be recorded: the store cannot be written to"`
		if text := log.String(); changing() != 0 || strings.Count(text, `outcome="not started"`) != 2 || !strings.Contains(text, want) || strings.Contains(text, "in doubt") {
			t.Errorf("%d calls changed something; the log is\n%s", changing(), text)
		}
	})
}

// TestFullDiskSendsNoMessageAgain: what the receiver took is remembered while that
// can't be noted, and what hangs on it goes out.
func TestFullDiskSendsNoMessageAgain(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.room.set(errors.New("slack is away"))
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(10 * time.Second)
		s.wantState("prod", "in sync")
		s.disk.Fill(true)
		s.room.set(nil)
		s.pass(10 * time.Minute)
		told := s.room.all()
		if len(told) < 2 || s.room.count("post") != 1 || s.room.count("reply") == 0 || s.room.count("edit") > 1 {
			t.Fatalf("the room saw\n%s", strings.Join(told, "\n"))
		}
		s.disk.Fill(false)
		s.pass(10 * time.Minute)
		if now := s.room.all(); len(now) != len(told) {
			t.Fatalf("when there is room again the room saw\n%s", strings.Join(now, "\n"))
		}
		if left, err := s.data.Due(t.Context(), time.Now(), 10); err != nil || len(left) > 0 {
			t.Errorf("%d messages are not noted as sent, %v", len(left), err)
		}
	})
}

// TestARunOutlivesAFullDisk: a daemon that lived through one knows what it did. The
// run ends with its own reason and its steps, and chat hears of each, once.
func TestARunOutlivesAFullDisk(t *testing.T) {
	t.Run("a store of its own", func(t *testing.T) { play(t, func(t *testing.T, s *stage) { s.outlives(0) }) })
	t.Run("a shared store", func(t *testing.T) {
		play(t, func(t *testing.T, s *stage) {
			box := newInbox()
			s.inbox = func() reconcile.Inbox { return &lively{tray{box: box, p: &process{disk: s.disk}}} }
			s.outlives(20 * time.Second) // the lease runs out, and can't be renewed
		})
	})
}

// outlives is a daemon's life with a disk that fills during an apply, while a call
// of it takes some time.
func (s *stage) outlives(call time.Duration) {
	t := s.t
	var log syncBuffer
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	s.push("c1", map[string]environment{"prod": {Environment: spec.Environment{Desired: phases()[0]}}})
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op == provider.OpCreate && c.Kind == "machine" {
			s.disk.Fill(true)
			time.Sleep(call)
		}
		return fake.Decision{}
	})
	s.start()
	s.pass(20 * time.Minute)
	made := s.live()
	s.world.OnCall(nil)
	s.disk.Fill(false)
	s.pass(20 * time.Minute)
	s.wantState("prod", "in sync")
	runs, err := s.data.Runs(t.Context(), store.RunFilter{})
	must(t, err)
	first, err := s.data.Run(t.Context(), runs[len(runs)-1].ID)
	must(t, err)
	var report view.RunJSON
	must(t, json.Unmarshal(first.Report, &report))
	noted := strings.Contains(first.Note, "the store cannot be written to")
	if call > 0 { // of two machines the one that comes second in time may be the first in the report
		noted = noted || strings.Contains(first.Note, "not sent: the lease on prod ran out")
	}
	if first.State != store.Partial || !noted || first.Ended.Sub(first.Started) > time.Minute {
		t.Errorf("the run ended %s after %s: %s", first.State, first.Ended.Sub(first.Started), first.Note)
	}
	if report.Done == 0 || report.InDoubt == 0 || report.NotStarted == 0 || made == 0 || report.Why != "the store cannot be written to" {
		t.Errorf("%d objects were made before there was room again; its report is\n%s", made, first.Report)
	}
	for _, step := range report.Steps {
		where := "`" + step.Address + "` "
		if told := s.room.count("reply", where+step.Op); step.State == view.StepDone && told != 1 {
			t.Errorf("the chat was told %d times of %s", told, step.ID)
		}
		if told := s.room.count("reply", where+step.Op+" in doubt"); step.State == view.StepDoubt && told != 1 {
			t.Errorf("the chat was told %d times of %s", told, step.ID)
		}
		if step.State == view.StepDoubt && call == 0 && !strings.HasSuffix(step.Text, ", which can't be recorded: the store cannot be written to") {
			t.Errorf("%s: %s", step.ID, step.Text)
		}
	}
	if s.room.count("its process ended first") > 0 || strings.Contains(log.String(), "its process ended first") {
		t.Errorf("it is buried alive:\n%s\n%s", strings.Join(s.room.all(), "\n"), log.String())
	}
	if n := strings.Count(log.String(), "news=failed"); n != 1 {
		t.Errorf("it is logged %d times that it failed:\n%s", n, log.String())
	}
}

// TestWhatWasNotBegunIsNotTold has room for what is small alone: each look plans
// anew, and what can't be kept is told as begun nowhere.
func TestWhatWasNotBegunIsNotTold(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		var log syncBuffer
		s.log = slog.New(slog.NewTextHandler(&log, nil))
		s.push("c1", map[string]environment{"prod": nets("prod", "a")})
		s.start()
		s.pass(10 * time.Second)
		s.wantState("prod", "in sync")
		changing := 0
		s.world.OnCall(func(c fake.Call) fake.Decision {
			s.disk.Fill(true)
			if c.Op != provider.OpRead {
				changing++
			}
			return fake.Decision{}
		})
		s.push("c2", map[string]environment{"prod": nets("prod", "a", "b")})
		s.pass(10 * time.Second)
		before := strings.Count(log.String(), "news=applying")
		for range 10 {
			s.disk.Fill(false)
			s.pass(10 * time.Second)
		}
		if n := strings.Count(log.String(), "news=applying") - 1; n != 0 || before != 1 || changing != 0 {
			t.Errorf("%d calls; it is logged %d times that something begins\n%s", changing, n, log.String())
		}
		s.world.OnCall(nil)
		s.disk.Fill(false)
		s.pass(time.Minute)
		s.wantState("prod", "in sync")
		if runs, err := s.data.Runs(t.Context(), store.RunFilter{}); err != nil || len(runs) != 2 || s.live() != 2 {
			t.Errorf("%d objects, %d runs, %v", s.live(), len(runs), err)
		}
	})
}

// TestARunThatCouldNotBeginSaysWhy fills the disk between the word that an apply
// begins and its first step.
func TestARunThatCouldNotBeginSaysWhy(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		for n := 1; ; n++ {
			// The write after the one that keeps the run as applying fails.
			s.fault = storetest.Fault{Write: n, When: storetest.Full}
			s.push("c1", map[string]environment{"prod": nets("prod", "a")})
			s.start()
			s.pass(20 * time.Second)
			runs, err := s.data.Runs(t.Context(), store.RunFilter{})
			must(t, err)
			if s.live() > 0 {
				t.Fatal("no run was kept before its first step")
			}
			if len(runs) == 1 {
				break
			}
			s.end()
		}
		s.disk.Fill(false)
		s.pass(time.Minute)
		s.wantState("prod", "in sync")
		runs, err := s.data.Runs(t.Context(), store.RunFilter{})
		must(t, err)
		first := runs[len(runs)-1]
		if first.State != store.Failed || first.Note != "the store cannot be written to" {
			t.Errorf("the run ended %s: %s", first.State, first.Note)
		}
		if s.room.count("failed: the store cannot be written to") != 1 || s.room.count("its process ended first") > 0 {
			t.Errorf("the chat saw\n%s", strings.Join(s.room.all(), "\n"))
		}
	})
}
