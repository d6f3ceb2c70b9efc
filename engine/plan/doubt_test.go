package plan_test

import (
	"testing"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// What became of a create is looked for until reads can't trail it any more: a
// plan says until when, and why nobody could look.
func TestWhatKeepsADoubtIsTold(t *testing.T) {
	t.Parallel()
	until := time.Date(2026, 11, 24, 12, 6, 30, 0, time.UTC)
	unseen := &ledger.Fault{Class: resource.UnknownOutcome, Message: "nothing of it is to be seen yet"}
	for name, c := range map[string]struct {
		fault      *ledger.Fault
		doubt      plan.Doubt
		text, mend string
	}{
		"nobody asked": {text: "the outcome of an earlier update is not settled"},
		"it may show yet": {
			fault: unseen, doubt: plan.Doubt{Until: until},
			text: "the outcome of an earlier update is not settled: nothing of it is to be seen yet; it is looked for until 12:07 UTC",
			mend: "wait until 12:07 UTC, then apply again; isobar serve does so by itself",
		},
		"it could not be asked for": {
			fault: unseen, doubt: plan.Doubt{Why: "RequestExpired"},
			text: "the outcome of an earlier update is not settled, and could not be looked for: RequestExpired",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, key := lateInput(t, resource.Map{"cidr": resource.String("10.0")}, plan.Trail{})
			in.Ledger.Entries[key].Open = &ledger.Open{Intent: ledger.Intent{Op: ledger.Update}, Doubt: c.fault}
			in.Doubts = map[ledger.Key]plan.Doubt{key: c.doubt}
			p := plan.Build(in)
			if len(p.Held) != 1 || p.Held[0].Why != plan.HeldDoubt || p.Held[0].Text != c.text || p.Held[0].Mend != c.mend {
				t.Errorf("held %+v", p.Held)
			}
			if !p.Ripe().Equal(c.doubt.Until) {
				t.Errorf("ripe at %v", p.Ripe())
			}
		})
	}
}
