package plan_test

import (
	"strings"
	"testing"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// TestMarksOfAGoneEnvironment plans for an object of the ledger that bears the mark
// of an environment which is gone: it is marked again where the spec wants it as it
// is, once nothing stands against that; never deleted while the mark is so.
func TestMarksOfAGoneEnvironment(t *testing.T) {
	t.Parallel()
	net := addr("net", "a")
	live := net
	live.Env = "live"
	free, first := map[string]plan.Gone{"2": {}}, map[string]plan.Gone{"2": {Mend: "do this first"}}
	for name, c := range map[string]struct {
		gone           map[string]plan.Gone
		estate, cidr   string // of the mark; that the spec wants, "" for nothing
		marked         bool
		note, why, how string
	}{
		"wanted":             {gone: free, estate: estate, cidr: "c", marked: true},
		"something first":    {gone: first, estate: estate, cidr: "c", note: "refused while that is so; do this first"},
		"it is there":        {estate: estate, cidr: "c", note: "it is not marked again"},
		"of another estate":  {gone: free, estate: "estate-2", cidr: "c", note: "it is not marked again"},
		"to go":              {gone: free, estate: estate, why: "and that environment is gone", how: "put it back into the spec and apply, which marks it again"},
		"to go, not yet":     {gone: first, estate: estate, why: "and that environment is gone", how: "put it back into the spec, and do this first"},
		"to be made anew":    {gone: free, estate: estate, cidr: "d", why: "and that environment is gone", how: "apply the spec as it was, which marks it again"},
		"to go, it is there": {estate: estate, why: "bears the mark of live/t.net/a", how: "one place manages an object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fields := resource.Map{"cidr": resource.String("c")}
			in := plan.Input{Env: "prod", Estate: estate, Ledger: &ledger.State{}, Kinds: kinds(), Gone: c.gone}
			if c.cidr != "" {
				in.Desired = []resource.Desired{{Address: net, Fields: resource.Map{"cidr": resource.String(c.cidr)}}}
			}
			rec := &ledger.Record{ID: "net-1", Schema: "1", Applied: fields, Outs: resource.Map{"id": resource.String("net-1")}}
			if err := in.Ledger.Apply(ledger.Event{Address: net, Token: "1", Type: ledger.Adopted, Record: rec}); err != nil {
				t.Fatal(err)
			}
			in.Live = map[ledger.Key]plan.Reading{{Address: net, Token: "1"}: {Seen: plan.Present, Object: resource.Object{
				Address: net, ID: "net-1", Fields: fields, Mark: resource.Mark{Estate: c.estate, Env: "live", Address: live, Token: "2"},
			}}}
			p := plan.Build(in)
			if c.marked != (len(p.Steps) == 1) || c.marked && (p.Steps[0].Op != ledger.Adopt || p.Steps[0].Token != "1" || p.Steps[0].Over != "2") {
				t.Errorf("the steps are %+v", p.Steps)
			}
			if c.note == "" != (len(p.Notes) == 0) || c.note != "" && !strings.Contains(p.Notes[0].Text, c.note) {
				t.Errorf("the notes are %+v", p.Notes)
			}
			if c.why == "" != (len(p.Held) == 0) || c.why != "" && (!strings.Contains(p.Held[0].Text, c.why) || !strings.Contains(p.Held[0].Mend, c.how)) {
				t.Errorf("held is %+v", p.Held)
			}
		})
	}
}
