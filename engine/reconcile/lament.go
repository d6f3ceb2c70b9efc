package reconcile

import (
	"cmp"
	"context"
	"time"

	"isobar.dev/engine/git"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// borne is how long a repository may be unreadable before people are told in
// chat: a forge that starts anew is no news; one whose token ran out is, since
// pushes are without effect meanwhile.
const borne = 10 * time.Minute

// lamentOf is the key of the message that says that a repository can't be read.
// There is one a day, so that neither a process that starts anew nor one that
// shares the store says the same twice.
func lamentOf(repo string, at time.Time) string {
	return "repo " + repo + " " + at.UTC().Format(time.DateOnly)
}

// lamented is what chat was told last of a repository.
type lamented struct {
	key   string    // of the message that says it can't be read; "" where it can
	since time.Time // when that began
	why   string
}

// lament tells in chat that a repository can't be read for long, and in the same
// message that it can be again. failed is what the last poll ended in.
func (d *Daemon) lament(ctx context.Context, r Repo, failed error) {
	d.mu.Lock()
	at := d.trouble[r.Name]
	told, known := d.lamented[r.Name] // not known: the process before this one may have told something
	barred := at.kind == git.Unsigned
	text, channel := view.Unread{Repo: r.Name, Barred: barred, Since: at.since, Why: at.text, Mend: mendOf(failed)}, cmp.Or(r.Channel, d.Channel)
	if h := d.heads[r.Name]; h != nil {
		text.Commit, channel = h.commit.Hash, h.channel
	}
	d.mu.Unlock()
	now := d.Runner.Now()
	begins := failed != nil && told.key == "" && !at.since.IsZero() && (barred || now.Sub(at.since) >= borne)
	other := failed != nil && told.key != "" && barred && told.why != at.text // another head
	ends := failed == nil && (told.key != "" || !known)
	if d.Chat == nil || channel == "" || !begins && !other && !ends || !d.postman(ctx) {
		return
	}
	var err error
	switch {
	case begins:
		told = lamented{lamentOf(r.Name, at.since), at.since, at.text}
		err = d.unreadable(ctx, told, channel, text)
	case other:
		told.why = at.text
		m := store.Message{Key: told.key + " other " + now.UTC().Format(time.DateTime), Thread: told.key, Channel: channel, Kind: editMessage, Body: body(text.Chat())}
		_, err = d.say(ctx, m)
	default:
		text.Since, text.Until = told.since, now
		err = d.readable(ctx, r.Name, told, channel, text)
		told = lamented{}
	}
	if err != nil {
		return // the next poll does it again
	}
	d.mu.Lock()
	d.lamented[r.Name] = told
	d.mu.Unlock()
	d.ring()
}

// unreadable says that a repository can't be read: by the day's message, or in it
// where it's not the day's first time.
func (d *Daemon) unreadable(ctx context.Context, told lamented, channel string, text view.Unread) error {
	m := store.Message{Key: told.key, Channel: channel, Kind: postMessage, Body: body(text.Chat())}
	if added, err := d.say(ctx, m); added || err != nil {
		return err
	}
	m.Key, m.Thread, m.Kind = told.key+" since "+told.since.UTC().Format(time.TimeOnly), told.key, editMessage
	_, err := d.say(ctx, m)
	return err
}

// readable says in what was told of a repository that it can be read again.
func (d *Daemon) readable(ctx context.Context, repo string, told lamented, channel string, text view.Unread) error {
	for _, k := range lamentsToEnd(repo, told.key, text.Until) {
		if _, err := d.Store.Ref(ctx, k); err != nil && k != told.key {
			continue // nothing was told
		}
		m := store.Message{Key: k + " again", Thread: k, Channel: channel, Kind: editMessage, Body: body(text.Chat())}
		added, err := d.say(ctx, m)
		if err == nil && !added && k == told.key { // it's not the day's first time
			m.Key += " " + text.Until.UTC().Format(time.TimeOnly)
			_, err = d.say(ctx, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lamentsToEnd gives the keys of what may have been told of a repository that can
// be read: what this process told, else what the one before it may have.
func lamentsToEnd(repo, key string, now time.Time) []string {
	if key != "" {
		return []string{key}
	}
	return []string{lamentOf(repo, now), lamentOf(repo, now.AddDate(0, 0, -1))}
}

// say keeps a message for chat; added says that there was none of its key. The
// error says that the store takes nothing: it may be kept later. A message that
// it refuses is dropped.
func (d *Daemon) say(ctx context.Context, m store.Message) (added bool, err error) {
	added, err = d.Store.Enqueue(ctx, m)
	if hitchOf(err).class != nil {
		return false, err
	}
	if err != nil {
		d.Log.WarnContext(ctx, "a message could not be kept", "key", m.Key, "error", err)
	}
	return added, nil
}
