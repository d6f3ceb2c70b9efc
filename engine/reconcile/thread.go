package reconcile

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"isobar.dev/engine/cycle"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// message is what the outbox carries.
type message struct {
	Text view.Rich `json:"text"`
}

func body(text view.Rich) json.RawMessage {
	b, _ := json.Marshal(message{text}) // text always encodes
	return b
}

// A thread holds so many lines of a run, and is brought up to date so often
// while the run goes on.
const (
	maxLines   = 150
	threadBeat = time.Second
)

// root is the key of a run's head message.
func root(r *store.Run) string { return store.MessageOfRun(cmp.Or(r.Thread, r.ID)) }

// goOn settles in which thread a run that is told for the first time goes on. One
// that tries again what went wrong, or was held, stays in the thread of the run
// before it; one that does something else leaves a last word there.
func (t *turn) goOn(ctx context.Context) error {
	if t.run.Thread != "" {
		return nil
	}
	runs, err := t.d.Store.Runs(ctx, store.RunFilter{Env: t.env, Limit: 1})
	if err != nil || len(runs) == 0 || runs[0].ID == t.run.ID {
		return err
	}
	last := runs[0]
	switch last.State {
	case store.Failed, store.Partial, store.Drained, store.Held:
	case store.Planning, store.Waiting, store.Applying, store.Applied, store.Denied, store.NoChanges, store.Differs, store.Cancelled,
		store.Approved, store.Rejected, store.Superseded:
		return nil
	}
	word := ""
	switch again := t.run.Trigger == string(cycle.Retry) || last.Commit == t.run.Commit; {
	case again && t.run.State == store.Waiting: // people are asked where they see it
		what := "what is left"
		if last.State == store.Held {
			what = "what was held"
		}
		word = what + " waits for an approval: plan " + view.PlanID(t.run.Digest)
	case again:
		t.run.Thread = cmp.Or(last.Thread, last.ID)
		return nil
	default:
		word = "a newer commit goes on: " + short(t.run.Commit)
	}
	if last, err = t.d.Store.Run(ctx, last.ID); err != nil { // lists leave plan and report out
		return err
	}
	run := t.kept(ctx, &last)
	run.Next, run.Again = word, time.Time{}
	last.Report = run.JSON()
	t.amend(ctx, &last, "left", append(run.Chat().Head, view.Span{Text: " · " + word}))
	return t.putRun(ctx, last)
}

// thread brings the run's chat thread up to date: its head is posted once and
// edited after, each line is posted once. What could not be kept is told when it
// is called again; the error says that the store takes nothing.
func (t *turn) thread(ctx context.Context, r *view.Run) error {
	if t.d.Chat == nil || t.run.ID == "" || t.head.channel == "" {
		return nil
	}
	chat, own, root := t.chat(r), store.MessageOfRun(t.run.ID), root(&t.run)
	head := string(body(chat.Head))
	if head != t.news.head {
		t.news.edits++
		if err := t.headline(ctx, root, fmt.Sprintf("%s edit %d", own, t.news.edits), chat.Head); err != nil {
			return err
		}
	}
	t.news.head = head
	if t.news.told == nil {
		t.news.told = map[string]bool{}
	}
	for _, l := range chat.Thread {
		key := own + " " + l.Key
		if l.Once != "" {
			sum := sha256.Sum256([]byte(l.Once))
			key = root + " once " + hex.EncodeToString(sum[:8])
		}
		switch {
		case t.news.told[key]:
			continue
		case len(t.news.told) == maxLines:
			l.Text = view.Say("more than a thread should hold: isobar runs show " + t.run.ID)
		case len(t.news.told) > maxLines:
			continue
		}
		if _, err := t.enqueue(ctx, store.Message{Key: key, Thread: root, Kind: replyMessage, Body: body(l.Text)}); err != nil {
			return err
		}
		t.news.told[key] = true
	}
	t.news.at = t.d.Runner.Now()
	t.d.ring()
	return nil
}

// chat is the run's thread as it reads now.
func (t *turn) chat(r *view.Run) view.Chat {
	if t.draft == nil {
		return r.Chat()
	}
	p := t.shown()
	if r.State == view.Waiting || r.State == view.Planned {
		return p.Chat()
	}
	chat := r.Chat()
	if drift, ok := p.DriftChat(); ok && t.news.by == "" { // who approved it was told
		chat.Thread = append(drift.Thread, chat.Thread...)
	}
	return chat
}

// headline posts a thread's head, or edits it where there is one.
func (t *turn) headline(ctx context.Context, root, edit string, text view.Rich) error {
	if added, err := t.enqueue(ctx, store.Message{Key: root, Kind: postMessage, Body: body(text)}); added || err != nil {
		return err
	}
	_, err := t.enqueue(ctx, store.Message{Key: edit, Thread: root, Kind: editMessage, Body: body(text)})
	return err
}

// amend has the head of another run's thread say how that ended; what tells one
// such word from another. It goes before the run is kept so, which is done again
// where the process ends between them; the message is not.
func (t *turn) amend(ctx context.Context, old *store.Run, what string, head view.Rich) {
	if t.d.Chat == nil || t.head.channel == "" {
		return
	}
	_ = t.headline(ctx, root(old), store.MessageOfRun(old.ID)+" "+what, head) // nor can the run be kept then
	t.d.ring()
}

// enqueue keeps a message for the environment's channel; added says that there
// was none of its key. The error says that the store takes nothing: it may be
// kept later. A message that it refuses is dropped.
func (t *turn) enqueue(ctx context.Context, m store.Message) (added bool, err error) {
	m.Channel = t.head.channel
	return t.d.say(ctx, m)
}
