package reconcile_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
)

// inbox is what the processes of a simulated world share beside the store, with
// the meaning of the queue in PostgreSQL: rows are the truth, nudges wake
// somebody. Safe for concurrent use.
type inbox struct {
	mu     sync.Mutex
	n      int64
	rows   map[string][]slip
	nudges []nudge
	wake   chan struct{} // closed and renewed at each change
}

type slip struct {
	store.Inboxed
	slot string
	due  time.Time
}

type nudge struct {
	key string
	at  time.Time
}

func newInbox() *inbox { return &inbox{rows: map[string][]slip{}, wake: make(chan struct{})} }

// nudge has somebody look at a key. The lock is held.
func (b *inbox) nudge(key string, at time.Time) {
	b.nudges = append(b.nudges, nudge{key, at})
	close(b.wake)
	b.wake = make(chan struct{})
}

// tray is a process's end of the inbox: reconcile.Inbox.
type tray struct {
	box *inbox
	p   *process
}

// open holds a call up while its process stands still.
func (t *tray) open() error {
	if t.p.await(); t.p.dead() {
		return storetest.ErrCrashed
	}
	return nil
}

// Put implements reconcile.Inbox.
func (t *tray) Put(_ context.Context, key, slot string, after time.Duration, bodies ...json.RawMessage) error {
	if err := t.open(); err != nil {
		return err
	}
	t.box.mu.Lock()
	defer t.box.mu.Unlock()
	t.box.put(key, slot, after, bodies)
	return nil
}

// put leaves bodies. The lock is held.
func (b *inbox) put(key, slot string, after time.Duration, bodies []json.RawMessage) {
	if slot != "" {
		b.rows[key] = slices.DeleteFunc(b.rows[key], func(s slip) bool { return s.slot == slot })
	}
	at := time.Now().Add(after)
	for _, body := range bodies {
		b.n++
		b.rows[key] = append(b.rows[key], slip{store.Inboxed{N: b.n, Body: body}, slot, at})
	}
	b.nudge(key, at)
}

// Take implements reconcile.Inbox.
func (t *tray) Take(_ context.Context, key string) (out []store.Inboxed, err error) {
	if err := t.open(); err != nil {
		return nil, err
	}
	t.box.mu.Lock()
	defer t.box.mu.Unlock()
	for _, s := range t.box.rows[key] {
		if !s.due.After(time.Now()) {
			out = append(out, s.Inboxed)
		}
	}
	return out, nil
}

// Ack implements reconcile.Inbox.
func (t *tray) Ack(_ context.Context, key string, done []store.Inboxed) error {
	if err := t.open(); err != nil {
		return err
	}
	t.box.mu.Lock()
	defer t.box.mu.Unlock()
	t.box.rows[key] = slices.DeleteFunc(t.box.rows[key], func(s slip) bool {
		return slices.ContainsFunc(done, func(d store.Inboxed) bool { return d.N == s.N })
	})
	return nil
}

// Waiting implements reconcile.Inbox.
func (t *tray) Waiting(context.Context) (n int, err error) {
	t.box.mu.Lock()
	defer t.box.mu.Unlock()
	for _, rows := range t.box.rows {
		if slices.ContainsFunc(rows, func(s slip) bool { return !s.due.After(time.Now()) }) {
			n++
		}
	}
	return n, nil
}

// Reap implements reconcile.Inbox.
func (t *tray) Reap(ctx context.Context, body json.RawMessage) (dead []store.Lease, err error) {
	if err := t.open(); err != nil {
		return nil, err
	}
	disk := t.p.life.disk()
	held := map[string]bool{}
	for _, r := range t.p.life.story.realms {
		l, err := disk.Lease(ctx, r.name)
		if err != nil {
			return nil, err
		}
		if held[r.name] = l.Owner != ""; l.Owner == "" || time.Now().Before(l.Expires) {
			continue
		}
		if err := disk.Release(ctx, r.name, l.Owner); err != nil {
			return nil, err
		}
		dead, held[r.name] = append(dead, l), false
	}
	t.box.mu.Lock()
	defer t.box.mu.Unlock()
	for _, l := range dead {
		t.box.put(l.Env, "lapsed", 0, []json.RawMessage{body})
	}
	for key, rows := range t.box.rows { // the nudge may have died with a process
		late := slices.ContainsFunc(rows, func(s slip) bool { return time.Since(s.due) > 30*time.Second })
		told := slices.ContainsFunc(t.box.nudges, func(n nudge) bool { return n.key == key })
		if late && !held[key] && !told {
			t.box.nudge(key, time.Now())
		}
	}
	return dead, nil
}

// Run implements reconcile.Inbox.
func (t *tray) Run(ctx context.Context, workers int, do func(ctx context.Context, key string) (again time.Duration)) error {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				key, ok := t.next(ctx)
				if !ok {
					return
				}
				if again := do(ctx, key); again > 0 && t.open() == nil {
					t.box.mu.Lock()
					t.box.nudge(key, time.Now().Add(again))
					t.box.mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return nil
}

// next waits for a nudge that is due.
func (t *tray) next(ctx context.Context) (key string, ok bool) {
	for {
		if t.open() != nil || ctx.Err() != nil {
			return "", false
		}
		t.box.mu.Lock()
		pause := time.Minute
		for i, n := range t.box.nudges {
			wait := time.Until(n.at)
			if wait <= 0 {
				t.box.nudges = slices.Delete(t.box.nudges, i, i+1)
				t.box.mu.Unlock()
				return n.key, true
			}
			pause = min(pause, wait)
		}
		wake := t.box.wake
		t.box.mu.Unlock()
		timer := time.NewTimer(pause)
		select {
		case <-wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}
