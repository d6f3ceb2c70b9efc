package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"math"
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
	var until time.Time // the receiver is left alone
	for {
		if now := d.Runner.Now(); (d.tryNow() || !now.Before(until)) && d.postman(ctx) {
			until = now.Add(d.flush(ctx))
		}
		select {
		case <-ctx.Done():
			d.lastFlush(ctx)
			return
		case <-d.bell:
		case <-tick.C:
		}
	}
}

// postKey is the lease under which messages go out: a slash begins no
// environment's name.
const postKey = "/outbox"

// postman reports whether this process delivers: of those that share a store one
// does, and another once it has been silent for a while.
func (d *Daemon) postman(ctx context.Context) bool {
	if !d.Tenure.Shared {
		return true
	}
	_, err := d.Tenure.Leases.Acquire(ctx, postKey, d.Tenure.Owner, 2*d.Tenure.TTL, d.Runner.Now())
	return err == nil
}

// lastFlush gives what the last runs reported a moment to go out; the rest
// waits for the next start.
func (d *Daemon) lastFlush(ctx context.Context) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if d.postman(last) {
		d.flush(last)
		if d.Tenure.Shared {
			_ = d.Tenure.Leases.Release(last, postKey, d.Tenure.Owner) // else it runs out
		}
	}
}

// flush sends what is due until nothing is, or the receiver is down: then it
// says how long to leave it alone. So messages keep their order.
func (d *Daemon) flush(ctx context.Context) time.Duration {
	for ctx.Err() == nil {
		due, err := d.Store.Due(ctx, d.Runner.Now(), 500)
		if err != nil {
			return 0
		}
		sent, pause := 0, time.Duration(0)
		shut := map[string]bool{} // channels that refuse us
		for _, m := range due {
			if ref, taken := d.delivered[m.Key]; taken {
				sent += d.noteSent(ctx, m.Key, ref)
				continue
			}
			if shut[m.Channel] {
				continue
			}
			ref, err := d.send(ctx, m)
			if errors.Is(err, store.ErrNotFound) {
				continue // its thread's head was put off: it waits for that
			}
			if err != nil && ctx.Err() != nil {
				return 0 // it may be there: that is looked for before it is sent again
			}
			d.Meter.Delivered(err)
			class := resource.ClassOf(err)
			switch {
			case err == nil:
				d.hears(ctx, m.Channel)
			case m.Tries >= patience(class):
				d.Log.ErrorContext(ctx, "a message is given up: the receiver refuses it", "key", m.Key, "error", err)
				ref = givenUp
			case class == resource.Invalid || class == resource.NotFound:
				if m.Tries == 0 {
					d.Log.WarnContext(ctx, "a message is refused; it is tried again, and others go first", "key", m.Key, "error", err)
				}
				d.putOff(ctx, m, err, d.Runner.Now().Add(pauseAfter(m, err)))
				continue
			case class == resource.Denied:
				d.deafen(ctx, m.Channel, err)
				d.putOff(ctx, m, err, time.Time{})
				shut[m.Channel], pause = true, max(pause, pauseAfter(m, err))
				continue
			default:
				d.deafen(ctx, m.Channel, err)
				d.putOff(ctx, m, err, time.Time{})
				return pauseAfter(m, err)
			}
			sent += d.noteSent(ctx, m.Key, ref)
		}
		if sent == 0 || pause > 0 {
			return pause
		}
	}
	return 0
}

// noteSent notes that a message was delivered, and counts it. Where that can't be
// noted now it is remembered: the receiver is not asked again.
func (d *Daemon) noteSent(ctx context.Context, key, ref string) int {
	if err := d.Store.Sent(ctx, key, ref, d.Runner.Now()); err != nil {
		d.delivered[key] = ref
		return 0
	}
	delete(d.delivered, key)
	return 1
}

// patience is how often a message that was refused is offered again: one that
// is wrong by itself soon stands aside; a receiver that is down, or whose token
// was revoked, is waited for as long as it takes.
func patience(c resource.Class) int {
	if c == resource.Invalid || c == resource.NotFound {
		return 10
	}
	return math.MaxInt
}

// givenUp is the reference of a message that was never taken.
const givenUp = "given up"

// send delivers one message.
func (d *Daemon) send(ctx context.Context, m store.Message) (ref string, err error) {
	var b message
	if err := json.Unmarshal(m.Body, &b); err != nil {
		return "", &resource.Failure{Class: resource.Invalid, Message: err.Error(), Err: err}
	}
	if m.Kind == postMessage {
		return d.Chat.Post(ctx, m.Channel, m.Key, b.Text)
	}
	head, taken := d.delivered[m.Thread]
	if !taken {
		head, err = d.Store.Ref(ctx, m.Thread)
	}
	if err != nil || head == givenUp {
		return head, err
	}
	if m.Kind == editMessage {
		return head, d.Chat.Edit(ctx, head, b.Text)
	}
	return head, d.Chat.Reply(ctx, head, m.Key, b.Text)
}

// pauseAfter is how long to wait after a failed delivery: by the receiver's own
// advice, else 1 s, doubled at each try up to a minute.
func pauseAfter(m store.Message, err error) time.Duration {
	var f *resource.Failure
	if errors.As(err, &f) && f.After > 0 {
		return f.After
	}
	return min(time.Second<<min(m.Tries, 6), time.Minute)
}

// putOff notes a failed delivery and when to try again; the zero time is with
// the next flush.
func (d *Daemon) putOff(ctx context.Context, m store.Message, err error, until time.Time) {
	if rerr := d.Store.Retry(ctx, m.Key, until, err.Error()); rerr != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "a message could not be put off", "key", m.Key, "error", rerr)
	}
}
