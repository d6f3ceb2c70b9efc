package web

import (
	"github.com/prometheus/client_golang/prometheus"

	"isobar.dev/engine/provider"
)

// budgets tells how the rate budgets stand, as they are when metrics are asked for.
type budgets struct {
	loads         func() []provider.Load
	rate, waiting *prometheus.Desc
}

func newBudgets() *budgets {
	labels := []string{"scope", "service"}
	return &budgets{
		loads:   func() []provider.Load { return nil },
		rate:    prometheus.NewDesc("isobar_rate_budget_calls_per_second", "Calls a second that a provider's rate budget allows now; service is empty for what has no service's budget of its own.", labels, nil),
		waiting: prometheus.NewDesc("isobar_rate_budget_waiting", "Calls that wait for their turn in a provider's rate budget.", labels, nil),
	}
}

// Budgets has the metrics tell how the rate budgets stand. Call it before the
// metrics are asked for.
func (m *Metrics) Budgets(loads func() []provider.Load) { m.budgets.loads = loads }

// Describe implements prometheus.Collector.
func (b *budgets) Describe(out chan<- *prometheus.Desc) {
	out <- b.rate
	out <- b.waiting
}

// Collect implements prometheus.Collector.
func (b *budgets) Collect(out chan<- prometheus.Metric) {
	for _, l := range b.loads() {
		out <- prometheus.MustNewConstMetric(b.rate, prometheus.GaugeValue, l.Rate, l.Scope, l.Service)
		out <- prometheus.MustNewConstMetric(b.waiting, prometheus.GaugeValue, float64(l.Waiting), l.Scope, l.Service)
	}
}
