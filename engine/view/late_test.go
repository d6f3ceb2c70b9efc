package view

import (
	"testing"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
)

func TestLateText(t *testing.T) {
	t.Parallel()
	two := lately()
	field, fields, mark, marks := two[0], two[1], two[1], two[0]
	fields.Mark, mark.Fields, marks.Fields, marks.Mark = false, nil, nil, true
	whole := field
	whole.Fields = nil
	rome := time.FixedZone("CET", 3600)
	for _, c := range []struct {
		late []plan.Late
		zone *time.Location
		want string
	}{
		{nil, nil, ""},
		{[]plan.Late{field}, nil, "1 field of aws.subnet/a, written at 12:02 UTC, still reads as before: it cannot be trusted before 12:08 UTC"},
		{[]plan.Late{fields}, rome, "2 fields of aws.vpc/main, written at 13:01, still read as before: they cannot be trusted before 13:07"},
		{[]plan.Late{mark}, nil, "the mark of aws.vpc/main, written at 12:01 UTC, still reads as before: it cannot be trusted before 12:07 UTC"},
		{[]plan.Late{mark, marks}, nil, "the marks of 2 resources, written since 12:01 UTC, still read as before: they cannot be trusted before 12:08 UTC"},
		{[]plan.Late{whole}, nil, "aws.subnet/a, written at 12:02 UTC, still reads as before: it cannot be trusted before 12:08 UTC"},
		{[]plan.Late{whole, fields}, nil, "2 resources, written since 12:01 UTC, still read as before: they cannot be trusted before 12:08 UTC"},
		{two, nil, "3 fields and the mark of 2 resources, written since 12:01 UTC, still read as before: they cannot be trusted before 12:08 UTC"},
	} {
		if got := LateText(c.late, Page{Zone: c.zone}); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestAnOutcomeTellsDriftFromChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		run  Run
		want string
	}{
		"only the spec changed":                     {Run{Changes: 2}, "applied 2 changes in 1.0 s, nothing drifted"},
		"only drift":                                {Run{Changes: 2, Drifted: 2, Back: 2}, "put back 2 drifted resources in 1.0 s, nothing else drifted"},
		"both on one object":                        {Run{Changes: 1, Drifted: 1}, "applied 1 change, to a drifted resource in 1.0 s, nothing else drifted"},
		"both on each of several":                   {Run{Changes: 2, Drifted: 2, Back: 1}, "put back 1 drifted resource, applied 1 change, to a drifted resource in 1.0 s, nothing else drifted"},
		"both, on different objects":                {Run{Changes: 3, Drifted: 1, Back: 1}, "put back 1 drifted resource, applied 2 changes in 1.0 s, nothing else drifted"},
		"both, on several":                          {Run{Changes: 3, Drifted: 2, Back: 1}, "put back 1 drifted resource, applied 2 changes, 1 of them to a drifted resource in 1.0 s, nothing else drifted"},
		"drift that came back":                      {Run{Changes: 1, Drifted: 1, Back: 1, Drift: 1}, "put back 1 drifted resource in 1.0 s, 1 resource drifted since"},
		"what was put back does not show yet":       {Run{Changes: 1, Drifted: 1, Back: 1, Late: lately()}, "put back 1 drifted resource in 1.0 s, 2 resources not known yet"},
		"drift, and something that nobody could do": {Run{Changes: 1, Drifted: 1, Back: 1, Lost: locked().Plan.Held[:1]}, "put back 1 drifted resource in 1.0 s, 1 held"},
		"adopted without a call":                    {Run{Changes: 2, Known: 2}, "took 2 objects into the ledger in 1.0 s, nothing drifted"},
		"all was so already":                        {Run{Changes: 1, Steps: already("aws.vpc/main", "aws.vpc/main")}, "1 was so already in 1.0 s, nothing drifted"},
		"one of each": {
			Run{Changes: 4, Known: 1, Steps: append(already("aws.vpc/a", "aws.vpc/b", "aws.vpc/c"), Step{Address: addr("aws.vpc/c"), State: StepDone})},
			"applied 1 change, took 1 object into the ledger, 2 were so already in 1.0 s, nothing drifted",
		},
		"changes to what drifted, on several": {Run{Changes: 3, Drifted: 3}, "applied 3 changes, all to drifted resources in 1.0 s, nothing else drifted"},
		"drift, and a follower that was so already": {
			Run{Changes: 2, Drifted: 1, Back: 1, Steps: append(already("aws.vpc/a"), Step{Address: addr("aws.vpc/b"), State: StepDone})},
			"put back 1 drifted resource, 1 was so already in 1.0 s, nothing else drifted",
		},
		"half of an object was so already": {
			Run{Changes: 1, Drifted: 1, Back: 1, Steps: append(already("aws.vpc/a"), Step{Address: addr("aws.vpc/a"), State: StepDone})},
			"put back 1 drifted resource in 1.0 s, nothing else drifted",
		},
	} {
		c.run.State, c.run.Took = Applied, time.Second
		if got := c.run.Outcome(); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", name, got, c.want)
		}
	}
}

// already is a step an address that needed no call.
func already(addresses ...string) []Step {
	out := make([]Step, len(addresses))
	for i, a := range addresses {
		out[i] = Step{Address: addr(a), State: StepDone, Same: true}
	}
	return out
}

func TestAPartialRunCountsWhatItDid(t *testing.T) {
	t.Parallel()
	r := Run{State: Partial, Steps: append(already("aws.vpc/a", "aws.vpc/b"), Step{Address: addr("aws.vpc/c"), State: StepDone}, Step{Address: addr("aws.vpc/d"), State: StepFailed})}
	if got, want := r.Outcome(), "partial: 1 done, 1 failed, 2 so already"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if j := r.Report(); j.Done != 1 || j.Same != 2 || j.Failed != 1 {
		t.Errorf("%+v", j)
	}
	r.State, r.Steps = Failed, append(already("aws.vpc/a"), Step{Address: addr("aws.vpc/d"), State: StepFailed})
	if got, want := r.next(), "nothing was applied: mend the cause, then isobar apply "; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A step of several calls may have been heard in part, though it failed.
func TestWhatFailedMayHaveBegun(t *testing.T) {
	t.Parallel()
	for op, want := range map[ledger.Op]string{
		ledger.Create: "nothing was applied", ledger.Adopt: "nothing was applied", ledger.Update: "nothing was finished",
		ledger.Clear: "nothing was finished", ledger.Delete: "nothing was finished",
	} {
		r := Run{Env: "prod", State: Failed, Steps: []Step{{Address: addr("aws.vpc/a"), Op: op, State: StepFailed}, {Address: addr("aws.vpc/b"), Op: ledger.Update, State: StepWaiting}}}
		if got, want := r.next(), want+": mend the cause, then isobar apply prod"; got != want {
			t.Errorf("%s: got  %s\nwant %s", op, got, want)
		}
		r.Daemon = true
		if got, want := r.next(), want+": it is tried again by itself"; got != want {
			t.Errorf("%s: got  %s\nwant %s", op, got, want)
		}
	}
}

// What was refused before says itself what ends that: it is not tried again by itself.
func TestWhatWasRefusedBeforeIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	spurned, other := plan.Held{Address: addr("aws.instance/a"), Why: plan.HeldSpurned}, plan.Held{Address: addr("aws.vpc/a"), Why: plan.HeldUnread}
	for _, c := range []struct {
		state State
		lost  []plan.Held
		want  string
	}{
		{Planned, []plan.Held{spurned}, "nothing is done while this is so"},
		{Planned, []plan.Held{spurned, other}, "nothing is done while this is so; it is tried again by itself"},
		{Applied, []plan.Held{spurned}, ""},
		{Applied, []plan.Held{other}, "what is held is tried again by itself"},
	} {
		r := Run{Env: "prod", State: c.state, Lost: c.lost, Daemon: true}
		if got := r.next(); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", c.state, got, c.want)
		}
	}
}
