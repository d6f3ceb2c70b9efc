package reconcile

import (
	"context"
	"errors"

	"isobar.dev/engine/store"
)

// Unwritable says why nothing can be recorded now, which file and what follows
// from it; "" where the store takes what it is given. Without a record nothing
// is started, and what was recorded can still be read.
func (d *Daemon) Unwritable() string {
	d.ready()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full == "" {
		return ""
	}
	return d.full + ": nothing is started until it can; it then goes on by itself"
}

// written learns from a write to the store, or from what became of one, whether
// the store can be written to.
func (d *Daemon) written(ctx context.Context, err error) {
	now := ""
	switch {
	case errors.Is(err, store.ErrFull):
		f, _ := store.Finding(err)
		now = f.Message
	case err != nil:
		return // it says nothing of the disk
	}
	d.mu.Lock()
	was := d.full
	d.full = now
	d.mu.Unlock()
	switch {
	case now == "" && was != "":
		d.Log.InfoContext(ctx, "the store can be written to again")
	case now != "" && was == "":
		f, _ := store.Finding(err)
		d.Log.ErrorContext(ctx, "nothing is started: what would be done can't be recorded", "error", err, "code", string(f.Code), "mend", f.Mend)
	}
}
