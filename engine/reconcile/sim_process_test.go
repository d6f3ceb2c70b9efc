package reconcile_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/observe"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
	"isobar.dev/providers/fake"
)

// process is one run of the daemon's program: it works until it is stopped or
// dies, and may stand still meanwhile.
type process struct {
	life  *life
	seat  *seat
	name  string // "a1": of the first seat, the first one
	disk  *storetest.Faulty
	stop  context.CancelFunc
	ended chan struct{}
	err   error // how it ended

	mu    sync.Mutex
	taken bool // somebody sees to what comes after it
	calls int
	dieAt int // the call at which it dies, counted from 1; 0 is none
	after bool
	held  chan struct{} // closed once it goes on; nil: it does
	*reconcile.Daemon
}

// seat is where one process runs after another.
type seat struct {
	name   string
	gens   int
	owner  string
	shared bool // others work on the same store
	now    *process

	mu     sync.Mutex
	deaths deaths
}

// dies says what ends the seat's next process, if anything does.
func (s *seat) dies() (f storetest.Fault, call int, after bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deaths.next()
}

// peace has no process of the seat die any more.
func (s *seat) peace() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaths.left = 0
}

// start begins a seat's next process over the store's data.
func (l *life) start(s *seat) {
	s.gens++
	p := &process{life: l, seat: s, name: fmt.Sprint(s.name, s.gens), ended: make(chan struct{})}
	under := l.disk()
	if !s.shared {
		under = under.Reopen()
		l.mu.Lock()
		l.data = under
		l.mu.Unlock()
	}
	fault, call, after := s.dies()
	p.disk, p.dieAt, p.after = storetest.NewFaulty(under, fault), call, after
	l.tell("%s starts", p.name)
	p.Daemon = p.daemon()
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	l.mu.Lock()
	s.now = p
	l.mu.Unlock()
	go func() { p.err = p.Run(ctx); close(p.ended) }()
	l.waiting.Go(func() { p.watch(ctx) })
}

func (p *process) daemon() *reconcile.Daemon {
	l := p.life
	d := &reconcile.Daemon{
		Runner: p.runner(),
		Store:  p.disk, Tenure: p.tenure(),
		Repos: []reconcile.Repo{{Name: "repo", Source: l.source}}, Channel: "", Meter: &meter{runs: map[string]int{}},
		Log: slog.New(slog.DiscardHandler), NewID: l.token, Poll: 10 * time.Second, Interval: time.Minute,
		Backoff: 10 * time.Second, Workers: l.workers,
	}
	if l.room != nil {
		d.Chat, d.Channel = l.room, "#ops"
	}
	if p.seat.shared {
		d.Inbox = &tray{l.inbox, p}
	}
	if l.loud {
		d.Log = slog.New(slog.NewTextHandler(told{p}, &slog.HandlerOptions{ReplaceAttr: untimed}))
	}
	return d
}

func (p *process) runner() *reconcile.Runner {
	l := p.life
	cat := wired(fake.Catalogue(l.world), p)
	clock := provider.Clock{Now: time.Now, Sleep: p.sleep, Random: func() float64 { return 0.5 }}
	return &reconcile.Runner{
		Specs: l.specs, Ledger: p.disk, Words: p.disk, Catalogue: cat, Now: time.Now, Schema: "1", Secrets: l.box.bind,
		Sessions: &reconcile.Sessions{Catalogue: cat, Options: provider.Options{Clock: clock}}, Observer: observe.New(cat, time.Now),
		Engine: &apply.Engine{Kinds: cat, Now: time.Now, NewToken: l.token, Sleep: p.sleep, Width: l.width},
	}
}

func (p *process) tenure() reconcile.Tenure {
	return reconcile.Tenure{Leases: p.disk, Owner: p.seat.owner, TTL: 6 * time.Second, Now: time.Now, Shared: p.seat.shared}
}

// sleep sleeps, unless the process is dead.
func (p *process) sleep(ctx context.Context, d time.Duration) error {
	if p.dead() {
		return fake.ErrCrash
	}
	return sleep(ctx, d)
}

// watch has the seat's next process start some time after this one died.
func (p *process) watch(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-p.disk.Dead():
	}
	if !p.claim() {
		return
	}
	p.life.tell("%s is dead", p.name)
	p.stop()
	time.Sleep(p.life.restartAfter())
	p.life.mu.Lock()
	over := p.life.over
	p.life.mu.Unlock()
	if !over {
		p.life.start(p.seat)
	}
}

// claim reports whether the caller is the one who sees to what comes after the
// process.
func (p *process) claim() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.taken
	p.taken = true
	return !was
}

func (p *process) dead() bool { return p.disk.Crashed() }

// dies counts a call and says whether the process is to die at it.
func (p *process) dies() (dies, after bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	return p.calls == p.dieAt, p.after
}

func (p *process) kill(why string) {
	p.life.tell("%s dies %s", p.name, why)
	p.disk.Kill()
}

// pause has the process stand still for d: no call of it goes out to the cloud or
// comes back, and its leases run out.
func (p *process) pause(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held != nil {
		return
	}
	held := make(chan struct{})
	p.held = held
	p.disk.Stop()
	p.life.tell("%s stands still for %s", p.name, d)
	time.AfterFunc(d, func() {
		p.mu.Lock()
		p.held = nil
		p.mu.Unlock()
		p.life.tell("%s goes on", p.name)
		close(held)
		p.disk.Continue()
	})
}

// await waits while the process stands still.
func (p *process) await() {
	for {
		p.mu.Lock()
		held := p.held
		p.mu.Unlock()
		if held == nil {
			return
		}
		<-held
	}
}

// end stops the process as SIGTERM does.
func (p *process) end() error {
	p.stop()
	<-p.ended
	p.life.tell("%s has ended", p.name)
	if p.err != nil && !p.dead() {
		return fmt.Errorf("%s ended with %w", p.name, p.err)
	}
	return nil
}

// told writes a process's log into the trace.
type told struct{ p *process }

// Write implements io.Writer.
func (w told) Write(b []byte) (int, error) {
	w.p.life.tell("%s: log %s", w.p.name, strings.TrimSpace(string(b)))
	return len(b), nil
}

func untimed(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == "commit" || a.Key == "took_ms" {
		return slog.Attr{}
	}
	return a
}

// once is a person's terminal in a process's place: its verbs hold the
// environment themselves.
func (p *process) once() *reconcile.Once {
	var st store.Store = p.disk
	return &reconcile.Once{Runner: p.runner(), Store: st, Tenure: p.tenure(), NewID: p.life.token}
}
