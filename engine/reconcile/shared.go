package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"isobar.dev/engine/cycle"
	"isobar.dev/engine/store"
)

// Inbox is the queue that the processes on one store share. What Take gives
// stays until Ack, so that a process which dies loses nothing; each thing may
// therefore come twice.
type Inbox interface {
	Put(ctx context.Context, key, slot string, after time.Duration, bodies ...json.RawMessage) error
	Take(ctx context.Context, key string) ([]store.Inboxed, error)
	Ack(ctx context.Context, key string, done []store.Inboxed) error
	Waiting(ctx context.Context) (int, error)
	// Reap takes the leases of the dead away and puts body into the inbox of each
	// one's environment.
	Reap(ctx context.Context, body json.RawMessage) (dead []store.Lease, err error)
	// Run calls do for a key that something was put in for, for several keys at
	// once, until ctx ends; after again > 0 the key comes anew.
	Run(ctx context.Context, workers int, do func(ctx context.Context, key string) (again time.Duration)) error
}

// shared is the work of the processes on one store.
type shared struct {
	inbox Inbox
	log   *slog.Logger

	mu    sync.Mutex
	taken map[string][]store.Inboxed // by the worker of a key, not yet acknowledged
}

// heldPause is how long a key rests that another process works on.
const heldPause = 500 * time.Millisecond

// slot is where an event waits in place of an earlier one of its sort: two
// pushes are one look at the newer commit. What a person said stands by itself.
func slot(ev cycle.Event) string {
	switch e := ev.(type) {
	case cycle.Pushed:
		return "pushed"
	case cycle.Ticked:
		return string(e.Trigger)
	}
	return ""
}

func (s *shared) add(ctx context.Context, key string, evs ...cycle.Event) error {
	for _, ev := range evs {
		if err := s.put(ctx, key, 0, ev); err != nil {
			return err
		}
	}
	return nil
}

func (s *shared) at(ctx context.Context, key string, d time.Duration, look cycle.Ticked) error {
	return s.put(ctx, key, d, look)
}

func (s *shared) put(ctx context.Context, key string, d time.Duration, ev cycle.Event) error {
	body, err := encodeEvent(ev)
	if err != nil {
		return err
	}
	return s.inbox.Put(ctx, key, slot(ev), d, body)
}

func (s *shared) more(ctx context.Context, key string) ([]cycle.Event, error) {
	in, err := s.inbox.Take(ctx, key)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	had := map[int64]bool{}
	for _, x := range s.taken[key] {
		had[x.N] = true
	}
	var out []cycle.Event
	for _, x := range in {
		if had[x.N] {
			continue
		}
		s.taken[key] = append(s.taken[key], x)
		ev, err := decodeEvent(x.Body)
		if err != nil { // of a later version: its own processes know what to do
			s.log.ErrorContext(ctx, "what an environment was handed can't be read", "env", key, "error", err)
			continue
		}
		out = append(out, ev)
	}
	return out, nil
}

func (s *shared) ack(ctx context.Context, key string) error {
	s.mu.Lock()
	done := s.taken[key]
	s.mu.Unlock()
	return s.inbox.Ack(ctx, key, done)
}

func (s *shared) run(ctx context.Context, n int, do worker, pause time.Duration) error {
	return s.inbox.Run(ctx, n, func(_ context.Context, key string) time.Duration {
		_, err := do(ctx, key) // what it did not come to is still in the inbox
		s.mu.Lock()
		delete(s.taken, key)
		s.mu.Unlock()
		switch {
		case err == nil:
			return 0
		case isFenced(err) || errors.Is(err, errNotYet):
			return heldPause
		}
		return pause
	})
}

func (s *shared) length() int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n, err := s.inbox.Waiting(ctx)
	if err != nil {
		return 0
	}
	return n
}

// close has nothing to do: timers are in the store.
func (s *shared) close() {}

// reap takes the leases of processes that died away, until ctx ends: their
// environments are looked at by whoever comes first.
func (d *Daemon) reap(ctx context.Context) {
	body, err := encodeEvent(cycle.Ticked{Trigger: cycle.Start})
	if err != nil {
		d.Log.ErrorContext(ctx, "the dead can't be looked for", "error", err)
		return
	}
	tick := time.NewTicker(d.Tenure.TTL / 3)
	defer tick.Stop()
	for {
		began := d.asking()
		dead, err := d.Inbox.Reap(ctx, body)
		if ctx.Err() == nil {
			d.reached(ctx, began, err)
		}
		if err != nil && hitchOf(err).class == nil && ctx.Err() == nil {
			d.Log.WarnContext(ctx, "leases can't be looked through", "error", err)
		}
		for _, l := range dead {
			d.Log.WarnContext(ctx, "a lease ran out: its owner died or lost the store", "env", l.Env, "owner", l.Owner, "epoch", l.Epoch)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// envelope is an event as an inbox keeps it.
type envelope struct {
	Pushed    *cycle.Pushed    `json:"pushed,omitempty"`
	Ticked    *cycle.Ticked    `json:"ticked,omitempty"`
	Approved  *cycle.Approved  `json:"approved,omitempty"`
	Turned    *cycle.Turned    `json:"turned,omitempty"`
	Cancelled *cycle.Cancelled `json:"cancelled,omitempty"`
	Resumed   *cycle.Resumed   `json:"resumed,omitempty"`
	Refreshed *cycle.Refreshed `json:"refreshed,omitempty"`
}

// encodeEvent writes down an event that comes from outside a turn.
func encodeEvent(ev cycle.Event) (json.RawMessage, error) {
	var e envelope
	switch ev := ev.(type) {
	case cycle.Pushed:
		e.Pushed = &ev
	case cycle.Ticked:
		e.Ticked = &ev
	case cycle.Approved:
		e.Approved = &ev
	case cycle.Turned:
		e.Turned = &ev
	case cycle.Cancelled:
		e.Cancelled = &ev
	case cycle.Resumed:
		e.Resumed = &ev
	case cycle.Refreshed:
		e.Refreshed = &ev
	default:
		return nil, fmt.Errorf("an event of type %T is not for others", ev)
	}
	return json.Marshal(e)
}

func decodeEvent(body json.RawMessage) (cycle.Event, error) {
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, err
	}
	switch {
	case e.Pushed != nil:
		return *e.Pushed, nil
	case e.Ticked != nil:
		return *e.Ticked, nil
	case e.Approved != nil:
		return *e.Approved, nil
	case e.Turned != nil:
		return *e.Turned, nil
	case e.Cancelled != nil:
		return *e.Cancelled, nil
	case e.Resumed != nil:
		return *e.Resumed, nil
	case e.Refreshed != nil:
		return *e.Refreshed, nil
	}
	return nil, fmt.Errorf("%s is no event that is known here", body)
}
