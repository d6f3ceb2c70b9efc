package reconcile_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/observe"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
	"isobar.dev/providers/fake"
)

const estate = "estate-1"

// clock is a time that passes only when somebody sleeps.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.pass(d)
	return nil
}

// specs is a repository's evaluation, told in Go. The commit is the content of
// the tree's file "commit".
type specs struct {
	mu      sync.Mutex
	commits map[string]commit
	asked   map[string]int // evaluations by environment
	hashing func()         // called once, by the next Digest
}

type commit struct {
	broken  error // the estate's
	channel string
	estate  string // "" is the usual one
	envs    map[string]environment

	flapping spec.Flapping
}

type environment struct {
	spec.Environment
	broken error
}

func tree(name string) fs.FS { return fstest.MapFS{"commit": {Data: []byte(name)}} }

func (s *specs) at(tree fs.FS) (commit, error) {
	b, err := fs.ReadFile(tree, "commit")
	if err != nil {
		return commit{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commits[string(b)], nil
}

func (s *specs) Estate(_ context.Context, tree fs.FS) (spec.Estate, error) {
	c, err := s.at(tree)
	out := spec.Estate{ID: cmp.Or(c.estate, estate), Mode: "auto", Flapping: c.flapping, Notify: spec.Notify{SlackChannel: c.channel}}
	for name := range c.envs {
		out.Environments = append(out.Environments, name)
	}
	slices.Sort(out.Environments)
	return out, cmp.Or(err, c.broken)
}

func (s *specs) Digest(_ context.Context, tree fs.FS, env string) (string, error) {
	s.mu.Lock()
	hashing := s.hashing
	s.hashing = nil
	s.mu.Unlock()
	if hashing != nil {
		hashing()
	}
	c, err := s.at(tree)
	e := c.envs[env]
	return fmt.Sprintf("%v %+v %v", e.Desired, e.Mode, e.broken), err
}

func (s *specs) Environment(ctx context.Context, tree fs.FS, env string) (spec.Environment, error) {
	c, err := s.at(tree)
	if err != nil {
		return spec.Environment{}, err
	}
	s.mu.Lock()
	s.asked[env]++
	s.mu.Unlock()
	e := c.envs[env]
	e.Name, e.Mode = env, cmp.Or(e.Mode, "auto")
	e.Digest, _ = s.Digest(ctx, tree, env)
	if e.Deletes == (spec.Deletes{}) { // the stories that are about limits set them
		e.Deletes = spec.Deletes{Max: 1000, MaxShare: 1}
	}
	if e.Providers == nil {
		e.Providers = map[string]spec.Provider{"fake": {Type: "fake", Settings: resource.Map{"region": resource.String("main")}}}
	}
	return e.Environment, e.broken
}

func (s *specs) put(name string, c commit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commits[name] = c
}

// sim is a world with one isobar in it that may die and come back.
type sim struct {
	bounded bool // nobody is asked
	holder  ledger.Holder
	env     string // "" is prod
	clock   *clock
	world   *fake.World
	specs   *specs
	reopen  func() store.Store // the store's data, opened anew
	under   store.Store
	store   *storetest.Faulty
	width   int
	lag     time.Duration

	box *box

	mu     sync.Mutex
	tokens int
	runs   int
	writes int // of the processes before this one
	*reconcile.Runner
}

type options struct {
	lag      time.Duration
	lagReads int
	width    int
	open     func() store.Store
}

// memory gives an opener of one memory store's data.
func memory() func() store.Store {
	m := store.NewMemory()
	return func() store.Store { m = m.Reopen(); return m }
}

func newSim(o options) *sim {
	c := newClock()
	s := &sim{clock: c, reopen: o.open, width: o.width, lag: o.lag, box: newBox(), specs: &specs{commits: map[string]commit{}, asked: map[string]int{}}}
	if s.reopen == nil {
		s.reopen = memory()
	}
	s.world = fake.NewWorld(fake.Options{Now: c.now, Lag: o.lag, LagReads: o.lagReads, PollAfter: time.Second})
	s.world.Publish("linux", "")
	s.world.Publish("linux", "edge")
	s.restart(storetest.Fault{})
	return s
}

func (s *sim) token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens++
	return s.holder.Token(fmt.Sprintf("0194a000-%04x-7000-8000-%012x", s.tokens, s.tokens))
}

// restart is a new process over the same data and world.
func (s *sim) restart(f storetest.Fault) {
	if s.store != nil {
		s.writes += s.store.Writes()
	}
	s.under = s.reopen()
	s.store = storetest.NewFaulty(s.under, f)
	s.Runner = newRunner(s, s.store)
}

func newRunner(s *sim, st store.Store) *reconcile.Runner {
	cat := fake.Catalogue(s.world)
	return &reconcile.Runner{
		Specs: s.specs, Ledger: st, Words: st, Catalogue: cat,
		Sessions: &reconcile.Sessions{Catalogue: cat, Options: provider.Options{
			Clock: provider.Clock{Now: s.clock.now, Sleep: s.clock.sleep, Random: func() float64 { return 0.5 }},
		}},
		Observer: observe.New(cat, s.clock.now),
		Engine:   &apply.Engine{Kinds: cat, Now: s.clock.now, NewToken: s.token, Sleep: s.clock.sleep, Width: s.width},
		Now:      s.clock.now, Schema: "1", Secrets: s.box.bind, Holder: s.holder,
	}
}

// want makes a commit that wants just these objects in the environment prod.
func (s *sim) want(objects ...resource.Desired) {
	s.specs.put("c", commit{envs: map[string]environment{"prod": {Environment: spec.Environment{Desired: objects}}}})
}

func (s *sim) draft(ctx context.Context) (*reconcile.Draft, error) {
	s.runs++
	return s.Draft(ctx, reconcile.Job{Tree: tree("c"), Env: cmp.Or(s.env, "prod"), Commit: "c", Run: fmt.Sprint("run-", s.runs), Bounded: s.bounded})
}

// run drafts and applies.
func (s *sim) run(ctx context.Context) (*reconcile.Draft, *reconcile.Outcome, error) {
	d, err := s.draft(ctx)
	if err != nil {
		return nil, nil, err
	}
	out := s.Apply(ctx, d, nil)
	return d, out, out.Err
}

func (s *sim) state() *ledger.State {
	st, err := s.under.State(context.Background(), cmp.Or(s.env, "prod"))
	if err != nil {
		return &ledger.State{}
	}
	return st
}

// mustRun applies and wants all of it to go well, with nothing left.
func (s *sim) mustRun(t *testing.T) *plan.Plan {
	t.Helper()
	d, out, err := s.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !out.OK() || len(d.Plan.Held) > 0 {
		t.Fatalf("the run did not go well:\n%s\nplan %s\nheld %+v\nafter %s", results(out), brief(d.Plan), d.Plan.Held, brief(out.After))
	}
	return d.Plan
}

func (s *sim) mustDraft(t *testing.T) *reconcile.Draft {
	t.Helper()
	d, err := s.draft(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// settled wants an empty plan and the world as it should be.
func (s *sim) settled(t *testing.T, want ...resource.Desired) {
	t.Helper()
	s.clock.pass(s.lag)
	d := s.mustDraft(t)
	if !d.Plan.Empty() {
		t.Fatalf("the plan is not empty: %s, held %+v", brief(d.Plan), d.Plan.Held)
	}
	if err := s.laws(want, nil); err != nil {
		t.Fatal(err)
	}
}

// laws holds the world against what is wanted: as wanted, nothing besides,
// everything in the ledger, and what is foreign untouched.
func (s *sim) laws(want []resource.Desired, foreign []resource.Object) error {
	st := s.state()
	if err := s.told(); err != nil {
		return err
	}
	live := map[resource.ID]resource.Object{}
	alien := map[resource.ID]resource.Object{}
	for _, o := range foreign {
		alien[o.ID] = o
	}
	for _, o := range s.world.Objects() {
		if was, ok := alien[o.ID]; ok {
			if !resource.Equal(was.Fields, o.Fields) || was.Mark != o.Mark {
				return fmt.Errorf("the foreign %s was touched: %s, was %s", o.ID, resource.Encode(o.Fields), resource.Encode(was.Fields))
			}
			delete(alien, o.ID)
			continue
		}
		live[o.ID] = o
	}
	if len(alien) > 0 {
		return fmt.Errorf("%d foreign objects are gone", len(alien))
	}
	owned := map[resource.ID]bool{}
	for _, e := range st.Sorted() {
		o, ok := live[e.Record.ID]
		switch {
		case e.Address.Kind == "image" && e.Open == nil && e.Role == ledger.Current:
			continue // a pin: what it names is nobody's
		case e.Open != nil:
			return fmt.Errorf("the intent to %s %s is still open", e.Open.Op, e.Address)
		case !ok:
			return fmt.Errorf("the ledger holds %s as %q, which does not live", e.Address, e.Record.ID)
		case o.Address.Kind != "record" && (o.Mark.Token != e.Token || o.Mark.Address != e.Address || o.Mark.Estate != estate):
			return fmt.Errorf("%s bears the mark %+v, the ledger says %s %s", o.ID, o.Mark, e.Address, e.Token)
		}
		owned[o.ID] = true
	}
	for id, o := range live {
		if !owned[id] {
			return fmt.Errorf("%s is an orphan: %+v", id, o.Mark)
		}
	}
	lookups := 0
	for i := range want {
		if want[i].Address.Kind == "image" {
			lookups++
		}
	}
	if len(live)+lookups != len(want) || len(st.Entries) != len(want) {
		return fmt.Errorf("%d objects live, %d are in the ledger, %d are wanted", len(live), len(st.Entries), len(want))
	}
	for i := range want {
		if err := asWanted(s.box, map[string]*ledger.State{cmp.Or(s.env, "prod"): st}, live, &want[i]); err != nil {
			return err
		}
	}
	return nil
}

// asWanted compares one object's fields with its spec, references resolved by
// the world itself. states are the ledgers by environment.
func asWanted(secrets *box, states map[string]*ledger.State, live map[resource.ID]resource.Object, d *resource.Desired) error {
	e := states[d.Address.Env].Current(d.Address)
	if e == nil {
		return fmt.Errorf("%s is not in the ledger", d.Address)
	}
	fields := resource.Rewrite(d.Fields, func(v resource.Value) resource.Value {
		if x, ok := v.(resource.Secret); ok {
			return resource.String(secrets.values[x.Name+x.Field])
		}
		r, ok := v.(resource.Ref)
		if !ok {
			return v
		}
		to := states[r.Address.Env].Current(r.Address)
		if to == nil {
			return v
		}
		if r.Out == "id" {
			return resource.String(to.Record.ID)
		}
		return live[to.Record.ID].Fields[r.Out]
	}).(resource.Map)
	got := live[e.Record.ID].Fields
	if d.Address.Kind == "image" {
		got = e.Record.Applied
	}
	desc := fake.Descriptors()[d.Address.Type()]
	for i := range desc.Fields {
		f := &desc.Fields[i]
		w := fields[f.Name]
		if f.Computed || w == nil && (f.Default == "server" || f.DefaultsTo != nil || f.Unseen()) {
			continue
		}
		if !plan.Same(f, w, got[f.Name]) && !(resource.Empty(w) && resource.Empty(got[f.Name])) {
			return fmt.Errorf("%s: %s is %s, wanted %s", d.Address, f.Name, resource.Encode(got[f.Name]), resource.Encode(w))
		}
	}
	return nil
}

func at(kind, name string) resource.Address {
	return resource.Address{Env: "prod", Provider: "fake", Kind: kind, Name: name}
}

func ref(kind, name, out string) resource.Value {
	return resource.Ref{Address: at(kind, name), Out: out}
}

func obj(kind, name string, fields resource.Map) resource.Desired {
	return resource.Desired{Address: at(kind, name), Fields: fields, At: resource.Position{File: "prod.cue", Line: 1, Col: 1}}
}

func text(s string) resource.Value { return resource.String(s) }

func rule(port int64, peer string) resource.Value {
	return resource.Map{"port": resource.Int(port), "peer": ref("group", peer, "id")}
}

// phases is a small estate's life: every kind, created, changed, replaced and
// in part deleted.
func phases() [][]resource.Desired {
	serial := resource.Template{resource.String("serial "), ref("network", "main", "serial")} // it moves with every write
	first := []resource.Desired{
		obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16"), "label": text("a"), "tags": resource.Map{"team": text("x")}}),
		obj("network", "other", resource.Map{"cidr": text("10.1.0.0/16")}),
		obj("disk", "a", resource.Map{"size": resource.Int(8), "networkId": ref("network", "main", "id"), "policy": resource.Map{"keep": text("7d")}}),
		obj("disk", "b", resource.Map{"size": resource.Int(1), "passphrase": secretOf("disk")}),
		obj("machine", "web", resource.Map{
			"hostname": text("web"), "cpus": resource.Int(2), "networkId": ref("network", "main", "id"), "password": secretOf("web"),
			"state": text("running"), "diskIds": resource.List{ref("disk", "a", "id"), ref("disk", "b", "id")},
		}),
		obj("machine", "db", resource.Map{"hostname": text("db"), "cpus": resource.Int(1), "networkId": ref("network", "other", "id"), "state": text("running"), "imageId": ref("image", "os", "id")}),
		obj("group", "x", resource.Map{"networkId": ref("network", "main", "id"), "rules": resource.List{rule(1, "y")}}),
		obj("group", "y", resource.Map{"networkId": ref("network", "main", "id"), "rules": resource.List{rule(2, "x"), rule(3, "y")}}),
		obj("record", "www", resource.Map{"name": text("www"), "values": resource.List{ref("network", "main", "gateway"), serial}}),
		obj("image", "os", resource.Map{"name": text("linux")}),
		obj("record", "api", resource.Map{"name": text("api"), "values": resource.List{text("1.2.3.4")}}),
	}
	second := []resource.Desired{
		obj("network", "main", resource.Map{"cidr": text("10.0.0.0/16"), "label": text("b"), "tags": resource.Map{"tier": text("1")}}),
		obj("network", "other", resource.Map{"cidr": text("10.2.0.0/16")}), // replaced, and what stands in it
		obj("disk", "a", resource.Map{"size": resource.Int(9), "networkId": ref("network", "main", "id"), "passphrase": secretOf("disk")}),
		obj("machine", "web", resource.Map{
			"hostname": text("web"), "cpus": resource.Int(4), "networkId": ref("network", "main", "id"), "password": resource.Secret{Name: "web", Field: "next"},
			"state": text("stopped"), "diskIds": resource.List{ref("disk", "a", "id")},
		}),
		obj("machine", "db", resource.Map{"hostname": text("db"), "cpus": resource.Int(1), "networkId": ref("network", "other", "id"), "state": text("running"), "imageId": ref("image", "os", "id")}),
		obj("group", "x", resource.Map{"networkId": ref("network", "main", "id"), "rules": resource.List{rule(9, "x")}}),
		obj("group", "z", resource.Map{"networkId": ref("network", "other", "id"), "rules": resource.List{rule(1, "x")}}),
		obj("record", "www", resource.Map{"name": text("www"), "values": resource.List{ref("network", "other", "gateway"), serial}}),
		obj("image", "os", resource.Map{"name": text("linux"), "channel": text("edge")}),
		obj("record", "api", resource.Map{"name": text("api2"), "values": resource.List{text("1.2.3.4")}}),
	}
	hdd := obj("disk", "a", resource.Map{"size": resource.Int(9), "kind": text("hdd"), "networkId": ref("network", "main", "id")})
	hdd.Meta.CreateBeforeDestroy = true
	third := []resource.Desired{
		second[0], hdd, second[3], second[5], second[7],
		obj("network", "other", resource.Map{"cidr": text("10.2.0.0/16"), "label": text("z")}),
	}
	return [][]resource.Desired{first, second, third}
}

func results(out *reconcile.Outcome) string {
	var b strings.Builder
	for _, r := range out.Results {
		fmt.Fprintf(&b, "  %s: %s", r.Step.ID, r.Outcome)
		if r.Err != nil {
			fmt.Fprintf(&b, " (%v)", r.Err)
		}
		b.WriteByte('\n')
	}
	if out.Err != nil {
		fmt.Fprintf(&b, "  error: %v\n", out.Err)
	}
	return b.String()
}

func brief(p *plan.Plan) string {
	if p == nil {
		return "none"
	}
	var out []string
	for i := range p.Changes {
		out = append(out, string(p.Changes[i].Action)+" "+p.Changes[i].Address.Local())
	}
	for _, h := range p.Held {
		out = append(out, fmt.Sprintf("held %s %s (%s: %s)", h.Action, h.Address.Local(), h.Why, h.Text))
	}
	for _, c := range p.Ledger {
		out = append(out, fmt.Sprintf("ledger %s %s", c.Type, c.Address.Local()))
	}
	return strings.Join(out, ", ")
}

func dead(err error) bool {
	return errors.Is(err, storetest.ErrCrashed) || errors.Is(err, fake.ErrCrash)
}
