package web

import (
	"regexp"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// described is how a registered metric prints: its name and variable labels.
var described = regexp.MustCompile(`fqName: "(isobar_[a-z_]+)"`)

func TestCatalogueMissesNoMetric(t *testing.T) {
	t.Parallel()
	listed, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	descs := make(chan *prometheus.Desc, 1000)
	NewMetrics("v", func() int { return 0 }).registry.Describe(descs)
	close(descs)
	own := 0
	for d := range descs {
		m := described.FindStringSubmatch(d.String())
		if m == nil {
			continue
		}
		own++
		if !slices.ContainsFunc(listed, func(l Metric) bool { return l.Name == m[1] }) {
			t.Errorf("%s is served but not in the catalogue: fill one in Catalogue", m[1])
		}
	}
	if own == 0 || own != len(listed) {
		t.Errorf("%d metrics are served, %d listed", own, len(listed))
	}
	for _, l := range listed {
		if l.Help == "" || l.Type == "" || (l.Name == "isobar_runs_total" && !slices.Equal(l.Labels, []string{"env", "state", "trigger"})) {
			t.Errorf("incomplete: %+v", l)
		}
	}
}
