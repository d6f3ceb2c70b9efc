package plan_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// TestFlapping plays somebody who changes a field at odd times against an isobar
// that looks, puts back and counts: no span holds more than the limit of put-backs
// unless a person resumed, a field below the limit is always put back, and a pause
// ends by itself only once the field was as wanted for the whole span.
func TestFlapping(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := plan.Flapping{Times: rapid.IntRange(0, 4).Draw(t, "times"), Within: time.Duration(rapid.IntRange(1, 60).Draw(t, "minutes")) * time.Minute}
		now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
		const name = "t.net/a.zone"
		var flaps plan.Flaps
		var backs []time.Time
		lastSeen := now // when the field was last found changed
		for range rapid.IntRange(1, 60).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "passed")) * time.Minute)
			if rapid.IntRange(0, 19).Draw(t, "resume") == 0 {
				delete(flaps, name)
				backs = nil
			}
			before := maps.Clone(flaps)
			_, paused := l.Paused(flaps, now)[name]
			recent := 0
			for _, b := range backs {
				if now.Sub(b) <= l.Within {
					recent++
				}
			}
			was := !flaps[name].Paused.IsZero()
			if paused && !was && (l.Times == 0 || recent < l.Times) {
				t.Fatalf("paused after %d of %d", recent, l.Times)
			}
			if !paused && l.Times > 0 && recent >= l.Times {
				t.Fatalf("put back after %d of %d", recent, l.Times)
			}
			var left []string
			changed := rapid.IntRange(0, 3).Draw(t, "changed") > 0
			if changed && paused {
				left = []string{name}
			}
			next := l.Look(flaps, left, now)
			if !maps.EqualFunc(flaps, before, func(a, b plan.Flap) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
				t.Fatal("Look wrote into what it was given")
			}
			if was && !changed && next[name].Paused.IsZero() != (now.Sub(lastSeen) > l.Within) {
				t.Fatalf("the pause ended %v, changed last %s ago within %s", next[name].Paused.IsZero(), now.Sub(lastSeen), l.Within)
			}
			flaps = next
			if changed {
				lastSeen = now
			}
			if changed && !paused {
				flaps = l.Back(flaps, map[string]string{name: "alice"}, now)
				backs = append(backs, now)
			}
		}
	})
}

// TestPausedFieldsAreLeft plans for an object of which two fields were changed
// outside, one of them too often: just that one is left and told.
func TestPausedFieldsAreLeft(t *testing.T) {
	t.Parallel()
	a := addr("net", "a")
	for name, c := range map[string]struct {
		paused map[string]string
		want   resource.Map
		fields []string
		held   []string
	}{
		"none":           {nil, nil, []string{"tags.owner", "zone"}, nil},
		"one":            {map[string]string{"t.net/a.zone": "put back 5 times"}, nil, []string{"tags.owner"}, []string{"zone flaps, put back 5 times"}},
		"a key of a map": {map[string]string{"t.net/a.tags.owner": "put back 5 times"}, nil, []string{"zone"}, []string{"tags.owner flaps, put back 5 times"}},
		"all":            {map[string]string{"t.net/a.zone": "x", "t.net/a.tags.owner": "x"}, nil, nil, []string{"tags.owner flaps, x", "zone flaps, x"}},
		"of another":     {map[string]string{"t.net/b.zone": "x"}, nil, []string{"tags.owner", "zone"}, nil},
		"the spec wins":  {map[string]string{"t.net/a.zone": "x"}, resource.Map{"zone": resource.String("z9"), "tags": resource.Map{"owner": resource.String("mei")}}, []string{"tags.owner", "zone"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			applied := resource.Map{"zone": resource.String("z1"), "tags": resource.Map{"owner": resource.String("mei")}}
			if c.want == nil {
				c.want = applied
			}
			in := plan.Input{
				Env: "prod", Estate: estate, Ledger: &ledger.State{}, Paused: c.paused,
				Desired: []resource.Desired{{Address: a, Fields: c.want, Where: map[string]resource.Position{"zone": {Line: 1}}}},
				Kinds: map[string]plan.Kind{"t.net": {Schema: "1", Marked: true, Descriptor: &resource.Descriptor{Kind: "t.net", Fields: []resource.Field{
					{Name: "tags", Type: "map", Aspect: "tags", Elem: &resource.Field{Type: "string"}}, {Name: "zone", Type: "string", Aspect: "zone"},
				}}}},
			}
			rec := &ledger.Record{ID: "net-1", Schema: "1", Applied: applied, Outs: resource.Map{}}
			if err := in.Ledger.Apply(ledger.Event{Address: a, Token: "1", Type: ledger.Adopted, Record: rec}); err != nil {
				t.Fatal(err)
			}
			in.Live = map[ledger.Key]plan.Reading{{Address: a, Token: "1"}: {Seen: plan.Present, Object: resource.Object{
				ID: "net-1", Mark: resource.Mark{Estate: estate, Env: "prod", Address: a, Token: "1"},
				Fields: resource.Map{"zone": resource.String("z2"), "tags": resource.Map{"owner": resource.String("eve")}},
			}}}
			p := plan.Build(in)
			var fields, held, steps []string
			for _, ch := range p.Changes {
				for _, f := range ch.Fields {
					fields = append(fields, f.Path.String())
				}
			}
			for _, h := range p.Held {
				held = append(held, h.Text)
				if h.Why != plan.HeldFlapping || h.Mend == "" || h.Field == "" {
					t.Errorf("held %+v", h)
				}
			}
			for _, s := range p.Steps {
				for _, ch := range s.Changes {
					steps = append(steps, ch.Path.String())
				}
			}
			slices.Sort(steps)
			if !slices.Equal(fields, c.fields) || !slices.Equal(held, c.held) || !slices.Equal(steps, c.fields) {
				t.Errorf("changes %v, steps %v, held %q", fields, steps, held)
			}
			if len(p.Ledger) > 0 {
				t.Errorf("what is left was taken for applied: %+v", p.Ledger)
			}
		})
	}
}

// TestRefusedValuesWait plans for an object of which the spec wants one value that
// was refused at the cost of an interruption: just that one waits, until the spec
// wants another or its time has come.
func TestRefusedValuesWait(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	a := addr("net", "a")
	refused := func(class resource.Class, want string) plan.Flaps {
		f := &resource.Failure{Class: class, Op: "t:Change", Message: "no " + want, Interrupted: "zone"}
		return plan.Flaps(nil).Refuse(map[string]plan.Refusal{"t.net/a.zone": plan.RefusalOf(f, resource.String(want), now)})
	}
	const text = `zone stays "z1": "z2" was refused at 2026-11-24 10:00 UTC once the object had been interrupted for it, and would interrupt it again (t:Change: no z2)`
	for name, c := range map[string]struct {
		flaps  plan.Flaps
		passed time.Duration
		held   string
		mend   string
	}{
		"nothing":                  {},
		"another value":            {flaps: refused(resource.Invalid, "z3")},
		"this one":                 {flaps: refused(resource.Invalid, "z2"), held: text, mend: "write another zone; or mend what was refused, then isobar resume prod t.net/a.zone"},
		"this one for ever":        {flaps: refused(resource.Invalid, "z2"), passed: 900 * time.Hour, held: text, mend: "write another zone; or mend what was refused, then isobar resume prod t.net/a.zone"},
		"what may pass":            {flaps: refused(resource.Conflict, "z2"), passed: 5 * time.Hour, held: text, mend: "wait until 2026-11-24 16:00 UTC, when it is tried again; or mend what was refused, then isobar resume prod t.net/a.zone"},
		"what may have passed":     {flaps: refused(resource.Conflict, "z2"), passed: 6 * time.Hour},
		"a quota that may be more": {flaps: refused(resource.Denied, "z2"), passed: 6 * time.Hour},
	} {
		in := plan.Input{
			Env: "prod", Estate: estate, Ledger: &ledger.State{}, Spurned: c.flaps.Spurned(now.Add(c.passed)),
			Desired: []resource.Desired{{Address: a, Fields: resource.Map{"zone": resource.String("z2"), "name": resource.String("n2")}}},
			Kinds: map[string]plan.Kind{"t.net": {Schema: "1", Marked: true, Descriptor: &resource.Descriptor{Kind: "t.net", Fields: []resource.Field{
				{Name: "name", Type: "string"}, {Name: "zone", Type: "string", Disruptive: true},
			}}}},
		}
		old := resource.Map{"zone": resource.String("z1"), "name": resource.String("n1")}
		if err := in.Ledger.Apply(ledger.Event{Address: a, Token: "1", Type: ledger.Adopted, Record: &ledger.Record{ID: "net-1", Schema: "1", Applied: old, Outs: resource.Map{}}}); err != nil {
			t.Fatal(err)
		}
		in.Live = map[ledger.Key]plan.Reading{{Address: a, Token: "1"}: {Seen: plan.Present, Object: resource.Object{
			ID: "net-1", Mark: resource.Mark{Estate: estate, Env: "prod", Address: a, Token: "1"}, Fields: old,
		}}}
		p := plan.Build(in)
		var steps, held, mends []string
		for _, s := range p.Steps {
			for _, ch := range s.Changes {
				steps = append(steps, ch.Path.String())
			}
		}
		for _, h := range p.Held {
			if held, mends = append(held, h.Text), append(mends, h.Mend); h.Why != plan.HeldSpurned || h.Field != "zone" {
				t.Errorf("%s: held %+v", name, h)
			}
		}
		want := []string{"name", "zone"}
		if c.held != "" {
			want = want[:1]
		}
		if slices.Sort(steps); !slices.Equal(steps, want) || strings.Join(held, "") != c.held || strings.Join(mends, "") != c.mend {
			t.Errorf("%s: steps %v, held %q, mend %q", name, steps, held, mends)
		}
	}
}
