package reconcile_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/store"
	"isobar.dev/engine/store/storetest"
	"isobar.dev/providers/fake"
)

var (
	oneCrash  = flag.String("crash", "", "run this one case of TestCrash, as a failure prints it")
	every     = flag.Int("every", 3, "one in so many of the single faults in worlds whose reads lag")
	manyPairs = flag.Int("pairs", 300, "pairs of faults that TestCrash draws, and a third as many on SQLite")
	pairSeed  = flag.Uint64("seed", 1, "from which TestCrash draws them")
)

// fault is one thing that goes wrong, at a call or a write counted over the
// whole scenario.
type fault struct {
	what string
	at   int
}

func (f fault) String() string { return fmt.Sprintf("%s@%d", f.what, f.at) }

// callFaults is what may befall a call; writeFaults, a write to the store.
var (
	callFaults  = []string{"die-before", "die-after", "lost", "vanished", "invalid", "conflict", "transient", "throttled", "forget-tasks", "drift", "remove"}
	lagFaults   = []string{"die-before", "die-after", "lost", "vanished", "forget-tasks", "remove"} // those that lag may make worse
	writeFaults = []string{"write-die-before", "write-die-after", "write-refused", "write-full", "write-unheard"}
)

// trial is one scenario with its faults.
type trial struct {
	lag      time.Duration
	lagReads int
	width    int
	sqlite   bool
	faults   []fault
}

func (c trial) String() string {
	parts := []string{fmt.Sprintf("lag=%s,%d,width=%d", c.lag, c.lagReads, c.width)}
	if c.sqlite {
		parts[0] += ",sqlite"
	}
	for _, f := range c.faults {
		parts = append(parts, f.String())
	}
	return strings.Join(parts, "+")
}

func (s *sim) decide(faults []fault, seen *[]error) func(fake.Call) fake.Decision {
	calls := 0
	return func(c fake.Call) fake.Decision {
		s.mu.Lock()
		n := calls
		calls++
		st := s.store
		s.mu.Unlock()
		if st.Crashed() {
			return fake.Decision{Before: fake.ErrCrash} // no dead process calls
		}
		if err := s.intended(c); err != nil {
			s.mu.Lock()
			*seen = append(*seen, err)
			s.mu.Unlock()
		}
		for _, f := range faults {
			if f.at == n && !strings.HasPrefix(f.what, "write") {
				return s.befall(f.what, st)
			}
		}
		return fake.Decision{}
	}
}

func (s *sim) befall(what string, st *storetest.Faulty) fake.Decision {
	failure := func(c resource.Class) error {
		return &resource.Failure{Class: c, Op: "fake:call", Message: "the sim says " + what}
	}
	switch what {
	case "die-before":
		st.Kill()
		return fake.Decision{Before: fake.ErrCrash}
	case "die-after":
		st.Kill()
		return fake.Decision{After: fake.ErrCrash}
	case "lost":
		return fake.Decision{After: failure(resource.UnknownOutcome)}
	case "vanished":
		return fake.Decision{Before: failure(resource.UnknownOutcome)}
	case "invalid":
		return fake.Decision{Before: failure(resource.Invalid)}
	case "conflict":
		return fake.Decision{Before: failure(resource.Conflict)}
	case "transient":
		return fake.Decision{Before: failure(resource.Transient)}
	case "forget-tasks":
		s.world.ForgetTasks()
	case "drift", "remove":
		s.meddle(what)
	default:
		s.world.Throttle(4, 2*time.Second)
	}
	return fake.Decision{}
}

// meddle is somebody with a console: it changes or removes the newest of our
// objects that is whole.
func (s *sim) meddle(what string) {
	objects := s.world.Objects()
	for i := len(objects) - 1; i >= 0; i-- {
		o := objects[i]
		kind := o.Address.Kind
		switch {
		case o.Mark.Estate != estate:
			continue
		case what == "drift" && kind == "group":
			_ = s.world.Mutate(kind, o.ID, func(f resource.Map) { f["rules"] = resource.List{resource.Map{"port": resource.Int(22)}} })
		case what == "drift" && kind == "network" && o.Fields["tags"] != nil:
			_ = s.world.Mutate(kind, o.ID, func(f resource.Map) { f["label"] = text("meddled"); delete(f, "tags") })
		case what == "remove" && (kind == "group" || kind == "machine"):
			_ = s.world.Remove(kind, o.ID)
		default:
			continue
		}
		return
	}
}

// intended is the law of writing ahead: when a mutating call goes out, its
// intent is in the store.
func (s *sim) intended(c fake.Call) error { return intended(s.under, cmp.Or(s.env, "prod"), c) }

func intended(in reconcile.Ledger, env string, c fake.Call) error {
	if !c.Op.Mutates() {
		return nil
	}
	st, err := in.State(context.Background(), env)
	if err != nil {
		return err
	}
	ops := map[provider.Op][]ledger.Op{
		provider.OpCreate: {ledger.Create}, provider.OpFind: {ledger.Create}, provider.OpUpdate: {ledger.Update, ledger.Clear},
		provider.OpDelete: {ledger.Delete}, provider.OpMark: {ledger.Adopt, ledger.Release},
	}[c.Op]
	for _, e := range st.Entries {
		if c.Token != "" && e.Token != c.Token || c.ID != "" && e.Record.ID != c.ID || e.Open == nil {
			continue
		}
		for _, op := range ops {
			if e.Open.Op == op {
				return nil
			}
		}
	}
	return fmt.Errorf("%s of %s %s%s went out without an intent in the store", c.Op, c.Kind, c.ID, c.Token)
}

func writeFault(faults []fault, from int) storetest.Fault {
	moments := map[string]storetest.Moment{
		"write-die-before": storetest.Before, "write-die-after": storetest.After,
		"write-refused": storetest.Refuse, "write-full": storetest.Full, "write-unheard": storetest.Unheard,
	}
	var out storetest.Fault
	for _, f := range faults {
		if m, ok := moments[f.what]; ok && f.at >= from && (out.Write == 0 || f.at-from+1 < out.Write) {
			out = storetest.Fault{Write: f.at - from + 1, When: m}
		}
	}
	return out
}

// play runs the scenario: each phase to convergence, then the destruction. It
// counts calls and writes.
func (c trial) play(ctx context.Context, open func() store.Store) (calls, writes int, err error) {
	s := newSim(options{lag: c.lag, lagReads: c.lagReads, width: c.width, open: open})
	foreign, err := s.strangers()
	if err != nil {
		return 0, 0, err
	}
	var broken []error
	s.restart(writeFault(c.faults, 0))
	s.world.OnCall(s.decide(c.faults, &broken))
	ends := append(phases(), nil)
	for i, want := range ends {
		s.want(want...)
		if err := s.converge(ctx, c.faults, i == len(ends)-1); err != nil {
			return 0, 0, fmt.Errorf("phase %d: %w", i, err)
		}
		if err := s.laws(want, foreign); err != nil {
			return 0, 0, fmt.Errorf("after phase %d: %w", i, err)
		}
	}
	if c := foreignCalls(s.world.Calls(), foreign); c != "" {
		return 0, 0, errors.New(c)
	}
	return s.world.Count(), s.writes + s.store.Writes(), errors.Join(broken...)
}

// strangers puts objects into the world that are nobody's and somebody else's.
func (s *sim) strangers() ([]resource.Object, error) {
	other := func(kind, name string) resource.Mark {
		return resource.Mark{Estate: "estate-2", Env: "prod", Address: at(kind, name), Token: "0194ffff-" + name}
	}
	for _, o := range []resource.Object{
		{Address: at("network", "main"), Fields: resource.Map{"cidr": text("10.0.0.0/16")}},
		{Address: at("network", "main"), Mark: other("network", "main"), Fields: resource.Map{"cidr": text("10.0.0.0/16"), "label": text("theirs")}},
		{Address: at("disk", "b"), Mark: other("disk", "b"), Fields: resource.Map{"size": resource.Int(1)}},
		{Address: at("record", "mail"), Fields: resource.Map{"name": text("mail"), "values": resource.List{text("5.6.7.8")}}},
	} {
		if _, err := s.world.Add("fake/main", o); err != nil {
			return nil, err
		}
	}
	return s.world.Objects(), nil
}

func foreignCalls(calls []fake.Call, foreign []resource.Object) string {
	for _, c := range calls {
		for _, o := range foreign {
			if c.Op.Mutates() && c.ID == o.ID {
				return fmt.Sprintf("a foreign object was called upon: %+v", c)
			}
		}
	}
	return ""
}

func meddled(faults []fault) bool {
	return slices.ContainsFunc(faults, func(f fault) bool { return f.what == "drift" })
}

// maxRuns bounds the runs until a phase has converged.
const maxRuns = 12

// converge runs, restarting what died, until a plan is empty.
func (s *sim) converge(ctx context.Context, faults []fault, destroy bool) error {
	last, calm := "nothing", false
	for range maxRuns {
		s.runs++
		d, err := s.Draft(ctx, reconcile.Job{Tree: tree("c"), Env: "prod", Run: fmt.Sprint("run-", s.runs), Destroy: destroy})
		if err == nil {
			last = brief(d.Plan)
			if d.Plan.Empty() && len(d.Plan.Ledger) == 0 && len(d.Open) == 0 {
				if calm || s.lag == 0 || !meddled(faults) {
					return nil
				}
				calm = true // what looks like our last write's shadow is looked at once more
				s.clock.pass(s.lag)
				continue
			}
			calm = false
			out := s.Apply(ctx, d, nil)
			err = out.Err
			last += "\n" + results(out)
		}
		if err != nil {
			if !dead(err) && !errors.Is(err, store.ErrFull) {
				return fmt.Errorf("an error that no fault explains: %w", err)
			}
			last += "\nerror " + err.Error()
		}
		if err != nil || s.store.Crashed() {
			s.restart(writeFault(faults, s.writes+s.store.Writes()))
		}
		s.clock.pass(s.lag/2 + time.Second)
	}
	return fmt.Errorf("no convergence after %d runs; the last one: %s", maxRuns, last)
}

func (c trial) check(t *testing.T) {
	t.Helper()
	var open func() store.Store
	if c.sqlite {
		open = sqlite(t)
	}
	if _, _, err := c.play(t.Context(), open); err != nil {
		t.Errorf("%v\nrepeat it: go test ./engine/reconcile -run TestCrash -crash '%s'", err, c)
	}
}

// sqlite opens one file again and again, as each process does.
func sqlite(t *testing.T) func() store.Store {
	path := filepath.Join(t.TempDir(), "isobar.db")
	var last store.Store
	t.Cleanup(func() {
		if last != nil {
			_ = last.Close()
		}
	})
	return func() store.Store {
		if last != nil {
			_ = last.Close()
		}
		s, err := store.Open(context.Background(), path, time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		last = s
		return s
	}
}

func parseTrial(t *testing.T, s string) trial {
	var c trial
	parts := strings.Split(s, "+")
	var lag string
	head, rest, _ := strings.Cut(strings.TrimPrefix(parts[0], "lag="), ",")
	lag = head
	var err error
	if c.lag, err = time.ParseDuration(lag); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(rest, "%d,width=%d", &c.lagReads, &c.width); err != nil {
		t.Fatal(err)
	}
	c.sqlite = strings.HasSuffix(rest, ",sqlite")
	for _, p := range parts[1:] {
		what, n, _ := strings.Cut(p, "@")
		f := fault{what: what}
		if _, err := fmt.Sscan(n, &f.at); err != nil {
			t.Fatal(err)
		}
		c.faults = append(c.faults, f)
	}
	return c
}

// TestCrash is the law of the whole machine: whatever befalls one call or one
// write of a small estate's life, or two of them, isobar comes to the world
// that the spec wants, with nothing made twice, lost or touched that is not its
// own, and no intent left open.
func TestCrash(t *testing.T) {
	t.Parallel()
	if *oneCrash != "" {
		parseTrial(t, *oneCrash).check(t)
		return
	}
	base := []trial{{lag: 0, width: 1}, {lag: 20 * time.Second, width: 1}, {lag: 20 * time.Second, lagReads: 2, width: 1}, {lag: 2 * time.Minute, width: 1}}
	for _, b := range base {
		t.Run(b.String(), func(t *testing.T) {
			t.Parallel()
			calls, writes, err := b.play(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d calls, %d writes", calls, writes)
			for i, c := range singles(b, calls, writes) {
				if b.lag > 0 && *every > 1 && i%*every != int(b.lag/time.Second)%*every {
					continue // another one's turn: -every 1 plays them all
				}
				if c.check(t); t.Failed() {
					return
				}
			}
		})
	}
	t.Run("pairs", func(t *testing.T) {
		t.Parallel()
		pairs(t, base, *manyPairs, false)
	})
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		pairs(t, base, *manyPairs/3, true)
	})
}

// singles gives a trial for each thing that may go wrong.
func singles(b trial, calls, writes int) []trial {
	var out []trial
	add := func(what string, n int) {
		c := b
		c.faults = []fault{{what, n}}
		out = append(out, c)
	}
	faults := callFaults
	if b.lag > 0 {
		faults = lagFaults
	}
	for n := range calls {
		for _, what := range faults {
			add(what, n)
		}
	}
	for n := range writes {
		for _, what := range writeFaults {
			add(what, n)
		}
	}
	return out
}

// pairs draws trials with two faults each, some with many calls at once.
func pairs(t *testing.T, base []trial, n int, sqlite bool) {
	rnd := rand.New(rand.NewPCG(*pairSeed, uint64(n)))
	whats := append(append([]string(nil), callFaults...), writeFaults...)
	for i := range n {
		c := base[rnd.IntN(len(base))]
		c.sqlite, c.width = sqlite, 1+7*(i%2)
		for range 2 {
			c.faults = append(c.faults, fault{whats[rnd.IntN(len(whats))], rnd.IntN(160)})
		}
		if c.check(t); t.Failed() {
			return
		}
	}
}
