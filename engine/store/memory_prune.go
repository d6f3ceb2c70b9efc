package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// Prune implements Upkeep.
func (m *Memory) Prune(ctx context.Context, k Retention, limit int) (out Pruned, err error) {
	err = m.with(ctx, func(d *memory) error {
		limit = max(limit, 0)
		out = Pruned{
			d.pruneRuns(k, limit), d.pruneMessages(k, limit), d.pruneEvaluations(k, limit),
			d.prunePulls(k, limit), d.pruneDeliveries(k, limit),
		}
		return nil
	})
	return out, err
}

func (d *memory) pruneRuns(k Retention, limit int) int {
	by := map[string][]Run{}
	for _, r := range d.runs {
		by[r.Env] = append(by[r.Env], r)
	}
	var old []Run
	for env, runs := range by {
		old = append(old, k.oldest(runs, d.environments[env].PlanDigest)...)
	}
	slices.SortFunc(old, func(a, b Run) int { return newestFirst(b, a) })
	old = old[:min(limit, len(old))]
	for _, r := range old {
		delete(d.runs, r.ID)
	}
	return len(old)
}

func (d *memory) pruneMessages(k Retention, limit int) int {
	stay := needed{}
	for _, r := range d.runs {
		stay.run(&r)
	}
	var old []letter
	for _, l := range d.outbox {
		switch {
		case !l.sent:
			stay.unsent(&l.Message)
		case max(millis(l.at), 1) < millis(k.Since):
			old = append(old, l)
		}
	}
	slices.SortFunc(old, func(a, b letter) int { return cmp.Compare(a.n, b.n) })
	n := 0
	for _, l := range old {
		if n < limit && stay.drops(l.Key) {
			delete(d.outbox, l.Key)
			n++
		}
	}
	return n
}

func (d *memory) pruneEvaluations(k Retention, limit int) int {
	reads := map[string]bool{}
	for _, e := range d.environments {
		reads[e.Digest] = true
	}
	var old []string
	for digest, e := range d.evaluations {
		if millis(e.at) < millis(k.Since) && !reads[digest] {
			old = append(old, digest)
		}
	}
	slices.SortFunc(old, func(a, b string) int {
		return cmp.Or(cmp.Compare(millis(d.evaluations[a].at), millis(d.evaluations[b].at)), strings.Compare(a, b))
	})
	old = old[:min(limit, len(old))]
	for _, digest := range old {
		delete(d.evaluations, digest)
	}
	return len(old)
}
