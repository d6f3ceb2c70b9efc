package reconcile_test

import (
	"context"
	"errors"
	"fmt"
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
	"isobar.dev/engine/store/storetest"
	"isobar.dev/engine/view"
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
	if s.head == "" {
		return git.Commit{}, errors.New("nothing has been fetched yet")
	}
	return git.Commit{Hash: s.head, Short: s.head, Subject: "change " + s.head, Author: "ann"}, nil
}

func (s *source) set(down error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
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

func (r *room) Post(_ context.Context, channel, key string, text view.Rich) (string, error) {
	return r.note(key, "post "+channel+" "+set(text))
}

func (r *room) Edit(_ context.Context, ref string, text view.Rich) error {
	_, err := r.note("", "edit "+ref+" "+set(text))
	return err
}

func (r *room) Reply(_ context.Context, ref, key string, text view.Rich) error {
	_, err := r.note(key, "reply "+ref+" "+set(text))
	return err
}

// set writes a text with *bold* and `code`.
func set(text view.Rich) string {
	var b strings.Builder
	for _, s := range text {
		sign := ""
		switch {
		case s.Bold:
			sign = "*"
		case s.Code:
			sign = "`"
		}
		b.WriteString(sign + s.Text + sign)
	}
	return b.String()
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

// heads gives what each thread's head says now.
func (r *room) heads() map[string]string {
	out := map[string]string{}
	for i, l := range r.all() {
		switch what, rest, _ := strings.Cut(l, " "); what {
		case "post":
			out[fmt.Sprint("m", i+1)] = rest
		case "edit":
			ref, text, _ := strings.Cut(rest, " ")
			out[ref] = text
		}
	}
	return out
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
func (m *meter) Refused(string, int)      {}
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
	t       *testing.T
	world   *fake.World
	specs   *specs
	source  *source
	room    *room
	meter   *meter
	judge   *judge
	box     *box
	data    *store.Memory
	disk    *storetest.Faulty // of the process that runs
	fault   storetest.Fault   // of each process's disk
	lost    bool              // a process that starts finds its store's server away
	inbox   func() reconcile.Inbox
	history reconcile.History
	budgets *provider.Budgets // nil: calls are not bounded
	token   func() string
	owner   string
	repos   []reconcile.Repo // nil: the one of source
	known   func(name string) *provider.Credentials
	log     *slog.Logger
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
		t: t, specs: &specs{commits: map[string]commit{}, asked: map[string]int{}}, source: &source{head: "none"}, log: slog.New(slog.DiscardHandler),
		room: &room{}, meter: &meter{runs: map[string]int{}}, judge: &judge{}, box: newBox(), data: store.NewMemory(), owner: "local",
	}
	s.world = fake.NewWorld(fake.Options{Now: time.Now, PollAfter: time.Second})
	s.world.Publish("linux", "")
	s.world.Publish("linux", "edge")
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
	s.disk = storetest.NewFaulty(s.data, s.fault)
	s.disk.Lose(s.lost)
	cat := fake.Catalogue(s.world)
	s.Daemon = &reconcile.Daemon{
		Runner: &reconcile.Runner{
			Specs: s.specs, Policies: s.judge, Ledger: s.disk, Words: s.disk, Catalogue: cat, Now: time.Now, Schema: "1", Secrets: s.box.bind,
			Sessions: &reconcile.Sessions{Catalogue: cat, Profile: s.known, Options: provider.Options{Budgets: s.budgets}}, Observer: observe.New(cat, time.Now),
			Engine: &apply.Engine{Kinds: cat, Now: time.Now, NewToken: s.token, Sleep: sleep},
		},
		Store: s.disk, Tenure: reconcile.Tenure{Leases: s.disk, Owner: s.owner, TTL: 6 * time.Second, Now: time.Now},
		Repos: []reconcile.Repo{{Name: "repo", Source: s.source}}, Chat: s.room, Channel: "#ops", Meter: s.meter,
		Log: s.log, NewID: s.token, Poll: 5 * time.Second, Interval: time.Minute,
		Backoff: 10 * time.Second, Workers: 4, History: s.history,
	}
	if s.inbox != nil {
		s.Inbox = s.inbox()
	}
	if s.repos != nil {
		s.Repos = s.repos
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
