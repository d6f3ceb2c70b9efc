package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
)

// The kinds of messages in the outbox.
const (
	postMessage  = "post"
	editMessage  = "edit"
	replyMessage = "reply"
)

// outboxPause is how long the outbox sleeps when nothing wakes it: messages
// that were put off come due meanwhile.
const outboxPause = time.Second

// ring wakes the outbox.
func (d *Daemon) ring() {
	select {
	case d.bell <- struct{}{}:
	default:
	}
}

// deliver sends what waits in the outbox, oldest first. A receiver that is down
// delays messages and nothing else.
func (d *Daemon) deliver(ctx context.Context) {
	if d.Chat == nil {
		return
	}
	tick := time.NewTicker(outboxPause)
	defer tick.Stop()
	for {
		d.flush(ctx)
		select {
		case <-ctx.Done():
			d.lastFlush(ctx)
			return
		case <-d.bell:
		case <-tick.C:
		}
	}
}

// lastFlush gives what the last runs reported a moment to go out; the rest
// waits for the next start.
func (d *Daemon) lastFlush(ctx context.Context) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	d.flush(last)
}

// flush sends what is due until nothing is, or something fails.
func (d *Daemon) flush(ctx context.Context) {
	for ctx.Err() == nil {
		due, err := d.Store.Due(ctx, d.Runner.Now(), 50)
		if err != nil || len(due) == 0 {
			return
		}
		progress := false
		for _, m := range due {
			ref, err := d.send(ctx, m)
			d.Meter.Delivered(err)
			if err == nil {
				progress = d.Store.Sent(ctx, m.Key, ref, d.Runner.Now()) == nil || progress
				continue
			}
			d.putOff(ctx, m, err)
		}
		if !progress {
			return
		}
	}
}

// send delivers one message.
func (d *Daemon) send(ctx context.Context, m store.Message) (ref string, err error) {
	var b message
	if err := json.Unmarshal(m.Body, &b); err != nil {
		return "", err
	}
	if m.Kind == postMessage {
		return d.Chat.Post(ctx, m.Channel, m.Key, b.Text)
	}
	head, err := d.Store.Ref(ctx, m.Thread)
	if err != nil {
		return "", err
	}
	if m.Kind == editMessage {
		return head, d.Chat.Edit(ctx, head, b.Text)
	}
	return head, d.Chat.Reply(ctx, head, m.Key, b.Text)
}

// putOff delays a message: by the receiver's own advice, else by 1 s, doubled
// at each try up to a minute.
func (d *Daemon) putOff(ctx context.Context, m store.Message, err error) {
	wait := min(time.Second<<min(m.Tries, 6), time.Minute)
	var f *resource.Failure
	if errors.As(err, &f) && f.After > 0 {
		wait = f.After
	}
	if m.Tries == 0 || m.Tries%10 == 0 {
		d.Log.WarnContext(ctx, "a message could not be delivered; it is tried again", "key", m.Key, "tries", m.Tries+1, "error", err)
	}
	if rerr := d.Store.Retry(ctx, m.Key, d.Runner.Now().Add(wait), err.Error()); rerr != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "a message could not be put off", "key", m.Key, "error", rerr)
	}
}
