package reconcile

import (
	"context"
	"sync"
	"time"

	"isobar.dev/engine/cycle"
)

// work is a keyed, level-triggered work queue: each key has at most one worker at
// a time, and what is added meanwhile is handed to it, or makes it due again.
// Safe for concurrent use.
type work interface {
	// add hands a key events.
	add(ctx context.Context, key string, evs ...cycle.Event) error
	// at hands a key a look after d, in place of an earlier one that has not come.
	at(ctx context.Context, key string, d time.Duration, look cycle.Ticked) error
	// more takes what was handed to the key whose worker asks.
	more(ctx context.Context, key string) ([]cycle.Event, error)
	// ack says that the worker is done with what it took: if it dies before, that
	// is not lost where another process could go on with it.
	ack(ctx context.Context, key string) error
	// run calls do for each key that is due, for n of them at once, until ctx
	// ends; then it waits for the calls under way. On an error, what do gives back
	// and a retry come again after pause.
	run(ctx context.Context, n int, do worker, pause time.Duration) error
	// length counts the keys that are due.
	length() int
	// close ends all timers; nothing becomes due any more.
	close()
}

// worker works on a key. On error it gives the events that it did not come to.
type worker func(ctx context.Context, key string) (rest []cycle.Event, err error)

// queue is the work of one process, in memory.
type queue struct {
	mu     sync.Mutex
	wake   chan struct{} // closed and renewed at each change
	items  map[string]*queued
	order  []string // keys that are due, oldest first
	closed bool
}

type queued struct {
	events []cycle.Event
	busy   bool
	due    bool
	timer  *time.Timer
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}), items: map[string]*queued{}}
}

func (q *queue) add(_ context.Context, key string, evs ...cycle.Event) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	it := q.item(key)
	it.events = append(it.events, evs...)
	q.ready(key, it)
	return nil
}

func (q *queue) at(ctx context.Context, key string, d time.Duration, look cycle.Ticked) error {
	q.later(context.WithoutCancel(ctx), key, d, look)
	return nil
}

// later hands a key events after d, in place of earlier ones that have not come.
func (q *queue) later(ctx context.Context, key string, d time.Duration, evs ...cycle.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	it := q.item(key)
	if it.timer != nil {
		it.timer.Stop()
	}
	if !q.closed {
		it.timer = time.AfterFunc(d, func() { _ = q.add(ctx, key, evs...) }) // it has no errors
	}
}

func (q *queue) item(key string) *queued {
	it := q.items[key]
	if it == nil {
		it = &queued{}
		q.items[key] = it
	}
	return it
}

func (q *queue) ready(key string, it *queued) {
	if it.busy || it.due || q.closed || len(it.events) == 0 {
		return
	}
	it.due = true
	q.order = append(q.order, key)
	q.signal()
}

func (q *queue) signal() {
	close(q.wake)
	q.wake = make(chan struct{})
}

// next waits for a key that is due; ok is false when ctx ends.
func (q *queue) next(ctx context.Context) (key string, ok bool) {
	for {
		q.mu.Lock()
		if len(q.order) > 0 && ctx.Err() == nil {
			key, q.order = q.order[0], q.order[1:]
			it := q.items[key]
			it.busy, it.due = true, false
			q.mu.Unlock()
			return key, true
		}
		wake := q.wake
		q.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return "", false
		}
	}
}

func (q *queue) run(ctx context.Context, n int, do worker, pause time.Duration) error {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for {
				key, ok := q.next(ctx)
				if !ok {
					return
				}
				if rest, err := do(ctx, key); err != nil && ctx.Err() == nil {
					untouched, _ := q.more(ctx, key) // it has no errors
					q.later(ctx, key, pause, append(append(rest, untouched...), cycle.Ticked{Trigger: cycle.Retry})...)
				}
				q.done(key)
			}
		})
	}
	wg.Wait()
	return nil
}

func (q *queue) more(_ context.Context, key string) ([]cycle.Event, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	it := q.items[key]
	evs := it.events
	it.events = nil
	return evs, nil
}

// ack has nothing to do: what a process took dies with it, and is found anew.
func (q *queue) ack(context.Context, string) error { return nil }

// done gives a key back; it is due again if events came meanwhile.
func (q *queue) done(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	it := q.items[key]
	it.busy = false
	q.ready(key, it)
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, it := range q.items {
		if it.timer != nil {
			it.timer.Stop()
		}
	}
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.order)
}
