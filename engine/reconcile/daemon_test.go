package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/cycle"
	"isobar.dev/engine/diag"
	"isobar.dev/engine/git"
	"isobar.dev/engine/observe"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/providers/fake"
)

// source is a repository whose head the test moves.
type source struct {
	mu   sync.Mutex
	head string
	down error
}

func (s *source) Fetch(context.Context) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return true, s.down
}

func (s *source) Head(context.Context) (git.Commit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return git.Commit{Hash: s.head, Short: s.head, Subject: "change " + s.head, Author: "ann"}, nil
}

func (s *source) Tree(hash string) (fs.FS, error) { return tree(hash), nil }

// room is a chat that writes down what it is told.
type room struct {
	mu    sync.Mutex
	down  error
	seen  map[string]bool
	lines []string // "post CHANNEL TEXT", "edit TEXT", "reply TEXT", each with its thread's number
	tries int
}

func (r *room) note(key, line string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries++
	if r.down != nil {
		return "", r.down
	}
	if key != "" && r.seen[key] {
		return "", nil
	}
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	r.seen[key] = key != ""
	r.lines = append(r.lines, line)
	return fmt.Sprint("m", len(r.lines)), nil
}

func (r *room) Post(_ context.Context, channel, key, text string) (string, error) {
	return r.note(key, "post "+channel+" "+text)
}

func (r *room) Edit(_ context.Context, ref, text string) error {
	_, err := r.note("", "edit "+ref+" "+text)
	return err
}

func (r *room) Reply(_ context.Context, ref, key, text string) error {
	_, err := r.note(key, "reply "+ref+" "+text)
	return err
}

func (r *room) set(down error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

func (r *room) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

// count counts the lines that hold all of the words.
func (r *room) count(words ...string) int {
	n := 0
	for _, l := range r.all() {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(l, w) }) {
			n++
		}
	}
	return n
}

// meter counts runs.
type meter struct {
	mu   sync.Mutex
	runs map[string]int // "ENV STATE"
}

func (m *meter) Run(env string, _ cycle.Trigger, state store.RunState, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runs[env+" "+string(state)]++
}
func (m *meter) Looked(store.Environment) {}
func (m *meter) Fetched(string, error)    {}
func (m *meter) Delivered(error)          {}

func (m *meter) count(what string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.runs[what]
}

// judge denies what the test says.
type judge struct {
	mu   sync.Mutex
	deny string // environments' name
}

func (j *judge) Judge(_ context.Context, _ fs.FS, env spec.Environment, in policy.Input) (diag.List, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if env.Name == j.deny && len(in.Plan.Steps) > 0 {
		return diag.List{{Severity: diag.Error, Code: "POL-301", Message: "not on a Friday"}}, nil
	}
	return nil, nil
}

// stage is a daemon under a fake clock (testing/synctest) with all around it.
type stage struct {
	t      *testing.T
	world  *fake.World
	specs  *specs
	source *source
	room   *room
	meter  *meter
	judge  *judge
	data   *store.Memory
	token  func() string
	owner  string
	*reconcile.Daemon

	stop  context.CancelFunc
	ended chan error
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newStage(t *testing.T) *stage {
	s := &stage{
		t: t, specs: &specs{commits: map[string]commit{}, asked: map[string]int{}}, source: &source{head: "none"},
		room: &room{}, meter: &meter{runs: map[string]int{}}, judge: &judge{}, data: store.NewMemory(), owner: "local",
	}
	s.world = fake.NewWorld(fake.Options{Now: time.Now, PollAfter: time.Second})
	n := 0
	var mu sync.Mutex
	s.token = func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return fmt.Sprintf("0194a000-0000-7000-8000-%012x", n)
	}
	return s
}

// start begins a new process over the same data.
func (s *stage) start() {
	s.data = s.data.Reopen()
	cat := fake.Catalogue(s.world)
	s.Daemon = &reconcile.Daemon{
		Runner: &reconcile.Runner{
			Specs: s.specs, Policies: s.judge, Ledger: s.data, Catalogue: cat, Now: time.Now, Schema: "1",
			Sessions: &reconcile.Sessions{Catalogue: cat}, Observer: observe.New(cat, time.Now),
			Engine: &apply.Engine{Kinds: cat, Now: time.Now, NewToken: s.token, Sleep: sleep},
		},
		Store: s.data, Tenure: reconcile.Tenure{Leases: s.data, Owner: s.owner, TTL: 6 * time.Second, Now: time.Now},
		Repos: []reconcile.Repo{{Name: "repo", Source: s.source}}, Chat: s.room, Channel: "#ops", Meter: s.meter,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), NewID: s.token, Poll: 5 * time.Second, Interval: time.Minute,
		Backoff: 10 * time.Second, Workers: 4,
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop, s.ended = cancel, make(chan error, 1)
	go func() { s.ended <- s.Run(ctx) }()
}

func (s *stage) end() {
	s.stop()
	if err := <-s.ended; err != nil {
		s.t.Errorf("the daemon ended with %v", err)
	}
}

// push moves the head to a commit that wants these environments.
func (s *stage) push(name string, envs map[string]environment) {
	s.specs.put(name, commit{envs: envs})
	s.source.mu.Lock()
	s.source.head = name
	s.source.mu.Unlock()
}

// pass lets time pass and everything that it sets off settle.
func (s *stage) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *stage) row(env string) store.Environment {
	row, err := s.data.Environment(context.Background(), env)
	if err != nil {
		s.t.Fatalf("%s: %v", env, err)
	}
	return row
}

func (s *stage) wantState(env, state string) {
	s.t.Helper()
	if row := s.row(env); row.State != state {
		s.t.Fatalf("%s is %q (%s), want %q\n%s", env, row.State, row.Note, state, strings.Join(s.room.all(), "\n"))
	}
}

func nets(env string, names ...string) environment {
	var e environment
	for i, n := range names {
		e.Desired = append(e.Desired, resource.Desired{
			Address: resource.Address{Env: env, Provider: "fake", Kind: "network", Name: n},
			Fields:  resource.Map{"cidr": text(fmt.Sprintf("10.%d.0.0/16", i)), "label": text("a")},
		})
	}
	return e
}

func withMode(e environment, mode string) environment {
	e.Mode = mode
	return e
}

// play runs a story under the fake clock.
func play(t *testing.T, f func(t *testing.T, s *stage)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		f(t, s)
		s.end()
	})
}

func (s *stage) live() int { return len(s.world.Objects()) }

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

func TestApproval(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": withMode(nets("prod", "a"), "approve")})
		s.start()
		s.pass(10 * time.Second)
		s.wantState("prod", "waiting")
		s.pass(5 * time.Minute)
		s.wantState("prod", "waiting")
		if s.live() != 0 || s.room.count("post") != 1 {
			t.Fatalf("%d objects, the chat saw\n%s", s.live(), strings.Join(s.room.all(), "\n"))
		}
		first := s.row("prod").PlanDigest
		if _, err := s.Verdict(t.Context(), "prod", "deadbeefdead", "ann", store.Approve); !errors.Is(err, reconcile.ErrNoPlan) {
			t.Fatalf("approving nothing: %v", err)
		}
		// The spec moves on before the approval comes: the old digest is not applied.
		s.push("c2", map[string]environment{"prod": withMode(nets("prod", "a", "b"), "approve")})
		s.pass(10 * time.Second)
		second := s.row("prod").PlanDigest
		if _, err := s.Verdict(t.Context(), "", first, "ann", store.Approve); !errors.Is(err, reconcile.ErrNoPlan) || first == second {
			t.Fatalf("approving the old plan: %v", err)
		}
		if _, err := s.Verdict(t.Context(), "", second[:8], "ann", store.Approve); err != nil {
			t.Fatal(err)
		}
		s.pass(10 * time.Second)
		s.wantState("prod", "in sync")
		if s.live() != 2 {
			t.Fatalf("%d objects", s.live())
		}
		a, err := s.data.Approval(t.Context(), "prod", second)
		if err != nil || a.Run == "" {
			t.Fatalf("the approval was not used: %+v, %v", a, err)
		}
	})
}

func TestMovedWorldAsksAgain(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": withMode(nets("prod", "a"), "auto")})
		s.start()
		s.pass(10 * time.Second)
		e := withMode(nets("prod", "a"), "approve")
		e.Desired[0].Fields["label"] = text("b")
		s.push("c2", map[string]environment{"prod": e})
		s.pass(10 * time.Second)
		s.wantState("prod", "waiting")
		digest := s.row("prod").PlanDigest
		id := s.world.Objects()[0].ID
		must(t, s.world.Mutate("network", id, func(f resource.Map) { f["label"] = text("meanwhile") }))
		if _, err := s.Verdict(t.Context(), "prod", digest, "ann", store.Approve); err != nil {
			t.Fatal(err)
		}
		s.pass(10 * time.Second)
		s.wantState("prod", "waiting")
		next := s.row("prod").PlanDigest
		if got := s.world.Objects()[0].Fields.Text("label"); got != "meanwhile" || next == digest || next == "" {
			t.Fatalf("label %s, plan %s after %s", got, next, digest)
		}
		if _, err := s.Verdict(t.Context(), "prod", next, "ann", store.Reject); err != nil {
			t.Fatal(err)
		}
		s.pass(3 * time.Minute)
		s.wantState("prod", "rejected")
		if got := s.world.Objects()[0].Fields.Text("label"); got != "meanwhile" {
			t.Fatalf("a rejected plan was applied: %s", got)
		}
	})
}

// TestApprovalOutlivesTheProcess finds an approval that was given just before
// the process ended.
func TestApprovalOutlivesTheProcess(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.push("c1", map[string]environment{"prod": withMode(nets("prod", "a"), "approve")})
		s.start()
		s.pass(10 * time.Second)
		digest := s.row("prod").PlanDigest
		s.end()
		s.data = s.data.Reopen()
		must(t, s.data.PutApproval(t.Context(), store.Approval{Env: "prod", Digest: digest, By: "ann", At: time.Now(), Verdict: store.Approve}))
		s.start()
		s.pass(10 * time.Second)
		s.wantState("prod", "in sync")
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
	play(t, func(t *testing.T, s *stage) {
		s.room.set(&resource.Failure{Class: resource.Transient, Message: "down"})
		s.push("c1", map[string]environment{"prod": nets("prod", "a", "b")})
		s.start()
		s.pass(20 * time.Minute)
		s.push("c2", map[string]environment{"prod": nets("prod", "a", "b", "c")})
		s.pass(40 * time.Minute)
		if s.live() != 3 || len(s.room.all()) != 0 {
			t.Fatalf("%d objects", s.live())
		}
		if s.room.tries > 200 {
			t.Fatalf("a receiver that is down was called %d times in an hour", s.room.tries)
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
		if done == 0 || len(mutating(s.world.Calls())) > 12 {
			t.Fatalf("%d objects, %d calls", done, len(mutating(s.world.Calls())))
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
				must(t, s.data.Release(context.Background(), "prod", "local", time.Now()))
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
