package reconcile

import (
	"context"
	"errors"
	"time"

	"isobar.dev/engine/resource"
)

// deaf is a channel that can't be told: what is to be said there waits.
type deaf struct {
	code string // what tells one cause from another
	why  string
	at   time.Time // since when
}

// deafen notes that a channel could not be told. It is logged once for a cause,
// however often it is tried.
func (d *Daemon) deafen(ctx context.Context, channel string, err error) {
	code := string(resource.ClassOf(err))
	var f *resource.Failure
	if errors.As(err, &f) && f.Code != "" {
		code = f.Code
	}
	d.mu.Lock()
	was, known := d.deaf[channel]
	now := deaf{code: code, why: err.Error(), at: d.Runner.Now()}
	if known {
		now.at = was.at
	}
	if d.deaf == nil {
		d.deaf = map[string]deaf{}
	}
	d.deaf[channel] = now
	d.mu.Unlock()
	if !known || was.code != code {
		d.Log.WarnContext(ctx, "chat can't be told: what is to be said waits, in order, and it is tried again", "channel", channel, "error", err)
	}
}

// hears notes that a channel was told something.
func (d *Daemon) hears(ctx context.Context, channel string) {
	d.mu.Lock()
	was, known := d.deaf[channel]
	delete(d.deaf, channel)
	d.mu.Unlock()
	if known {
		d.Log.InfoContext(ctx, "chat is told again", "channel", channel, "since", was.at)
	}
}

// untold says what keeps a channel from being told, or "". d.mu is held.
func (d *Daemon) untold(channel string) string {
	if now, ok := d.deaf[channel]; ok {
		return "chat is not told since " + now.at.UTC().Format("2006-01-02 15:04 UTC") + ", messages wait: " + now.why
	}
	return ""
}

// anew has the outbox try at once: what kept it from delivering may be mended.
func (d *Daemon) anew() {
	d.mu.Lock()
	d.retry = true
	d.mu.Unlock()
	d.ring()
}

// tryNow reports, once, whether anew was called.
func (d *Daemon) tryNow() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.retry
	d.retry = false
	return was
}
