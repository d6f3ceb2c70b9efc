package apply

import (
	"context"
	"sync"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/resource"
)

// Events is where a ledger's events are kept. Append is atomic and durable when
// it returns nil; it refuses when the environment's last event is not expect,
// or when epoch is no longer the lease's.
type Events interface {
	Append(ctx context.Context, env string, expect, epoch int64, evs []ledger.Event) ([]ledger.Event, error)
}

// Journal writes one environment's events for one run and keeps their fold.
// Safe for concurrent use.
type Journal struct {
	Env   string
	RunID string
	Epoch int64

	store Events
	now   func() time.Time
	mu    sync.Mutex
	state *ledger.State
	err   error // the first failed append: after it nothing more is written
}

// NewJournal continues the ledger of env from state, which it takes over.
func NewJournal(store Events, state *ledger.State, now func() time.Time) *Journal {
	return &Journal{store: store, state: state, now: now}
}

// Append makes events durable and folds them in. After a failure every later
// Append fails too: the caller must stop and start from the store again.
func (j *Journal) Append(ctx context.Context, evs ...ledger.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	at := instant(j.now())
	for i := range evs {
		evs[i].At, evs[i].Run = at, j.RunID
	}
	kept, err := j.store.Append(ctx, j.Env, j.state.Seq, j.Epoch, evs)
	if err != nil {
		j.err = err
		return err
	}
	for _, ev := range kept {
		if err := j.state.Apply(ev); err != nil {
			j.err = err
			return err
		}
	}
	return nil
}

// instant is a time as the ledger keeps it: in whole milliseconds, never before
// it was. What is told by the age of a write (whether a read may trail it) would
// else count a read that came too soon.
func instant(t time.Time) time.Time {
	return t.UTC().Add(time.Millisecond - time.Nanosecond).Truncate(time.Millisecond)
}

// View calls f with the state; f must not keep or change it.
func (j *Journal) View(f func(*ledger.State)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(j.state)
}

// entry gives a copy of one entry.
func (j *Journal) entry(k ledger.Key) (ledger.Entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.state.Entries[k]
	if e == nil {
		return ledger.Entry{}, false
	}
	return *e, true
}

// current gives a copy of an address's current entry.
func (j *Journal) current(a resource.Address) (ledger.Entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.state.Current(a)
	if e == nil {
		return ledger.Entry{}, false
	}
	return *e, true
}
