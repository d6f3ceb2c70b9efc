package reconcile_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store/storetest"
	"isobar.dev/providers/fake"
)

func TestLife(t *testing.T) {
	t.Parallel()
	for _, width := range []int{1, 8} {
		s := newSim(options{lag: 30 * time.Second, width: width})
		for _, want := range phases() {
			s.want(want...)
			s.mustRun(t)
			s.settled(t, want...)
		}
		d, err := s.Draft(t.Context(), reconcile.Job{Tree: tree("c"), Env: "prod", Run: "end", Destroy: true})
		if err != nil {
			t.Fatal(err)
		}
		if out := s.Apply(t.Context(), d, nil); !out.OK() {
			t.Fatalf("destroy: %s%s", results(out), brief(out.After))
		}
		if n := len(s.world.Objects()); n != 0 {
			t.Fatalf("%d objects outlive the destruction", n)
		}
		s.want()
		if d := s.mustDraft(t); !d.Plan.Empty() || d.Owned != 0 {
			t.Fatalf("after destroy: %s", brief(d.Plan))
		}
	}
}

// built gives a world in which the first phase stands.
func built(t *testing.T, lag time.Duration) (*sim, []resource.Desired) {
	t.Helper()
	s := newSim(options{lag: lag})
	want := phases()[0]
	s.want(want...)
	s.mustRun(t)
	s.settled(t, want...)
	return s, want
}

func (s *sim) id(kind, name string) resource.ID {
	if e := s.state().Current(at(kind, name)); e != nil {
		return e.Record.ID
	}
	return ""
}

func mutating(calls []fake.Call) (out []fake.Call) {
	for _, c := range calls {
		if c.Op.Mutates() && c.Op != "find" {
			out = append(out, c)
		}
	}
	return out
}

func TestDriftIsPutBack(t *testing.T) {
	t.Parallel()
	s, want := built(t, 0)
	must(t, s.world.Mutate("network", s.id("network", "main"), func(f resource.Map) { f["label"] = text("hacked") }))
	must(t, s.world.Mutate("group", s.id("group", "x"), func(f resource.Map) {
		f["rules"] = append(slices.Clone(f["rules"].(resource.List)), resource.Map{"port": resource.Int(22)})
	}))
	before := len(s.world.Calls())
	p := s.mustRun(t)
	if got := brief(p); got != "update fake.group/x, update fake.network/main, update fake.record/www" {
		t.Fatalf("the plan is %s", got)
	}
	if got := mutating(s.world.Calls()[before:]); len(got) != 3 {
		t.Fatalf("calls %+v", got)
	}
	s.settled(t, want...)
}

// A mark that somebody took off is put back, with what else drifted, on what the
// ledger owns by its id.
func TestALostMarkIsPutBack(t *testing.T) {
	t.Parallel()
	s, want := built(t, 0)
	must(t, s.world.Unmark("network", s.id("network", "main")))
	must(t, s.world.Mutate("network", s.id("network", "main"), func(f resource.Map) { f["label"] = text("hacked") }))
	must(t, s.world.Unmark("disk", s.id("disk", "a")))
	d := s.mustDraft(t)
	if drifted, only := d.Drift(); drifted != 2 || only != 2 || brief(d.Plan) != "adopt fake.disk/a, update fake.network/main, update fake.record/www" {
		t.Fatalf("%d drifted, %d of them only that: %s", drifted, only, brief(d.Plan))
	}
	s.mustRun(t)
	s.settled(t, want...)
}

// Whoever marks an object between plan and apply keeps it.
func TestAMarkOfAnotherIsNotWrittenOver(t *testing.T) {
	t.Parallel()
	s, _ := built(t, 0)
	a, b := s.id("disk", "a"), s.id("disk", "b")
	must(t, s.world.Unmark("disk", a))
	d := s.mustDraft(t)
	for _, o := range s.world.Objects() {
		if o.ID == b {
			must(t, s.world.Remark("disk", a, o.Mark))
		}
	}
	out := s.Apply(t.Context(), d, nil)
	if len(out.Results) != 1 || out.Results[0].Outcome != apply.Moved {
		t.Fatalf("%s", results(out))
	}
}

func TestDeletedOutsideIsMadeAgain(t *testing.T) {
	t.Parallel()
	s, want := built(t, 0)
	must(t, s.world.Remove("machine", s.id("machine", "web")))
	must(t, s.world.Remove("group", s.id("group", "y")))
	s.mustRun(t)
	s.settled(t, want...)
}

func TestLostStoreAdopts(t *testing.T) {
	t.Parallel()
	s, all := built(t, 0)
	// Records carry no mark: whoever loses their ledger cannot prove them his.
	want := slices.DeleteFunc(slices.Clone(all), func(d resource.Desired) bool { return d.Address.Kind == "record" })
	s.want(want...)
	s.mustRun(t)
	s.reopen = memory()
	s.restart(storetest.Fault{})
	before := len(s.world.Calls())
	d, out, err := s.run(t.Context())
	must(t, err)
	if !out.OK() {
		t.Fatalf("%s\n%s", results(out), brief(d.Plan))
	}
	for _, c := range mutating(s.world.Calls()[before:]) {
		// A password is never read: it is sent once more.
		if c.Op != "update" || c.Kind != "machine" {
			t.Fatalf("a call was made: %+v", c)
		}
	}
	s.settled(t, want...)
}

func TestPartialFailureKeepsWhatWasDone(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	want := phases()[0]
	s.want(want...)
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op == "create" && c.Kind == "machine" {
			return fake.Decision{Before: &resource.Failure{Class: resource.Invalid, Op: "fake:create", Message: "quota"}}
		}
		return fake.Decision{}
	})
	_, out, err := s.run(t.Context())
	must(t, err)
	if out.OK() || out.Count(apply.Failed) != 2 || out.Count(apply.NotStarted) != 1 {
		t.Fatalf("%s", results(out))
	}
	if d := len(s.world.Objects()); d != len(want)-3 { // a lookup is no object
		t.Fatalf("%d objects live", d)
	}
	s.world.OnCall(nil)
	if p := s.mustRun(t); brief(p) != "create fake.machine/db, create fake.machine/web" {
		t.Fatalf("the second plan is %s", brief(p))
	}
	s.settled(t, want...)
}

func TestBrokenCreateIsReplaced(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	want := []resource.Desired{obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16")})}
	s.want(want...)
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op == "create" {
			return fake.Decision{Broken: "half made"}
		}
		return fake.Decision{}
	})
	_, out, err := s.run(t.Context())
	must(t, err)
	if out.Count(apply.Failed) != 1 {
		t.Fatalf("%s", results(out))
	}
	s.world.OnCall(nil)
	if p := s.mustRun(t); !strings.HasPrefix(brief(p), "replace fake.network/main, ledger settled") {
		t.Fatalf("the second plan is %s", brief(p))
	}
	s.settled(t, want...)
}

func TestConflictsWait(t *testing.T) {
	t.Parallel()
	s, want := built(t, 0)
	refusals := 0
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op == "delete" && c.Kind == "disk" && refusals < 3 {
			refusals++
			return fake.Decision{Before: &resource.Failure{Class: resource.Conflict, Op: "fake:delete", Message: "in use"}}
		}
		return fake.Decision{}
	})
	want = slices.DeleteFunc(want, func(d resource.Desired) bool { return d.Address == at("disk", "b") })
	for i := range want {
		if want[i].Address == at("machine", "web") {
			want[i].Fields["diskIds"] = resource.List{ref("disk", "a", "id")}
		}
	}
	s.want(want...)
	before := s.clock.now()
	s.mustRun(t)
	if refusals != 3 || s.clock.now().Sub(before) < 3*time.Second {
		t.Fatalf("%d refusals in %s", refusals, s.clock.now().Sub(before))
	}
	s.settled(t, want...)
}

// An update of several calls, of which the first was done and the second refused,
// finds its own half when it tries again.
func TestHalfAnUpdateIsOurs(t *testing.T) {
	t.Parallel()
	for name, refusals := range map[string]int{"passes": 1, "stays": 100} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, want := built(t, 0)
			id, tries := s.id("group", "x"), 0
			s.world.OnCall(func(c fake.Call) fake.Decision {
				if c.Op != "update" || c.ID != id || tries >= refusals {
					return fake.Decision{}
				}
				if tries++; tries == 1 {
					must(t, s.world.Mutate("group", id, func(f resource.Map) { f["rules"] = resource.List{} }))
				}
				return fake.Decision{Before: &resource.Failure{Class: resource.Conflict, Op: "fake:authorize", Message: "busy", RequestID: "req-7"}}
			})
			for i := range want {
				if want[i].Address == at("group", "x") {
					want[i].Fields["rules"] = resource.List{resource.Map{"port": resource.Int(8443)}}
				}
			}
			s.want(want...)
			_, out, err := s.run(t.Context())
			must(t, err)
			if name == "stays" {
				if out.Count(apply.Failed) != 1 || !strings.Contains(results(out), "busy") {
					t.Fatalf("%s", results(out))
				}
				s.world.OnCall(nil)
				s.mustRun(t)
			} else if !out.OK() {
				t.Fatalf("%s", results(out))
			}
			s.settled(t, want...)
		})
	}
}

func TestConflictThatStaysEnds(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.want(obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16")}))
	tries := 0
	s.world.OnCall(func(c fake.Call) fake.Decision {
		if c.Op == "create" {
			tries++
			return fake.Decision{Before: &resource.Failure{Class: resource.Conflict, Message: "taken"}}
		}
		return fake.Decision{}
	})
	_, out, err := s.run(t.Context())
	must(t, err)
	if out.Count(apply.Failed) != 1 || out.Results[0].Err == nil || tries < 3 || tries > 10 {
		t.Fatalf("%d tries: %s", tries, results(out))
	}
}

func TestStopAtACallBoundary(t *testing.T) {
	t.Parallel()
	want := phases()[0]
	for _, kind := range []string{"network", "machine", "group", "record"} {
		s := newSim(options{lag: 10 * time.Second})
		s.want(want...)
		ctx, cancel := context.WithCancel(t.Context())
		started := 0
		s.world.OnCall(func(c fake.Call) fake.Decision {
			if c.Op == "create" && c.Kind == kind {
				cancel()
			}
			if ctx.Err() != nil && c.Op == "create" {
				started++
			}
			return fake.Decision{}
		})
		_, out, err := s.run(ctx)
		must(t, err)
		if !out.Stopped || out.OK() || out.Count(apply.Done) == 0 || out.Count(apply.InDoubt)+out.Count(apply.Failed) > 0 {
			t.Fatalf("%s", results(out))
		}
		if started > 8 {
			t.Fatalf("%d calls began after the stop", started)
		}
		for _, e := range s.state().Entries {
			if e.Open != nil {
				t.Fatalf("%s was left open", e.Address)
			}
		}
		s.world.OnCall(nil)
		s.clock.pass(10 * time.Second)
		s.mustRun(t)
		s.settled(t, want...)
	}
}

func TestMovedGroundStopsOnlyItsSubtree(t *testing.T) {
	t.Parallel()
	s, _ := built(t, 0)
	want := phases()[1]
	s.want(want...)
	d := s.mustDraft(t)
	must(t, s.world.Mutate("network", s.id("network", "main"), func(f resource.Map) { f["label"] = text("meanwhile") }))
	out := s.Apply(t.Context(), d, nil)
	for _, r := range out.Results {
		if moved := r.Step.Address == at("network", "main"); moved != (r.Outcome == apply.Moved) {
			t.Fatalf("%s", results(out))
		}
	}
	s.mustRun(t)
	s.settled(t, want...)
}

func TestForeignMarkIsNotDeleted(t *testing.T) {
	t.Parallel()
	s, want := built(t, 0)
	id := s.id("record", "api")
	disk := s.id("disk", "b")
	for i := range want {
		if want[i].Address == at("machine", "web") {
			want[i].Fields["diskIds"] = resource.List{ref("disk", "a", "id")}
		}
	}
	want = slices.DeleteFunc(want, func(d resource.Desired) bool {
		return d.Address == at("disk", "b") || d.Address == at("record", "api")
	})
	s.want(want...)
	d := s.mustDraft(t)
	must(t, s.world.Unmark("disk", disk))
	out := s.Apply(t.Context(), d, nil)
	for _, r := range out.Results {
		if r.Step.Address == at("disk", "b") && r.Outcome != apply.Moved {
			t.Fatalf("%s", results(out))
		}
	}
	left := map[resource.ID]bool{}
	for _, o := range s.world.Objects() {
		left[o.ID] = true
	}
	if !left[disk] || left[id] {
		t.Fatalf("what is left: %v", left)
	}
	if d := s.mustDraft(t); len(d.Plan.Held) != 1 || d.Plan.Held[0].Why != plan.HeldUnowned {
		t.Fatalf("the next plan is %s", brief(d.Plan))
	}
}

func TestProtectionAndBudget(t *testing.T) {
	t.Parallel()
	s, want := built(t, 0)
	for i := range want {
		want[i].Meta.PreventDestroy = want[i].Address == at("record", "api")
	}
	s.want(want...)
	s.mustRun(t)
	rest := slices.DeleteFunc(slices.Clone(want), func(d resource.Desired) bool { return d.Address.Kind == "record" || d.Address.Kind == "group" })
	env := environment{Environment: spec.Environment{Desired: rest, Deletes: spec.Deletes{Max: 1, MaxShare: 1}}}
	s.bounded = true
	s.specs.put("c", commit{envs: map[string]environment{"prod": env}})
	d := s.mustDraft(t)
	why := map[resource.Address]plan.HeldWhy{}
	for _, h := range d.Plan.Held {
		why[h.Address] = h.Why
	}
	if len(d.Plan.Steps) != 0 || why[at("record", "api")] != plan.HeldProtect || why[at("record", "www")] != plan.HeldBudget || why[at("group", "x")] != plan.HeldBudget {
		t.Fatalf("the plan is %s", brief(d.Plan))
	}
	s.bounded = false // a person is asked
	s.specs.put("c", commit{envs: map[string]environment{"prod": env}})
	d, out, err := s.run(t.Context())
	must(t, err)
	if !out.Report.OK() || len(d.Plan.Held) != 1 {
		t.Fatalf("%s\n%s", results(out), brief(d.Plan))
	}
	s.want(append(rest, want[len(want)-1])...)
	s.settled(t, append(rest, want[len(want)-1])...)
}

func TestLostSpecDeletesNothing(t *testing.T) {
	t.Parallel()
	s, _ := built(t, 0)
	for name, c := range map[string]commit{
		"empty":    {envs: map[string]environment{"prod": {}}},
		"vanished": {envs: map[string]environment{"other": {}}},
	} {
		s.specs.put("c", c)
		before := len(mutating(s.world.Calls()))
		d, out, err := s.run(t.Context())
		must(t, err)
		if len(d.Plan.Steps) != 0 || len(d.Plan.Held) != 11 || d.Plan.Held[0].Why != plan.HeldOrphan {
			t.Fatalf("%s: %s", name, brief(d.Plan))
		}
		if n := len(mutating(s.world.Calls())); n != before || !out.Report.OK() || len(out.After.Steps) != 0 {
			t.Fatalf("%s: %d calls, %s", name, n-before, results(out))
		}
	}
}

// TestDestroyNeedsNoSpec deletes by what the ledger holds.
func TestDestroyNeedsNoSpec(t *testing.T) {
	t.Parallel()
	s, _ := built(t, 0)
	s.specs.put("c", commit{envs: map[string]environment{"prod": {}}})
	d, err := s.Draft(t.Context(), reconcile.Job{Tree: tree("c"), Env: "prod", Run: "end", Destroy: true})
	must(t, err)
	if out := s.Apply(t.Context(), d, nil); !out.OK() || len(s.world.Objects()) > 0 {
		t.Fatalf("%s", results(out))
	}
}

// TestDestroyKeepsWhatTheSpecProtects has a spec that protects an object since
// the last apply, also under a new name: destroy leaves it, though the ledger
// does not know of it.
func TestDestroyKeepsWhatTheSpecProtects(t *testing.T) {
	t.Parallel()
	for _, renamed := range []bool{false, true} {
		s, want := built(t, 0)
		kept, api := s.id("record", "api"), at("record", "api")
		want = slices.Clone(want)
		for i := range want {
			if want[i].Address != api {
				continue
			}
			want[i].Meta.PreventDestroy = true
			if renamed {
				want[i].Address, want[i].Meta.MovedFrom = at("record", "door"), &api
			}
		}
		s.want(want...)
		d, err := s.Draft(t.Context(), reconcile.Job{Tree: tree("c"), Env: "prod", Run: "end", Destroy: true})
		must(t, err)
		out := s.Apply(t.Context(), d, nil)
		if kept == "" || s.id("record", "api") != kept || !slices.ContainsFunc(d.Plan.Held, func(h plan.Held) bool { return h.Address == api && h.Why == plan.HeldProtect }) {
			t.Fatalf("renamed %v: %s%s", renamed, results(out), brief(d.Plan))
		}
	}
}

func TestBrokenSpecComesBackAsFindings(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	list := diag.List{{Severity: diag.Error, Code: "SPEC-1", Message: "no"}}
	s.specs.put("c", commit{envs: map[string]environment{"prod": {broken: list}}})
	if _, err := s.draft(t.Context()); err == nil || !strings.Contains(err.Error(), "no") {
		t.Fatalf("got %v", err)
	}
}

// TestAnotherEnvironmentsOutputs resolves a reference across environments from
// that environment's ledger, and waits for it where it is not there yet.
func TestAnotherEnvironmentsOutputs(t *testing.T) {
	t.Parallel()
	s, _ := built(t, 0)
	disk := resource.Desired{
		Address: resource.Address{Env: "test", Provider: "fake", Kind: "disk", Name: "d"},
		Fields:  resource.Map{"size": resource.Int(1), "networkId": ref("network", "main", "id")},
	}
	ghost := disk
	ghost.Address.Name = "ghost"
	ghost.Fields = resource.Map{"size": resource.Int(1), "networkId": ref("network", "nowhere", "id")}
	s.specs.put("t", commit{envs: map[string]environment{"test": {Environment: spec.Environment{Desired: []resource.Desired{disk, ghost}}}}})
	d, err := s.Draft(t.Context(), reconcile.Job{Tree: tree("t"), Env: "test", Run: "t"})
	must(t, err)
	if len(d.Plan.Held) != 1 || d.Plan.Held[0].Address != ghost.Address {
		t.Fatalf("the plan is %s", brief(d.Plan))
	}
	out := s.Apply(t.Context(), d, nil)
	if !out.Report.OK() || out.Count(apply.Done) != 1 {
		t.Fatalf("%s", results(out))
	}
	objects := s.world.Objects()
	last := objects[len(objects)-1]
	if last.Fields.Text("networkId") != string(s.id("network", "main")) || last.Mark.Env != "test" {
		t.Fatalf("made %+v", last)
	}
}

// TestChangedSettings keeps what was made under other provider settings in
// sight, and deletes it there.
func TestChangedSettings(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	net := obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16")})
	env := environment{Environment: spec.Environment{Desired: []resource.Desired{net}, Providers: map[string]spec.Provider{
		"fake": {Type: "fake", Settings: resource.Map{"region": resource.String("north")}},
	}}}
	s.specs.put("c", commit{envs: map[string]environment{"prod": env}})
	s.mustRun(t)
	env.Providers = map[string]spec.Provider{"fake": {Type: "fake", Settings: resource.Map{"region": resource.String("south")}}}
	env.Desired = []resource.Desired{obj("network", "two", resource.Map{"cidr": text("10.0.0.0/16")})}
	s.specs.put("c", commit{envs: map[string]environment{"prod": env}})
	s.mustRun(t)
	if e := s.state().Current(at("network", "two")); e == nil || e.Record.Scope != "fake/south" {
		t.Fatalf("the ledger holds %+v", s.state().Entries)
	}
	if n := len(s.world.Objects()); n != 1 {
		t.Fatalf("%d objects live", n)
	}
}

// TestProgress tells each step's start and end, one at a time.
func TestProgress(t *testing.T) {
	t.Parallel()
	s := newSim(options{})
	s.want(phases()[0]...)
	d := s.mustDraft(t)
	open := map[string]bool{}
	ended := 0
	out := s.Apply(t.Context(), d, func(r apply.Result) {
		if r.Outcome == "" {
			open[r.Step.ID] = true
			return
		}
		if !open[r.Step.ID] || r.Ended.Before(r.Started) || r.Started.IsZero() {
			t.Errorf("%s ended without a start: %+v", r.Step.ID, r)
		}
		ended++
	})
	if !out.OK() || ended != len(d.Plan.Steps) || ended != len(out.Results) {
		t.Fatalf("%d ended: %s", ended, results(out))
	}
	for _, r := range out.Results {
		if r.Step.Op == ledger.Create && r.ID == "" {
			t.Errorf("%s has no id", r.Step.ID)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
