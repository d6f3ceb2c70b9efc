package provider_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// TestWaitsAreTold has a budget of one call in two seconds, and three steps that
// want one: who waits is told, for which step and since when, until its turn came.
func TestWaitsAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := provider.NewBudgets(provider.Rate{Start: 0.5, Min: 0.5, Max: 0.5, Burst: 1}, provider.Clock{Now: time.Now})
		s := provider.Budget(quiet{}, b, func(string) string { return "ec2" })
		began := time.Now()
		for _, step := range []string{"a", "b", "c"} {
			ctx := provider.WithStep(provider.WithCaller(t.Context(), "prod"), step)
			go func() { s.Read(ctx, []resource.Want{{Kind: "vpc"}}) }()
			synctest.Wait()
		}
		for _, want := range [][]string{{"b", "c"}, {"c"}, {}} {
			got := b.Waits()
			if len(got) != len(want) {
				t.Fatalf("%+v wait, want %q", got, want)
			}
			for i, w := range got {
				if w != (provider.Wait{Caller: "prod", Step: want[i], Scope: "quiet", Service: "ec2", Since: began}) {
					t.Errorf("%+v, want %s", w, want[i])
				}
			}
			if l := b.Loads(); len(l) != 1 || l[0].Waiting != len(want) || l[0].Scope != "quiet" || l[0].Service != "ec2" || l[0].Rate != 0.5 {
				t.Errorf("%+v", l)
			}
			time.Sleep(2100 * time.Millisecond)
			synctest.Wait()
		}
	})
}

// quiet is a session that reads nothing.
type quiet struct{ provider.Session }

func (quiet) Scope() string { return "quiet" }

func (quiet) Read(context.Context, []resource.Want) []resource.Answer {
	return make([]resource.Answer, 1)
}
