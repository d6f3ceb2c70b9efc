package web

import (
	"net/http/httptest"
	"strings"
	"testing"

	"isobar.dev/engine/provider"
)

// TestBudgetsAreMeasured asks for the metrics before and after a budget is used.
func TestBudgetsAreMeasured(t *testing.T) {
	t.Parallel()
	m := NewMetrics("dev", func() int { return 0 })
	var loads []provider.Load
	m.Budgets(func() []provider.Load { return loads })
	scrape := func() string {
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Body.String()
	}
	if got := scrape(); strings.Contains(got, "rate_budget") {
		t.Error("a budget is told that nobody has")
	}
	loads = []provider.Load{{Scope: "aws/1/eu-west-1", Service: "ec2", Rate: 2.5, Waiting: 3}}
	got := scrape()
	for _, want := range []string{
		`isobar_rate_budget_calls_per_second{scope="aws/1/eu-west-1",service="ec2"} 2.5`, `isobar_rate_budget_waiting{scope="aws/1/eu-west-1",service="ec2"} 3`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}
