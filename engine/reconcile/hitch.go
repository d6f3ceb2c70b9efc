package reconcile

import (
	"context"
	"errors"
	"time"

	"isobar.dev/engine/store"
)

// hitch is why the store is of no use now: its disk takes nothing, or its server
// is away.
type hitch struct {
	class error  // store.ErrFull, store.ErrAway; nil: there is none
	why   string // which file or server, in words
}

// hitchOf gives what an error tells of the store, none of another error.
func hitchOf(err error) hitch {
	for _, class := range []error{store.ErrFull, store.ErrAway} {
		if errors.Is(err, class) {
			f, _ := store.Finding(err)
			return hitch{class, f.Message}
		}
	}
	return hitch{}
}

// Unwritable says why nothing can be recorded now, which file or server and what
// follows from it; "" where the store takes what it is given. Without a record
// nothing is started, and of a full disk what was recorded can still be read.
func (d *Daemon) Unwritable() string {
	d.ready()
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.hitch.class == nil:
		return ""
	case errors.Is(d.hitch.class, store.ErrAway):
		return d.hitch.why + ": nothing is started until it answers; it then goes on by itself"
	}
	return d.hitch.why + ": nothing is started until it can; it then goes on by itself"
}

// asking gives what written and reached are told of a use of the store that
// begins now: how often it was of no use until then.
func (d *Daemon) asking() (began int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hitches
}

// written learns from a write to the store, or from what became of one, whether
// the store is of use. An error that says nothing of that leaves it as it was, and
// so does a write that went well and began before the store was lost.
func (d *Daemon) written(ctx context.Context, began int, err error) { d.learn(ctx, began, err, true) }

// reached learns it from a read: that one works says nothing of a full disk.
func (d *Daemon) reached(ctx context.Context, began int, err error) { d.learn(ctx, began, err, false) }

// learn notes what is wrong with the store, and logs once that it is and once
// that it is over.
func (d *Daemon) learn(ctx context.Context, began int, err error, wrote bool) {
	now := hitchOf(err)
	if err != nil && now.class == nil {
		return
	}
	d.mu.Lock()
	was := d.hitch
	if now.class == nil && (began != d.hitches || errors.Is(was.class, store.ErrFull) && !wrote) {
		d.mu.Unlock()
		return
	}
	if d.hitch = now; now.class != nil {
		d.hitches++
	}
	d.mu.Unlock()
	switch {
	case now.class == nil && errors.Is(was.class, store.ErrAway):
		d.Log.InfoContext(ctx, "the store's server answers again")
	case now.class == nil && was.class != nil:
		d.Log.InfoContext(ctx, "the store can be written to again")
	case !errors.Is(now.class, was.class):
		f, _ := store.Finding(err)
		d.Log.ErrorContext(ctx, "nothing is started: what would be done can't be recorded", "error", err, "code", string(f.Code), "mend", f.Mend)
	}
}

// The pauses between looks for a store's server that is away.
const (
	awayPause = 250 * time.Millisecond
	awayLong  = 5 * time.Second
)

// patiently does something again until the store's server answers, or ctx ends.
// It gives any other error.
func (d *Daemon) patiently(ctx context.Context, do func() error) error {
	for pause := awayPause; ; pause = min(2*pause, awayLong) {
		began := d.asking()
		err := do()
		if ctx.Err() != nil {
			return err
		}
		d.reached(ctx, began, err)
		if !errors.Is(err, store.ErrAway) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}
