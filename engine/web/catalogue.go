package web

import (
	"context"
	"strings"
	"time"

	"isobar.dev/engine/cycle"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/store"
)

// Metric describes one of isobar's own metrics, for the reference.
type Metric struct {
	Name   string
	Type   string // counter, gauge or histogram
	Help   string
	Labels []string // sorted
}

// Catalogue lists isobar's own metrics, sorted by name: one of each is filled
// and gathered, as /metrics does it.
func Catalogue() ([]Metric, error) {
	m := NewMetrics("", func() int { return 0 })
	m.Run("env", cycle.Trigger("trigger"), store.RunState("state"), time.Second)
	m.Looked(store.Environment{Name: "env", CheckedAt: time.Unix(1, 0)})
	m.Fetched("repo", nil)
	m.Refused("repo", 0)
	m.Delivered(nil)
	m.Hooked("repo", "kept")
	m.Call(context.Background(), provider.Span{})
	m.Budgets(func() []provider.Load { return []provider.Load{{}} })
	families, err := m.registry.Gather()
	if err != nil {
		return nil, err
	}
	var out []Metric
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "isobar_") {
			continue // the Go runtime's and the process's
		}
		one := Metric{Name: f.GetName(), Type: strings.ToLower(f.GetType().String()), Help: f.GetHelp()}
		for _, l := range f.GetMetric()[0].GetLabel() {
			one.Labels = append(one.Labels, l.GetName())
		}
		out = append(out, one)
	}
	return out, nil
}
