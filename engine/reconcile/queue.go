package reconcile

import (
	"context"
	"sync"
	"time"

	"isobar.dev/engine/cycle"
)

// queue is a keyed, level-triggered work queue: each key has at most one worker
// at a time, and what is added meanwhile is handed to it, or makes it due
// again. Safe for concurrent use.
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

// add hands a key events.
func (q *queue) add(key string, evs ...cycle.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	it := q.item(key)
	it.events = append(it.events, evs...)
	q.ready(key, it)
}

// at hands a key events after d, in place of earlier ones that have not come.
func (q *queue) at(key string, d time.Duration, evs ...cycle.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	it := q.item(key)
	if it.timer != nil {
		it.timer.Stop()
	}
	if !q.closed {
		it.timer = time.AfterFunc(d, func() { q.add(key, evs...) })
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

// next waits for a key that is due and takes it with its events; ok is false
// when ctx ends.
func (q *queue) next(ctx context.Context) (key string, evs []cycle.Event, ok bool) {
	for {
		q.mu.Lock()
		if len(q.order) > 0 && ctx.Err() == nil {
			key, q.order = q.order[0], q.order[1:]
			it := q.items[key]
			evs, it.events = it.events, nil
			it.busy, it.due = true, false
			q.mu.Unlock()
			return key, evs, true
		}
		wake := q.wake
		q.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return "", nil, false
		}
	}
}

// more takes the events that came while its worker was busy.
func (q *queue) more(key string) []cycle.Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	it := q.items[key]
	evs := it.events
	it.events = nil
	return evs
}

// done gives a key back; it is due again if events came meanwhile.
func (q *queue) done(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	it := q.items[key]
	it.busy = false
	q.ready(key, it)
}

// close stops all timers; nothing becomes due any more.
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

// length counts the keys that are due.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.order)
}
