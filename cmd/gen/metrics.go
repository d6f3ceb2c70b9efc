package main

import (
	"fmt"
	"strings"

	"isobar.dev/engine/web"
)

// metricsPage lists what /metrics serves.
func metricsPage(metrics []web.Metric) string {
	var b strings.Builder
	b.WriteString("# Metrics\n\n" + stamp + "\n`isobar serve` answers `/metrics` in Prometheus's text format on `--listen`. Beside its own it serves\nthe Go runtime's and the process's metrics, `go_*` and `process_*`. Labels carry names, never\nsecrets.\n\n")
	b.WriteString("| metric | type | labels | what |\n|---|---|---|---|\n")
	for _, m := range metrics {
		labels := make([]string, len(m.Labels))
		for i, l := range m.Labels {
			labels[i] = "`" + l + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, strings.Join(labels, " "), cell(m.Help))
	}
	return b.String()
}
