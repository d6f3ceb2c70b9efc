package observe

import (
	"context"
	"sync"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// flights lets looks at one session share reads: while one is in the air, those
// that arrive wait together for the next, which asks for all their wants at
// once. So a look never takes an answer older than its own start.
type flights struct {
	now  func() time.Time
	mu   sync.Mutex
	open map[provider.Session]*flight // the one that has not started
	air  map[provider.Session]chan struct{}
}

type flight struct {
	wants   []resource.Want
	answers []resource.Answer
	done    chan struct{}
}

// read asks for wants and returns their answers in order.
func (f *flights) read(ctx context.Context, s provider.Session, wants []resource.Want) []resource.Answer {
	if len(wants) == 0 {
		return nil
	}
	f.mu.Lock()
	fl := f.open[s]
	lead := fl == nil
	if lead {
		fl = &flight{done: make(chan struct{})}
		f.open[s] = fl
	}
	from := len(fl.wants)
	fl.wants = append(fl.wants, wants...)
	before := f.air[s]
	f.mu.Unlock()
	if lead {
		go f.fly(context.WithoutCancel(ctx), s, fl, before)
	}
	select {
	case <-fl.done:
		return fl.answers[from : from+len(wants)]
	case <-ctx.Done():
		return failAll(wants, ctx.Err(), f.now())
	}
}

// fly waits for the flight before, closes the doors and reads.
func (f *flights) fly(ctx context.Context, s provider.Session, fl *flight, before chan struct{}) {
	if before != nil {
		<-before
	}
	f.mu.Lock()
	delete(f.open, s)
	if f.air == nil {
		f.air = map[provider.Session]chan struct{}{}
	}
	f.air[s] = fl.done
	wants := fl.wants
	f.mu.Unlock()
	at := f.now()
	answers := s.Read(ctx, wants)
	for i := range answers {
		if answers[i].At.IsZero() {
			answers[i].At = at
		}
	}
	fl.answers = answers
	f.mu.Lock()
	if f.air[s] == fl.done {
		delete(f.air, s)
	}
	f.mu.Unlock()
	close(fl.done)
}

func failAll(wants []resource.Want, err error, at time.Time) []resource.Answer {
	out := make([]resource.Answer, len(wants))
	for i := range out {
		out[i] = resource.Answer{Err: &resource.Failure{Class: resource.Transient, Op: "read", Message: err.Error(), Err: err}, At: at}
	}
	return out
}
