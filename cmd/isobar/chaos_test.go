package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"isobar.dev/engine/lab/fault"
	"isobar.dev/engine/store"
)

var (
	chaosTime = flag.Duration("chaos.time", 0, "run TestChaos in its long form, for so long")
	chaosEnvs = flag.Int("chaos.envs", 5, "how many environments TestChaos has")
	chaosSeed = flag.Uint64("chaos.seed", 0, "draw TestChaos's schedule from this; 0 draws the seed in the long form, and is chaosBriefSeed in the short one")
)

// chaosBrief is how long the short form lasts.
const chaosBrief = 20 * time.Second

// chaosBriefSeed is the short form's schedule: one in which each move comes.
const chaosBriefSeed = 11555999084546679998

// TestChaos has two daemons share a store in PostgreSQL, and kills them, stops
// and wakes them, and restarts PostgreSQL, while commits come in. Then it leaves
// them alone, and compares what the cloud has with what the repository says, and
// the calls that the proxy saw with the intents and leases on record.
//
// In the short form objects are made before and changed after the trouble has begun; in
// the long form, -chaos.time, environments and objects come and go all along.
func TestChaos(t *testing.T) {
	bin, total := "", *chaosTime
	if long := total > 0; long {
		bin = shipped(t)
	} else {
		t.Parallel()
		total = chaosBrief
		var err error
		if bin, err = exec.LookPath("isobar"); err != nil {
			t.Fatal(err)
		}
	}
	seed := *chaosSeed
	switch {
	case seed != 0:
	case *chaosTime > 0:
		seed = rand.Uint64()
	default:
		seed = chaosBriefSeed
	}
	fmt.Printf("chaos: -chaos.seed=%d\n", seed)
	c := &chaos{chaosLab: newChaosLab(t, bin), rnd: rand.New(rand.NewPCG(seed, 0)), long: *chaosTime > 0} //nolint:gosec // a schedule, that can be drawn again
	c.begin(t)
	c.takeover(t)
	for range 3 {
		if c.long {
			c.takeover(t)
		}
	}
	c.play(t, chaosSchedule(c.rnd, total, len(c.daemons)))
	c.rest(t)
	c.reckon(t)
}

// chaos is one run.
type chaos struct {
	*chaosLab
	rnd              *rand.Rand
	long             bool
	later            []chaosEnv // environments that are still to come
	pauses, restarts int
	took             []time.Duration // by takeovers
}

// begin makes the first environments and waits until they are there.
func (c *chaos) begin(t *testing.T) {
	t.Helper()
	for n := range *chaosEnvs {
		c.envs = append(c.envs, chaosEnv{n: n, port: 80, subnets: 1, volume: true})
	}
	if c.long {
		n := len(c.envs) * 2 / 3
		c.envs, c.later = c.envs[:n:n], c.envs[n:]
	}
	c.commit(t, c.envs...)
	for n := range 2 {
		c.daemons = append(c.daemons, &chaosDaemon{n: n + 1})
		c.start(t, c.daemons[n])
	}
	t.Cleanup(func() {
		for _, d := range c.daemons {
			d.kill()
		}
	})
	c.settled(t)
}

// takeover kills a daemon at work while the other one waits, and measures how
// long it takes until the other holds each environment that it held.
func (c *chaos) takeover(t *testing.T) {
	t.Helper()
	d := c.daemons[c.rnd.IntN(len(c.daemons))]
	some := c.envs[:min(len(c.envs), 8)]
	for i := range some {
		some[i] = some[i].next(c.rnd, false)
	}
	c.commit(t, some...)
	late := time.Now().Add(patience)
	for busy := false; !busy; time.Sleep(20 * time.Millisecond) {
		busy = slices.ContainsFunc(c.proxy.Calls(), func(call fault.Call) bool {
			return call.Mutates() && call.Status == 0 && call.From == fmt.Sprintf("daemon %d.%d", d.n, d.starts)
		})
		if time.Now().After(late) {
			t.Fatalf("daemon %d does not work", d.n)
		}
	}
	at, name := time.Now(), fmt.Sprintf("daemon %d.%d", d.n, d.starts)
	d.kill()
	c.kills++
	for {
		missing, took := 0, []time.Duration(nil)
		all := c.tenures(t)
		for of, ten := range all {
			if ten.process != name || ten.from.After(at) || !ten.until.IsZero() && ten.until.Before(at) {
				continue
			}
			if next := following(all, of); next.IsZero() {
				missing++
			} else {
				took = append(took, next.Sub(at))
			}
		}
		if missing == 0 && len(took) > 0 {
			c.took = append(c.took, took...)
			break
		}
		if time.Since(at) > patience {
			t.Fatalf("%d environments of the daemon that was killed are not taken over", missing)
		}
		time.Sleep(100 * time.Millisecond)
	}
	c.start(t, d)
	c.settled(t)
}

// following is when somebody held an environment next, or zero.
func following(all map[epochOf]tenure, of epochOf) (at time.Time) {
	for next, ten := range all {
		if next.env == of.env && next.epoch > of.epoch && (at.IsZero() || ten.from.Before(at)) {
			at = ten.from
		}
	}
	return at
}

// play makes the moves.
func (c *chaos) play(t *testing.T, moves []chaosMove) {
	t.Helper()
	began := time.Now()
	for _, m := range moves {
		time.Sleep(time.Until(began.Add(m.at)))
		d := c.daemons[m.who]
		switch m.what {
		case moveCommit:
			c.change(t)
		case moveKill:
			if d.running() {
				d.kill()
				c.kills++
			}
		case moveStart:
			c.start(t, d)
		case movePause:
			if d.running() && !d.stopped {
				d.signal(syscall.SIGSTOP)
				d.stopped = true
				c.pauses++
			}
		case moveWake:
			d.signal(syscall.SIGCONT)
			d.stopped = false
		default:
			c.database(t, m.what)
		}
		t.Logf("%6.2f s: %s %d", time.Since(began).Seconds(), m.what, m.who+1)
	}
}

// database ends PostgreSQL or starts it.
func (c *chaos) database(t *testing.T, what string) {
	t.Helper()
	var err error
	switch what {
	case moveDown:
		c.pg.Down()
		c.restarts++
	case moveStop:
		err = c.pg.Stop()
		c.restarts++
	case moveUp:
		err = c.pg.Up(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// change commits a change of some environments; in the long form one may be new.
func (c *chaos) change(t *testing.T) {
	t.Helper()
	var all []chaosEnv
	for _, i := range c.rnd.Perm(len(c.envs))[:1+c.rnd.IntN(max(len(c.envs)/3, 1))] {
		c.envs[i] = c.envs[i].next(c.rnd, c.long)
		all = append(all, c.envs[i])
	}
	if n := min(len(c.later), c.rnd.IntN(3)); n > 0 {
		c.envs, all, c.later = append(c.envs, c.later[:n]...), append(all, c.later[:n]...), c.later[n:]
	}
	c.commit(t, all...)
}

// rest ends the trouble and waits until all is calm.
func (c *chaos) rest(t *testing.T) {
	t.Helper()
	if err := c.pg.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, d := range c.daemons {
		d.signal(syscall.SIGCONT)
		c.start(t, d)
	}
	c.envs, c.later = append(c.envs, c.later...), nil
	c.commit(t, c.envs...)
	c.settled(t)
	for _, d := range c.daemons {
		d.end(t)
	}
}

// settled waits until the store says that all environments are in sync with the
// last commit, and that nothing is left of what was to be looked at when that commit
// had been seen: of many environments some are always due for their next look.
func (c *chaos) settled(t *testing.T) {
	t.Helper()
	head, err := c.repo.Git(t.Context(), "rev-parse", "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.OpenPostgres(t.Context(), c.url)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	late := time.Now().Add(2 * patience)
	if c.long {
		late = late.Add(crashWindow)
	}
	var since time.Time
	for calm := 0; calm < 3; time.Sleep(300 * time.Millisecond) {
		seen, _, err := st.Head(t.Context(), c.repo.Dir)
		waits := fmt.Sprintf("the head is seen at %q (%v), not %s", seen, err, head)
		if err == nil && seen == head {
			if since.IsZero() {
				since = time.Now()
			}
			waits = c.waits(t, st, since)
		}
		if calm++; waits != "" {
			calm = 0
		}
		if time.Now().After(late) {
			t.Errorf("they do not come to rest: %s", waits)
			return
		}
	}
}

// waits says what there is to wait for of what was due by then, "" for nothing.
func (c *chaos) waits(t *testing.T, st *store.SQL, then time.Time) string {
	t.Helper()
	rows, err := st.Environments(t.Context())
	if err != nil {
		return err.Error()
	}
	known := map[string]bool{}
	for _, row := range rows {
		if known[row.Name] = true; row.State != "in sync" {
			return fmt.Sprintf("%s is %s: %s", row.Name, row.State, row.Note)
		}
	}
	for _, e := range c.envs {
		if !known[e.name()] {
			return e.name() + " is not known"
		}
	}
	rest, err := c.pg.Ask(t.Context(), fmt.Sprintf("SELECT key FROM %s.inbox WHERE due <= %d", chaosSchema, then.UnixMilli()))
	if err != nil || len(rest) > 0 {
		return fmt.Sprintf("%v are to be looked at (%v)", rest, err)
	}
	return ""
}

// reckon counts what is not as it should be.
func (c *chaos) reckon(t *testing.T) {
	t.Helper()
	left, owned := c.differing(t), map[string]bool{}
	j := newChaosJudge(c.tenures(t))
	st, err := store.OpenPostgres(t.Context(), c.url)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, e := range c.envs {
		events, err := st.Events(t.Context(), e.name(), 0)
		if err != nil {
			t.Fatal(err)
		}
		state, err := st.State(t.Context(), e.name())
		if err != nil {
			t.Fatal(err)
		}
		j.learn(e.name(), events)
		for _, en := range state.Entries {
			owned[string(en.Record.ID)] = true
		}
	}
	if code, out := c.isobar(t, "audit", "verify"); code != 0 {
		t.Errorf("audit verify: exit code %d: %s", code, out)
	}
	all := (&site{cloud: c.cloud}).things(t)
	lost, seen, twice := strays(all, owned), map[string]bool{}, 0
	for _, th := range all {
		if seen[th.key] {
			twice++
			t.Logf("twice: %s %v", th.key, th.ids)
		}
		seen[th.key] = true
	}
	for _, e := range c.envs {
		for _, key := range e.keys() {
			if !seen[key] {
				t.Errorf("%s has no %s", e.name(), key)
			}
		}
	}
	calls := j.judge(c.proxy.Calls())
	slices.Sort(c.took)
	fmt.Printf("chaos: %d calls that change something, %d of them past their fence; %d environments taken over after kill -9, in %.1f to %.1f s\n",
		calls.calls, calls.late, len(c.took), c.took[0].Seconds(), c.took[len(c.took)-1].Seconds())
	fmt.Printf("chaos: %d environments, %d kills, %d pauses, %d restarts, %d not converged, %d duplicates, %d orphans, %d stale calls\n",
		len(c.envs), c.kills, c.pauses, c.restarts, len(left), twice, len(lost), calls.stale)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(left)+twice+len(lost)+calls.stale+len(c.unasked) > 0 {
		t.Errorf("not converged %v; orphans %v; stale calls:\n%s\nends:\n%s", left, lost, strings.Join(calls.why, "\n"), strings.Join(c.unasked, "\n"))
	}
	if len(all) == 0 || calls.calls == 0 || c.kills*c.restarts == 0 {
		t.Errorf("nothing was tried: %d things, %d calls, %d kills, %d restarts", len(all), calls.calls, c.kills, c.restarts)
	}
}

// differing are the environments whose plan is not empty.
func (c *chaos) differing(t *testing.T) []string {
	t.Helper()
	code, out := c.isobar(t, "plan", "--detailed-exitcode", "-o", "json")
	var p struct {
		Plans []struct {
			Env                        string
			Changes, Steps, Held, Late []any
			Outcome                    string
		}
	}
	if err := json.Unmarshal(out, &p); err != nil || len(p.Plans) != len(c.envs) {
		t.Fatalf("plan: exit code %d, %v: %s", code, err, ending(string(out)))
	}
	var left []string
	for _, one := range p.Plans {
		if len(one.Changes)+len(one.Steps)+len(one.Held)+len(one.Late) > 0 {
			left = append(left, one.Env+": "+one.Outcome)
		}
	}
	if code != 0 && len(left) == 0 {
		t.Errorf("plan: exit code %d: %s", code, ending(string(out)))
	}
	return left
}
