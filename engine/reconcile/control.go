package reconcile

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"isobar.dev/engine/cycle"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
)

// isFenced reports whether an error says that somebody else holds the lease.
func isFenced(err error) bool {
	return errors.Is(err, store.ErrFenced) || errors.Is(err, store.ErrHeld)
}

// ErrNoPlan says that no waiting plan has the digest that a person named.
var ErrNoPlan = errors.New("no plan waits under that name")

// Verdict records what a person says of the plan that waits in env, named by
// its digest or the beginning of it, as in "9c1e-44b0". It returns the
// environment's row. env may be "": then the digest must name just one.
func (d *Daemon) Verdict(ctx context.Context, env, digest, by string, v store.Verdict) (store.Environment, error) {
	d.ready()
	rows, err := d.Store.Environments(ctx)
	if err != nil {
		return store.Environment{}, err
	}
	if env != "" && !slices.ContainsFunc(rows, func(row store.Environment) bool { return row.Name == env }) {
		return store.Environment{}, fmt.Errorf("%w: there is no environment %q: isobar status lists them", ErrNoPlan, env)
	}
	prefix := digits(digest)
	var found []store.Environment
	var waiting []string
	for _, row := range rows {
		if row.PlanDigest == "" || env != "" && row.Name != env {
			continue
		}
		waiting = append(waiting, row.Name+" waits with plan "+view.PlanID(row.PlanDigest))
		if len(prefix) >= leastNamed && strings.HasPrefix(row.PlanDigest, prefix) {
			found = append(found, row)
		}
	}
	if len(found) != 1 {
		if len(waiting) == 0 {
			waiting = []string{"nothing waits"}
		}
		why, err := d.bygone(ctx, env, prefix)
		if err != nil {
			return store.Environment{}, err
		}
		return store.Environment{}, fmt.Errorf("%w: %s (%s)", ErrNoPlan, cmp.Or(why, strconv.Quote(digest)), strings.Join(waiting, "; "))
	}
	row := found[0]
	word := store.Approval{Env: row.Name, Digest: row.PlanDigest, By: by, At: d.Runner.Now(), Verdict: v, Asked: askedSince(&row)}
	if err := d.Store.PutApproval(ctx, word); err != nil {
		return row, d.tooLate(ctx, &row, err)
	}
	var said cycle.Event = cycle.Approved{Digest: row.PlanDigest, By: by}
	if v != store.Approve {
		said = cycle.Turned{Digest: row.PlanDigest, By: by}
	}
	return row, d.queue.add(ctx, row.Name, said)
}

// askedSince is since when people are asked about the plan that waits, or the
// zero time.
func askedSince(row *store.Environment) time.Time {
	var s cycle.State
	if json.Unmarshal(row.Cycle, &s) != nil || s.Digest != row.PlanDigest {
		return time.Time{}
	}
	return s.Asked
}

// tooLate says who turned a plan away before another person's word on it came.
func (d *Daemon) tooLate(ctx context.Context, row *store.Environment, err error) error {
	if !errors.Is(err, store.ErrRejected) {
		return err
	}
	was, aerr := d.Store.Approval(ctx, row.Name, row.PlanDigest)
	if aerr != nil {
		return errors.Join(err, aerr)
	}
	said := "rejected"
	if was.Verdict == store.Cancel {
		said = "cancelled"
	}
	return fmt.Errorf("%w: plan %s of %s was %s by %s at %s", ErrNoPlan, view.PlanID(row.PlanDigest), row.Name, said, was.By, was.At.Format(time.RFC3339))
}

// Look makes an environment be looked at now.
func (d *Daemon) Look(ctx context.Context, env string) error {
	d.ready()
	return d.queue.add(ctx, env, cycle.Ticked{Trigger: cycle.Manual})
}

// Queued counts the environments that wait for a worker.
func (d *Daemon) Queued() int {
	d.ready()
	return d.queue.length()
}
