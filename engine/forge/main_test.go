package forge

import (
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	labforge "isobar.dev/engine/lab/forge"
	"isobar.dev/engine/resource"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a forge of one kind with a repository and us speaking to it.
type world struct {
	Forge
	lab   *labforge.Server
	repo  string
	clock *clock
	token *text
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type text struct {
	mu sync.Mutex
	s  string
}

func (t *text) get() (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.s, nil
}

func (t *text) set(s string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.s = s
}

// over runs a test at each kind of forge, which gives pages of this size (0 is its
// own).
func over(t *testing.T, page int, f func(t *testing.T, w *world)) {
	t.Helper()
	for _, kind := range []Kind{GitHub, GitLab, Gitea} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f(t, at(t, kind, page))
		})
	}
}

func at(t *testing.T, kind Kind, page int) *world {
	t.Helper()
	w := &world{repo: "acme/infra", clock: &clock{at: time.Unix(1_800_000_000, 0)}, token: &text{s: labforge.DefaultToken}}
	if kind == GitLab {
		w.repo = "acme/platform/infra"
	}
	w.lab = start(t, labforge.Options{Face: labforge.Face(kind), Page: page, Now: w.clock.Now})
	w.lab.Repo(w.repo, "")
	w.Forge = speak(t, Options{Kind: kind, URL: w.lab.URL(), Repo: w.repo, Token: w.token.get, Now: w.clock.Now})
	return w
}

func start(t *testing.T, o labforge.Options) *labforge.Server {
	t.Helper()
	srv, err := labforge.Start(t.Context(), o)
	must(t, err)
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv
}

func speak(t *testing.T, o Options) Forge {
	t.Helper()
	f, err := New(o)
	must(t, err)
	return f
}

// open opens a pull at the lab.
func (w *world) open(t *testing.T, p labforge.Pull) int {
	t.Helper()
	w.clock.add(time.Second)
	if p.BaseRef == "" {
		p.BaseRef = "main"
	}
	n, err := w.lab.Open(w.repo, p)
	must(t, err)
	return n
}

// say adds another's comment at the lab.
func (w *world) say(t *testing.T, n int, author, body string) string {
	t.Helper()
	w.clock.add(time.Second)
	id, err := w.lab.Say(w.repo, n, author, body)
	must(t, err)
	return id
}

func (w *world) look(t *testing.T, n int) labforge.Pull {
	t.Helper()
	p, err := w.lab.Look(w.repo, n)
	must(t, err)
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// class fails unless err is a Failure of a class.
func class(t *testing.T, err error, want resource.Class) {
	t.Helper()
	if got := resource.ClassOf(err); got != want {
		t.Errorf("got class %q of %v, want %q", got, err, want)
	}
}

func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
