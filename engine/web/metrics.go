package web

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"isobar.dev/engine/cycle"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/store"
)

// Metrics counts what the daemon does. Safe for concurrent use. It satisfies
// reconcile.Meter.
type Metrics struct {
	registry *prometheus.Registry
	runs     *prometheus.CounterVec
	took     *prometheus.HistogramVec
	calls    *prometheus.CounterVec
	callTook *prometheus.HistogramVec
	owned    *prometheus.GaugeVec
	drifted  *prometheus.GaugeVec
	unread   *prometheus.GaugeVec
	checked  *prometheus.GaugeVec
	fetches  *prometheus.CounterVec
	refused  *prometheus.GaugeVec
	messages *prometheus.CounterVec
	webhooks *prometheus.CounterVec
	budgets  *budgets
}

// NewMetrics gives empty metrics. queued tells how many environments wait for a
// worker.
func NewMetrics(version string, queued func() int) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"env"})
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		runs:     counter("isobar_runs_total", "Runs that ended, or wait for a person.", "env", "trigger", "state"),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "isobar_run_duration_seconds", Help: "From the start of a run to its end.", Buckets: prometheus.ExponentialBuckets(0.1, 2, 15),
		}, []string{"trigger"}),
		calls: counter("isobar_provider_calls_total", "Calls to providers by operation, kind and error class (ok for none).", "op", "kind", "class"),
		callTook: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "isobar_provider_call_duration_seconds", Help: "Duration of calls to providers.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 14),
		}, []string{"op"}),
		owned:   gauge("isobar_environment_resources", "Objects that the ledger holds."),
		drifted: gauge("isobar_environment_drifted", "Objects that drifted, as last seen."),
		unread:  gauge("isobar_environment_unread", "Objects that could not be read at the last look."),
		checked: gauge("isobar_environment_checked_timestamp_seconds", "When the environment was last looked at, Unix time."),
		fetches: counter("isobar_fetches_total", "Fetches of repositories by result.", "repo", "result"),
		refused: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "isobar_environments_refused", Help: "Environments that a repository has and may not have: another one has them, or the server's file says so.",
		}, []string{"repo"}),
		webhooks: counter("isobar_webhooks_total", "Deliveries of forges by result: kept, ignored (nothing to do), refused (its signature is wrong), invalid, large, busy, failed (could not be kept), unknown (no webhook is heard there; repo is empty).", "repo", "result"),
		messages: counter("isobar_messages_total", "Messages to chat by result.", "result"),
		budgets:  newBudgets(),
	}
	m.registry.MustRegister(m.runs, m.took, m.calls, m.callTook, m.owned, m.drifted, m.unread, m.checked, m.fetches, m.refused, m.messages, m.webhooks, m.budgets,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "isobar_queue_length", Help: "Environments that wait for a worker."}, func() float64 { return float64(queued()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "isobar_build_info", Help: "Always 1.", ConstLabels: prometheus.Labels{"version": version}}, func() float64 { return 1 }),
	)
	return m
}

// Run counts a run that ended or waits.
func (m *Metrics) Run(env string, trigger cycle.Trigger, state store.RunState, took time.Duration) {
	m.runs.WithLabelValues(env, string(trigger), string(state)).Inc()
	m.took.WithLabelValues(string(trigger)).Observe(took.Seconds())
}

// Looked notes what is known of an environment.
func (m *Metrics) Looked(row store.Environment) {
	m.owned.WithLabelValues(row.Name).Set(float64(row.Resources))
	m.drifted.WithLabelValues(row.Name).Set(float64(row.Drift))
	m.unread.WithLabelValues(row.Name).Set(float64(row.Unread))
	if !row.CheckedAt.IsZero() {
		m.checked.WithLabelValues(row.Name).Set(float64(row.CheckedAt.UnixMilli()) / 1000)
	}
}

// Fetched counts a fetch.
func (m *Metrics) Fetched(repo string, err error) { m.fetches.WithLabelValues(repo, result(err)).Inc() }

// Refused says how many of a repository's environments are refused now.
func (m *Metrics) Refused(repo string, envs int) {
	m.refused.WithLabelValues(repo).Set(float64(envs))
}

// Delivered counts a message.
func (m *Metrics) Delivered(err error) { m.messages.WithLabelValues(result(err)).Inc() }

// Hooked counts a delivery of a forge; repo is "" where no webhook is heard.
func (m *Metrics) Hooked(repo, result string) { m.webhooks.WithLabelValues(repo, result).Inc() }

func result(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}

// Call counts a provider's call; it is a trace callback of package provider.
func (m *Metrics) Call(_ context.Context, s provider.Span) {
	class := string(s.Class)
	if class == "" {
		class = "ok"
	}
	m.calls.WithLabelValues(string(s.Op), s.Kind, class).Inc()
	m.callTook.WithLabelValues(string(s.Op)).Observe(s.Took.Seconds())
}

// Handler serves the metrics in Prometheus's text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
