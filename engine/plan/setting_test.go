package plan_test

import (
	"testing"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// A setting of isobar's own is compared with what was applied: what is live
// does not count, and one that was never applied is at its default.
func TestSettingsAreComparedWithWhatWasApplied(t *testing.T) {
	t.Parallel()
	on, off := resource.Bool(true), resource.Bool(false)
	for name, c := range map[string]struct {
		applied, want resource.Value
		changed       bool
		cause         plan.Cause
	}{
		"as applied":                     {applied: on, want: on},
		"turned on":                      {applied: off, want: on, changed: true, cause: plan.CauseSpec},
		"turned off":                     {applied: on, want: off, changed: true, cause: plan.CauseDefault},
		"never applied, and the default": {want: off},
		"never applied, and turned on":   {want: on, changed: true, cause: plan.CauseSpec},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := resource.Address{Env: "prod", Provider: "t", Kind: "store", Name: "a"}
			want := resource.Desired{Address: a, Fields: resource.Map{"force": c.want}}
			if c.want == on {
				want.Where = map[string]resource.Position{"force": {Line: 1}}
			}
			rec := &ledger.Record{ID: "s-1", Schema: "1", Applied: resource.Map{}}
			if c.applied != nil {
				rec.Applied["force"] = c.applied
			}
			in := plan.Input{Env: "prod", Estate: estate, Ledger: &ledger.State{}, Desired: []resource.Desired{want}, Kinds: map[string]plan.Kind{
				"t.store": {Schema: "1", Marked: true, Descriptor: &resource.Descriptor{Kind: "t.store", Fields: []resource.Field{
					{Name: "force", Type: "bool", Setting: true, DefaultsTo: &resource.Constant{Value: off}},
				}}},
			}}
			if err := in.Ledger.Apply(ledger.Event{Address: a, Token: "1", Type: ledger.Adopted, Record: rec}); err != nil {
				t.Fatal(err)
			}
			in.Live = map[ledger.Key]plan.Reading{{Address: a, Token: "1"}: {Seen: plan.Present, Object: resource.Object{
				ID: "s-1", Fields: resource.Map{}, Mark: resource.Mark{Estate: estate, Env: "prod", Address: a, Token: "1"},
			}}}
			p := plan.Build(in)
			if !c.changed {
				if len(p.Steps) != 0 {
					t.Fatalf("%d steps: %+v", len(p.Steps), p.Changes)
				}
				return
			}
			if len(p.Changes) != 1 || len(p.Changes[0].Fields) != 1 {
				t.Fatalf("changes %+v", p.Changes)
			}
			f := p.Changes[0].Fields[0]
			if f.Cause != c.cause || f.Sensitive || f.Conflict || !resource.Equal(f.Before, c.applied) || !resource.Equal(f.After, c.want) {
				t.Errorf("got %+v", f)
			}
		})
	}
}
