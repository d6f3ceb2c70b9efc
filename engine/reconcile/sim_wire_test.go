package reconcile_test

import (
	"context"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/fake"
)

// wire is what lies between a process and the cloud: it stands behind the fence,
// as a network does, so that what is on it lands whatever has become of the
// process that sent it.
type wire struct {
	provider.Session
	p *process
}

// wired puts a wire before each session that a process opens.
func wired(cat provider.Catalogue, p *process) provider.Catalogue {
	t := cat.Types[0]
	open := t.Open
	t.Open = func(ctx context.Context, c provider.Config) (provider.Session, error) {
		s, err := open(ctx, c)
		if err != nil {
			return nil, err
		}
		return &wire{s, p}, nil
	}
	cat.Types = []provider.Type{t}
	return cat
}

// send brings a call to the world and its answer back, as far as the weather
// lets it.
func (w *wire) send(ctx context.Context, c simCall, land func(context.Context) error) error {
	l := w.p.life
	dies, after := w.p.dies()
	t := l.laws.leaves(w.p, c)
	f := l.weather.of(c)
	if f.class != "" {
		l.tell("%s: %s is %s", w.p.name, c, f.class)
	} else if c.mutates() {
		l.tell("%s: %s", w.p.name, c)
	}
	if dies && !after {
		w.p.kill("before " + c.String())
		return fake.ErrCrash
	}
	if f.pause > 0 {
		w.p.pause(f.pause)
	}
	if !c.nameless() { // what stands still beside it would send it late
		w.p.await()
	}
	if w.p.dead() {
		return fake.ErrCrash
	}
	l.laws.departs(t)
	switch {
	case f.late > 0:
		l.later(f.late, passage{c, w.p.name}, land)
		return f.before
	case f.before != nil:
		return f.before
	}
	err := w.arrive(ctx, f, passage{c, w.p.name}, land)
	if dies {
		w.p.kill("after " + c.String())
	}
	if w.p.await(); w.p.dead() {
		return fake.ErrCrash
	}
	if err == nil {
		err = f.after
	}
	return err
}

// arrive lands a call once it has taken its time. Whoever waits for it no longer
// than its deadline does not keep it from landing.
func (w *wire) arrive(ctx context.Context, f fate, on passage, land func(context.Context) error) error {
	l := w.p.life
	sent := unfenced(ctx, on.call.op)
	if f.slow == 0 || f.stale {
		err := land(sent)
		_ = sleep(ctx, f.slow)
		return err
	}
	done := make(chan error, 1)
	l.later(f.slow, on, func(context.Context) error {
		err := land(sent)
		done <- err
		return err
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unfenced is the ctx of a call that has left: neither its fence nor its deadline
// brings it back. What a find replays is sent anew, and asks.
func unfenced(ctx context.Context, op provider.Op) context.Context {
	ctx = context.WithoutCancel(ctx)
	if op == provider.OpFind {
		return ctx
	}
	return provider.WithFence(ctx, nil)
}

// passage is a call that has left its process.
type passage struct {
	call simCall
	from string
}

// later lands a call after d.
func (l *life) later(d time.Duration, on passage, land func(context.Context) error) {
	l.landing.Go(func() {
		time.Sleep(d)
		err := land(provider.WithFence(context.Background(), nil))
		l.tell("%s: %s landed: %v", on.from, on.call, err)
		if on.call.op == provider.OpCreate {
			time.Sleep(time.Second)
			l.world.ForgetTasks() // it runs to its end, though nobody knows its handle
		}
	})
}

// ask is send for what gives an answer. Of a call that lands when nobody waits any
// more, nobody reads it.
func ask[T any](ctx context.Context, w *wire, c simCall, land func(context.Context) (T, error)) (got T, err error) {
	answer := make(chan T, 1)
	err = w.send(ctx, c, func(ctx context.Context) error {
		a, err := land(ctx)
		answer <- a
		return err
	})
	select {
	case got = <-answer:
	default:
	}
	return got, err
}

// sendFor is ask for the methods that give a Progress.
func (w *wire) sendFor(ctx context.Context, c simCall, land func(context.Context) (provider.Progress, error)) (provider.Progress, error) {
	p, err := ask(ctx, w, c, land)
	if err != nil && p.Object.ID != "" && resource.ClassOf(err) != resource.Invalid {
		return provider.Progress{}, err // what an answer told is lost with it
	}
	return p, err
}

// Create implements provider.Session.
func (w *wire) Create(ctx context.Context, want resource.Object, m resource.Mark) (provider.Progress, error) {
	return w.sendFor(ctx, simCall{op: provider.OpCreate, at: want.Address, token: m.Token}, func(ctx context.Context) (provider.Progress, error) {
		return w.Session.Create(ctx, want, m)
	})
}

// Update implements provider.Session.
func (w *wire) Update(ctx context.Context, live, want resource.Object, ch []resource.Change) (provider.Progress, error) {
	c := simCall{op: provider.OpUpdate, at: want.Address, id: live.ID, aspect: ch[0].Path[0]}
	return w.sendFor(ctx, c, func(ctx context.Context) (provider.Progress, error) { return w.Session.Update(ctx, live, want, ch) })
}

// Delete implements provider.Session.
func (w *wire) Delete(ctx context.Context, live, applied resource.Object) (provider.Progress, error) {
	return w.sendFor(ctx, simCall{op: provider.OpDelete, at: applied.Address, id: live.ID}, func(ctx context.Context) (provider.Progress, error) {
		return w.Session.Delete(ctx, live, applied)
	})
}

// Find implements provider.Session.
func (w *wire) Find(ctx context.Context, in provider.Intent) (provider.Progress, error) {
	c := simCall{op: provider.OpFind, at: in.Want.Address, token: in.Mark.Token, looks: in.LookOnly}
	return w.sendFor(ctx, c, func(ctx context.Context) (provider.Progress, error) {
		return w.Session.Find(ctx, in)
	})
}

// Mark implements provider.Session.
func (w *wire) Mark(ctx context.Context, live resource.Object, m *resource.Mark) error {
	return w.send(ctx, simCall{op: provider.OpMark, at: live.Address, id: live.ID}, func(ctx context.Context) error { return w.Session.Mark(ctx, live, m) })
}

// Read implements provider.Session.
func (w *wire) Read(ctx context.Context, wants []resource.Want) []resource.Answer {
	c := simCall{op: provider.OpRead, aspect: wants[0].Kind}
	out, err := ask(ctx, w, c, func(ctx context.Context) ([]resource.Answer, error) { return w.Session.Read(ctx, wants), nil })
	if err != nil {
		out = make([]resource.Answer, len(wants))
		for i := range out {
			out[i].Err = err
		}
	}
	if w.p.life.weather.of(simCall{op: provider.OpRead, aspect: "page of " + c.aspect}).class == wPage {
		breakOff(wants, out)
	}
	return out
}

// breakOff has each list end after its first object.
func breakOff(wants []resource.Want, out []resource.Answer) {
	for i := range out {
		if len(wants[i].By.IDs) == 0 && wants[i].By.Lookup == nil && out[i].Err == nil {
			out[i].Objects = out[i].Objects[:min(len(out[i].Objects), 1)]
			out[i].Err = &resource.Failure{Class: resource.Transient, Op: "fake:read", Message: "the list broke off"}
		}
	}
}

// Poll implements provider.Session.
func (w *wire) Poll(ctx context.Context, hs []resource.Handle) []provider.Polled {
	c := simCall{op: provider.OpPoll, id: resource.ID(hs[0])}
	out, err := ask(ctx, w, c, func(ctx context.Context) ([]provider.Polled, error) {
		if w.p.life.weather.of(simCall{op: provider.OpPoll, aspect: "task"}).class == wForgotten {
			w.p.life.world.ForgetTasks()
		}
		return w.Session.Poll(ctx, hs), nil
	})
	if err != nil {
		out = make([]provider.Polled, len(hs))
		for i := range out {
			out[i].Err = err
		}
	}
	return out
}
