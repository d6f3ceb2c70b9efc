package web

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/store"
)

// TestPlansThroughTheSocket: a plan that people were shown is had by its digest or the
// beginning of it, before any run and where nothing else is known of its environment;
// so is that of a run.
func TestPlansThroughTheSocket(t *testing.T) {
	t.Parallel()
	s := store.NewMemory()
	at := time.UnixMilli(1000)
	body := func(env string) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"environment": %q, "text": "vpc/main\n"}`, env))
	}
	for _, p := range []store.Plan{
		{Env: "new", Digest: "9c1e44b0aa", Shown: at, Body: body("new")},
		{Env: "prod", Digest: "77777777aa", Shown: at, Body: body("prod")},
		{Env: "test", Digest: "77777777bb", Shown: at, Body: body("test")},
	} {
		if err := s.PutPlan(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	for i, id := range []string{"r1", "r2"} {
		run := store.Run{ID: id, Env: "prod", Digest: "5555555500", State: store.Waiting, Started: at.Add(time.Duration(i) * time.Second), Plan: body("prod")}
		if err := s.PutRun(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	c, _ := served(t, s)
	for digest, env := range map[string]string{"9c1e-44b0": "new", "9C1E44B0AA": "new", "7777-7777-aa": "prod", "77777777bb": "test", "5555-5555": "prod"} {
		p, err := c.Plan(t.Context(), digest)
		if err != nil || p.Environment != env || p.Text != "vpc/main\n" {
			t.Errorf("%s is %+v, %v", digest, p, err)
		}
		if want := at.Add(time.Second); digest == "5555-5555" && !p.Shown.Equal(want) || digest != "5555-5555" && !p.Shown.Equal(at) {
			t.Errorf("%s was shown at %s", digest, p.Shown)
		}
	}
	for digest, want := range map[string]string{
		"7777-7777": "several plans begin like", "9c1e-44b": "fewer than 8 digits", "9c1e-44b1": "no plan is kept", "a/../b?c=%": "no plan is kept",
	} {
		if p, err := c.Plan(t.Context(), digest); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gave %+v, %v", digest, p, err)
		}
	}
}
