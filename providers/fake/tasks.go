package fake

import (
	"context"
	"fmt"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// task is a create that is still running.
type task struct {
	thing *thing
	left  int // polls
	began time.Time
}

// start makes the thing's creation long-running. The lock is held.
func (w *World) start(t *thing) resource.Handle {
	h := resource.Handle(fmt.Sprintf("task-%04d", w.seq))
	t.pending = h
	w.tasks[h] = &task{thing: t, left: w.opt.Polls, began: w.opt.Now()}
	return h
}

// finish ends a task; what it made shows from now on, after the lag. The lock
// is held.
func (w *World) finish(h resource.Handle) {
	t := w.tasks[h].thing
	delete(w.tasks, h)
	t.pending = ""
	t.now().at, t.now().reads = w.opt.Now(), 0
}

// age lets work finish that has gone on for Lasts. The lock is held.
func (w *World) age() {
	for h, t := range w.tasks {
		if w.opt.Lasts > 0 && w.opt.Now().Sub(t.began) >= w.opt.Lasts {
			w.finish(h)
		}
	}
}

// ForgetTasks lets all running work finish and forgets its handles, as vCenter
// does with tasks after ten minutes: a poll of one then fails with NotFound,
// without being done.
func (w *World) ForgetTasks() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for h := range w.tasks {
		w.finish(h)
	}
}

// Poll implements provider.Session.
func (s *session) Poll(ctx context.Context, hs []resource.Handle) []provider.Polled {
	out := make([]provider.Polled, len(hs))
	err := s.w.run(ctx, Call{Op: provider.OpPoll, Scope: s.scope}, func(*Call, string) error {
		for i, h := range hs {
			out[i] = s.poll(h)
		}
		return nil
	})
	if err != nil {
		for i := range out {
			out[i] = provider.Polled{Err: err}
		}
	}
	return out
}

func (s *session) poll(h resource.Handle) provider.Polled {
	t := s.w.tasks[h]
	if t == nil {
		return provider.Polled{Err: &resource.Failure{Class: resource.NotFound, Op: Name + ":poll", Code: "NoSuchTask", Message: "task " + string(h) + " is not known"}}
	}
	o := t.thing.object(s.w.kindNamed(t.thing.kind), t.thing.now())
	if t.left--; t.left > 0 {
		return provider.Polled{Progress: provider.Progress{Object: resource.Object{Address: o.Address, ID: o.ID}, Handle: h, After: s.w.opt.PollAfter}}
	}
	s.w.finish(h)
	return provider.Polled{Progress: provider.Progress{Object: o}, Done: true}
}
