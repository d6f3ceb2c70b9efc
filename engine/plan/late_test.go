package plan_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// lateInput has one network, written at 12:01:30 and read 2 minutes later, at
// reads that may trail by 5 minutes.
func lateInput(t *testing.T, want resource.Map, trail plan.Trail) (plan.Input, ledger.Key) {
	t.Helper()
	a := parseLocal(t, "t.net/a")
	in := plan.Input{
		Env: "prod", Estate: estate, Kinds: kinds(), Ledger: &ledger.State{}, Live: map[ledger.Key]plan.Reading{},
		Desired: []resource.Desired{{Address: a, Fields: want, Where: map[string]resource.Position{"cidr": {Line: 1}}}},
	}
	applied := resource.Map{"cidr": resource.String("10.0"), "tags": resource.Map{"v": resource.String("new")}, "zone": resource.String("z1")}
	own(t, &in, "1", goldenEntry{Address: "t.net/a", Applied: applied}, nil)
	key := ledger.Key{Address: a, Token: "1"}
	trail.Wrote = time.Date(2026, 11, 24, 12, 1, 30, 0, time.UTC)
	trail.Until, trail.Seen = trail.Wrote.Add(5*time.Minute), trail.Wrote.Add(2*time.Minute)
	r := in.Live[key]
	r.Trail = &trail
	for _, f := range trail.Fields {
		r.Object.Fields[f] = resource.Unread{Why: "it may be older than our last write"}
	}
	if trail.Mark {
		r.Object.Mark = resource.Mark{}
	}
	in.Live[key] = r
	return in, key
}

func TestWhatMayTrailOurWriteIsTold(t *testing.T) {
	t.Parallel()
	fields := func(cidr, tag, zone string) resource.Map {
		m := resource.Map{"cidr": resource.String(cidr), "tags": resource.Map{"v": resource.String(tag)}}
		if zone != "" {
			m["zone"] = resource.String(zone)
		}
		return m
	}
	stale := plan.Trail{Fields: []string{"tags", "zone"}}
	wrote := time.Date(2026, 11, 24, 12, 1, 30, 0, time.UTC)
	late := func(mark bool, names ...string) []plan.Late {
		return []plan.Late{{Address: parseLocal(t, "t.net/a"), Fields: names, Mark: mark, Wrote: wrote, Until: wrote.Add(5 * time.Minute)}}
	}
	for name, c := range map[string]struct {
		want  resource.Map // nil: the spec has it no more
		trail plan.Trail
		late  []plan.Late
		kept  int
		steps string
		held  string
	}{
		"nothing trails":                        {want: fields("10.0", "new", "z1"), kept: 1},
		"fields that are as wanted":             {want: fields("10.0", "new", "z1"), trail: stale, late: late(false, "tags", "zone")},
		"the mark alone":                        {want: fields("10.0", "new", "z1"), trail: plan.Trail{Mark: true}, late: late(true)},
		"what is changed is held":               {want: fields("10.0", "newer", "z1"), trail: stale, held: "too soon: tags still reads as before: isobar wrote it 2 minutes ago, and reads may trail that until 12:07 UTC"},
		"another field is changed":              {want: fields("10.0", "new", "z2"), trail: plan.Trail{Fields: []string{"tags"}}, late: late(false, "tags"), steps: "update t.net/a"},
		"a replacement waits":                   {want: fields("10.9", "new", "z1"), trail: stale, held: "too soon: tags still reads as before: isobar wrote it 2 minutes ago, and reads may trail that until 12:07 UTC"},
		"a deletion waits":                      {trail: stale, held: "too soon: tags still reads as before: isobar wrote it 2 minutes ago, and reads may trail that until 12:07 UTC"},
		"a deletion waits for the mark to show": {trail: plan.Trail{Mark: true}, held: "too soon: its mark is not to be seen yet: isobar wrote it 2 minutes ago, and reads may trail that until 12:07 UTC"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, _ := lateInput(t, c.want, c.trail)
			if c.want == nil {
				in.Desired = nil
			}
			p := plan.Build(in)
			var steps, held []string
			for _, s := range p.Steps {
				steps = append(steps, s.ID)
			}
			for _, h := range p.Held {
				held = append(held, string(h.Why)+": "+h.Text)
				if !strings.Contains(h.Mend, "12:07 UTC") || h.Late == nil || !h.Late.Until.Equal(wrote.Add(5*time.Minute)) {
					t.Errorf("held %+v", h)
				}
			}
			if strings.Join(steps, "\n") != c.steps || strings.Join(held, "\n") != c.held || p.Kept != c.kept {
				t.Errorf("steps %q, held %q, kept %d", steps, held, p.Kept)
			}
			if len(p.Late)+len(c.late) > 0 && !reflect.DeepEqual(p.Late, c.late) {
				t.Errorf("late %+v, want %+v", p.Late, c.late)
			}
			if ripe := c.late != nil || c.held != ""; ripe != p.Ripe().Equal(wrote.Add(5*time.Minute)) {
				t.Errorf("ripe at %v", p.Ripe())
			}
		})
	}
}

func TestAnObjectThatIsNotToBeSeenYet(t *testing.T) {
	t.Parallel()
	in, key := lateInput(t, resource.Map{"cidr": resource.String("10.0")}, plan.Trail{})
	r := in.Live[key]
	in.Live[key] = plan.Reading{Seen: plan.Unread, Why: "it was written lately", Trail: r.Trail}
	for _, want := range [][]resource.Desired{in.Desired, nil} {
		in.Desired = want
		p := plan.Build(in)
		if len(p.Held) != 1 || p.Held[0].Why != plan.HeldLate || !strings.HasPrefix(p.Held[0].Text, "it is not to be seen yet: isobar wrote it 2 minutes ago") {
			t.Errorf("held %+v", p.Held)
		}
	}
}

// A name may be another object's by now: its mark is put back only for a person
// who names it.
func TestALostMarkOfANamedObjectIsOnlyTold(t *testing.T) {
	t.Parallel()
	in, key := lateInput(t, resource.Map{"cidr": resource.String("10.0"), "tags": resource.Map{"v": resource.String("new")}, "zone": resource.String("z1")}, plan.Trail{})
	r := in.Live[key]
	r.Trail, r.Object.Mark = nil, resource.Mark{}
	in.Live[key] = r
	k := in.Kinds["t.net"]
	k.Named = true
	in.Kinds["t.net"] = k

	p := plan.Build(in)
	if len(p.Steps) != 0 || len(p.Notes) != 1 || !p.Notes[0].Drift || p.Kept != 1 ||
		p.Notes[0].Text != "its mark was taken off outside: deleting it is refused until isobar import prod t.net/a net-1 puts it back" {
		t.Errorf("steps %+v, notes %+v, kept %d", p.Steps, p.Notes, p.Kept)
	}
	in.Ledger.Entries[key].Record.Bare = true // but of one whose create's mark was dropped
	if p = plan.Build(in); len(p.Steps) != 1 || p.Steps[0].Op != ledger.Adopt || len(p.Notes) != 0 || p.Changes[0].Drifted() {
		t.Errorf("of a dropped mark: steps %+v, notes %+v, changes %+v", p.Steps, p.Notes, p.Changes)
	}
	in.Ledger.Entries[key].Record.Bare = false
	blurred := r
	blurred.MarkUnread = true
	for _, named := range []bool{true, false} { // whether it is gone, nobody knows
		in.Live[key], k.Named = blurred, named
		in.Kinds["t.net"] = k
		if p = plan.Build(in); len(p.Steps)+len(p.Notes)+len(p.Held) != 0 || p.Kept != 1 {
			t.Errorf("of a mark that could not be read: steps %+v, notes %+v, held %+v", p.Steps, p.Notes, p.Held)
		}
	}
	in.Live[key], k.Named = r, true
	in.Kinds["t.net"] = k
	in.Imports = map[resource.Address]plan.Import{key.Address: {Named: "net-1", Reading: r}}
	p = plan.Build(in)
	if len(p.Steps) != 1 || p.Steps[0].Op != ledger.Adopt || p.Steps[0].Token != "1" || p.Steps[0].Live != "net-1" || len(p.Changes) != 1 {
		t.Errorf("an import's steps %+v, changes %+v", p.Steps, p.Changes)
	}
	in.Imports, in.Desired = nil, nil
	if p = plan.Build(in); len(p.Held) != 1 || p.Held[0].Why != plan.HeldUnowned || !strings.Contains(p.Held[0].Mend, "isobar import prod t.net/a net-1") {
		t.Errorf("held %+v", p.Held)
	}
}

func TestWhatDriftedIsCounted(t *testing.T) {
	t.Parallel()
	drift, spec := plan.Reason{Cause: plan.CauseDrift}, plan.Reason{Cause: plan.CauseSpec}
	for name, c := range map[string]struct {
		change        plan.Change
		drifted, only bool
	}{
		"the spec changed":        {plan.Change{Reasons: []plan.Reason{spec}}, false, false},
		"drift":                   {plan.Change{Reasons: []plan.Reason{drift}}, true, true},
		"both, in two fields":     {plan.Change{Reasons: []plan.Reason{spec, drift}}, true, false},
		"both, in the same field": {plan.Change{Reasons: []plan.Reason{spec}, Fields: []plan.FieldChange{{Cause: plan.CauseSpec, Conflict: true}}}, true, false},
		"no reason is given":      {plan.Change{}, false, false},
	} {
		if c.change.Drifted() != c.drifted || c.change.OnlyDrifted() != c.only {
			t.Errorf("%s: drifted %v, only drifted %v", name, c.change.Drifted(), c.change.OnlyDrifted())
		}
	}
}

// What refers to an object of which reads may not tell yet is not led back to what
// the ledger last knew of it: a store that was set back knows an older one.
func TestNothingFollowsWhatReadsMayNotTellYet(t *testing.T) {
	t.Parallel()
	a, z := parseLocal(t, "t.group/a"), parseLocal(t, "t.group/z")
	rules := func(peer resource.Value) resource.Map {
		return resource.Map{"name": resource.String("z"), "rules": resource.List{resource.Map{"port": resource.Int(80), "peer": peer}}}
	}
	for name, c := range map[string]struct {
		trail *plan.Trail
		held  bool
	}{
		"too soon":            {&plan.Trail{Wrote: time.Unix(0, 0), Until: time.Unix(300, 0), Seen: time.Unix(100, 0)}, true},
		"unread all the same": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := plan.Input{
				Env: "prod", Estate: estate, Kinds: kinds(), Ledger: &ledger.State{}, Live: map[ledger.Key]plan.Reading{},
				Desired: []resource.Desired{
					{Address: a, Fields: resource.Map{"name": resource.String("a")}},
					{Address: z, Fields: rules(resource.Ref{Address: a, Out: "id"})},
				},
			}
			own(t, &in, "1", goldenEntry{Address: "t.group/a", Applied: resource.Map{"name": resource.String("a")}}, nil)
			own(t, &in, "2", goldenEntry{Address: "t.group/z", Applied: rules(resource.String("group-1"))}, nil)
			in.Live[ledger.Key{Address: a, Token: "1"}] = plan.Reading{Seen: plan.Unread, Why: "it was written lately", Trail: c.trail}
			in.Live[ledger.Key{Address: z, Token: "2"}].Object.Fields["rules"] = rules(resource.String("group-9"))["rules"]
			p := plan.Build(in)
			held := slices.ContainsFunc(p.Held, func(h plan.Held) bool { return h.Address == z && h.Why == plan.HeldFollows })
			if held != c.held || len(p.Steps) == 0 != c.held {
				t.Errorf("steps %v, held %+v", p.Steps, p.Held)
			}
		})
	}
}
