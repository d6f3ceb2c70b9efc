package reconcile

import (
	"context"
	"time"

	"isobar.dev/engine/store"
)

// History is how much of the past a daemon keeps. The zero History keeps all.
type History struct {
	For     time.Duration // runs, delivered messages, evaluations and closed pulls stay for so long
	Told    time.Duration // what forges told stays for so long; 0: for ever
	AtLeast int           // runs of each environment stay, however old
	AtMost  int           // runs of each environment, however young
}

// Kept is how much isobar keeps: a quarter of a year, as incidents are looked back
// on. An environment that fails once a minute has 2,000 runs in 33 hours, and each
// says the same; what it did is in the audit log, which stays whole. At least so
// many as are looked through for a plan that a person names. What forges told only
// says what to read again: it stays for as long as one of them may tell it again,
// which are days (GitHub three, https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks).
func Kept() History {
	return History{For: 90 * 24 * time.Hour, Told: 14 * 24 * time.Hour, AtLeast: lookBack, AtMost: 2000}
}

// at gives what is kept as of now.
func (h History) at(now time.Time) store.Retention {
	r := store.Retention{Since: now.Add(-h.For), AtLeast: h.AtLeast, AtMost: h.AtMost}
	if h.Told > 0 {
		r.Told = now.Add(-h.Told)
	}
	return r
}

// The rhythm of tidying: rarely, and in transactions of some milliseconds, since
// heartbeats wait for them.
const (
	tidyEvery = 15 * time.Minute
	tidyRows  = 200
	tidyPause = 100 * time.Millisecond
)

// tidyKey is the lease under which the past is tidied.
const tidyKey = "/history"

// tidy takes out of the store what History does not keep, until ctx ends. Of the
// processes that share a store one does.
func (d *Daemon) tidy(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		gone, err := d.prune(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !isFenced(err) && hitchOf(err).class == nil:
			d.Log.WarnContext(ctx, "what is past its time can't be taken out of the store", "error", err)
		case gone.Any():
			d.Log.InfoContext(ctx, "taken out of the store: it is past its time", "runs", gone.Runs, "messages", gone.Messages, "evaluations", gone.Evaluations,
				"pulls", gone.Pulls, "deliveries", gone.Deliveries)
		}
		if err != nil {
			d.reached(ctx, d.asking(), err)
		}
	}
}

// prune takes out what is past its time, a little at a time.
func (d *Daemon) prune(ctx context.Context) (gone store.Pruned, err error) {
	for ctx.Err() == nil {
		now := d.Runner.Now()
		if d.Tenure.Shared { // another one takes over once this one was silent for as long
			if _, err := d.Tenure.Leases.Acquire(ctx, tidyKey, d.Tenure.Owner, 2*tidyEvery, now); err != nil {
				return gone, err
			}
		}
		part, err := d.Store.Prune(ctx, d.History.at(now), tidyRows)
		if err != nil || !part.Any() {
			return gone, err
		}
		gone = gone.Add(part)
		select {
		case <-ctx.Done():
		case <-time.After(tidyPause):
		}
	}
	return gone, nil
}
