package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// pullKey names a pull request.
type pullKey struct {
	repo   string
	number int
}

// PutPull implements Pulls.
func (m *Memory) PutPull(ctx context.Context, p Pull) error {
	if err := p.check(); err != nil {
		return err
	}
	return m.with(ctx, func(d *memory) error {
		d.pulls[pullKey{p.Repo, p.Number}] = p.normal()
		return nil
	})
}

// Pulls implements Pulls.
func (m *Memory) Pulls(ctx context.Context, repo string) (out []Pull, err error) {
	err = m.with(ctx, func(d *memory) error {
		for key, p := range d.pulls {
			if key.repo == repo {
				out = append(out, p.normal())
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Pull) int { return cmp.Compare(a.Number, b.Number) })
	return out, err
}

// Deliver implements Pulls.
func (m *Memory) Deliver(ctx context.Context, told Delivery) (added bool, err error) {
	told = told.normal()
	if err := told.check(); err != nil {
		return false, err
	}
	err = m.with(ctx, func(d *memory) error {
		if slices.ContainsFunc(d.deliveries, func(o Delivery) bool { return o.Repo == told.Repo && o.ID == told.ID }) {
			return nil
		}
		told.N = 1
		if n := len(d.deliveries); n > 0 {
			told.N = d.deliveries[n-1].N + 1
		}
		d.deliveries, added = append(d.deliveries, told), true
		return nil
	})
	return added, err
}

// Deliveries implements Pulls.
func (m *Memory) Deliveries(ctx context.Context, repo string, after int64, limit int) (out []Delivery, err error) {
	err = m.with(ctx, func(d *memory) error {
		for _, told := range d.deliveries {
			if told.Repo == repo && told.N > after && len(out) < limit {
				out = append(out, told)
			}
		}
		return nil
	})
	return out, err
}

func (d *memory) prunePulls(k Retention, limit int) int {
	var old []Pull
	for _, p := range d.pulls {
		if !p.Open && millis(p.Updated) < millis(k.Since) {
			old = append(old, p)
		}
	}
	slices.SortFunc(old, func(a, b Pull) int {
		return cmp.Or(a.Updated.Compare(b.Updated), strings.Compare(a.Repo, b.Repo), cmp.Compare(a.Number, b.Number))
	})
	old = old[:min(limit, len(old))]
	for _, p := range old {
		delete(d.pulls, pullKey{p.Repo, p.Number})
	}
	return len(old)
}

func (d *memory) pruneDeliveries(k Retention, limit int) int {
	gone, last := 0, len(d.deliveries)-1
	var stay []Delivery
	for i, told := range d.deliveries {
		if i < last && gone < limit && millis(told.At) < millis(k.Told) {
			gone++
			continue
		}
		stay = append(stay, told)
	}
	d.deliveries = stay
	return gone
}
