package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"isobar.dev/engine/lab/vcsim"
	"isobar.dev/engine/store"
)

var crashLong = flag.Bool("crash", false, "run TestCrash at every request of a larger estate, beside Terraform where it is on PATH")

// crashWindow is how long after a look that found nothing a create at AWS stays
// in doubt: the longest Lag of the kinds in the estate, and some seconds.
const crashWindow = 5*time.Minute + 5*time.Second

// TestCrash kills isobar by SIGKILL at requests that change something, starts it
// again on the same store, and compares what the clouds have with what they have
// after a run that nobody cut. Between isobar and the clouds stand fault's
// proxies, which also supply what AWS does and moto doesn't: client tokens, and
// the tags of CreateBucket.
//
// The short form kills after each request of a chain of four. The long form,
// -crash, kills before and after each request of twenty resources, of which many
// are under way at once; then some daemons; then terraform, where it is on PATH.
func TestCrash(t *testing.T) {
	if *crashLong {
		crashEvery(t)
		return
	}
	t.Parallel()
	bin, err := exec.LookPath("isobar")
	if err != nil {
		t.Fatal(err)
	}
	l := newCrashLab(t, bin)
	whole := l.trial(t, 0, false, crashChain)
	whole.finish(t)
	r := newReckoning(t, whole)
	trials := make([]*trial, min(6, whole.requests()))
	for i := range trials {
		trials[i] = l.trial(t, i+1, false, crashChain)
		trials[i].again(t)
		trials[i].finish(t)
	}
	r.compare(t, trials)
	r.close(t)
}

// trial is one cut point and what became of it.
type trial struct {
	*site
	n      int  // the request that was cut, from 1; 0 is none
	before bool // the cloud never saw it
	dir    string
	tool   tool

	said  string    // by the first run after the cut
	held  bool      // that run left something to a later one
	due   time.Time // when that is
	empty bool      // the plan in the end
	last  string    // what it said
}

// tool is a program that makes an estate.
type tool interface {
	// apply runs to the end and gives the exit code and the words.
	apply(t *testing.T, tr *trial) (int, string)
	// plan tells whether nothing is left to do.
	plan(t *testing.T, tr *trial) (bool, string)
	// owns gives the ids that the tool knows of as its own.
	owns(t *testing.T, tr *trial) map[string]bool
}

func (tr *trial) String() string {
	when := "after"
	if tr.before {
		when = "before"
	}
	return fmt.Sprintf("%s request %d %s (%v)", when, tr.n, tr.cut.Load(), tr.name)
}

// requests is how many requests so far changed something.
func (tr *trial) requests() int { return int(tr.seen.Load()) }

// trial makes a site with isobar's estate and applies it, with a cut at the nth
// request.
func (l *crashLab) trial(t *testing.T, n int, before bool, estate string) *trial {
	t.Helper()
	s := l.site(t)
	tr := &trial{site: s, n: n, before: before, dir: s.repo(t, l.estate(t, s, estate))}
	tr.tool = isobarTool{l.bin, filepath.Join(tr.dir, ".isobar", "store.db")}
	tr.begin(t)
	return tr
}

// begin applies, until the cut.
func (tr *trial) begin(t *testing.T) {
	t.Helper()
	tr.cutAt(tr.n, tr.before)
	code, out := tr.tool.apply(t, tr)
	switch {
	case tr.n == 0 && code != 0:
		t.Fatalf("the run that nobody cut: exit code %d\n%s", code, out)
	case tr.n > 0 && code != killed:
		t.Errorf("%v was not killed: exit code %d\n%s", tr, code, out)
	}
}

// again applies at once.
func (tr *trial) again(t *testing.T) {
	t.Helper()
	code, out := tr.tool.apply(t, tr)
	tr.said, tr.held, tr.due = out, code != 0, time.Now().Add(crashWindow)
}

// finish applies once more what was held, and plans.
func (tr *trial) finish(t *testing.T) {
	t.Helper()
	if tr.held {
		wait := time.NewTimer(time.Until(tr.due))
		defer wait.Stop()
		<-wait.C
		if code, out := tr.tool.apply(t, tr); code != 0 {
			t.Logf("%v: the last apply: exit code %d\n%s", tr, code, ending(out))
		}
	}
	tr.empty, tr.last = tr.tool.plan(t, tr)
}

// isobarTool is isobar with the store that it has beside the repository, or one
// of a daemon.
type isobarTool struct{ bin, store string }

func (i isobarTool) apply(t *testing.T, tr *trial) (int, string) {
	t.Helper()
	return tr.run(t, tr.dir, i.bin, "apply", "crash", "--auto-approve")
}

func (i isobarTool) plan(t *testing.T, tr *trial) (bool, string) {
	t.Helper()
	code, out := tr.run(t, tr.dir, i.bin, "plan", "crash", "--detailed-exitcode", "-o", "json", "--store", "sqlite:"+i.store)
	var p struct {
		Plans []struct {
			Changes, Steps, Held, Late []any
			Outcome                    string
		}
	}
	if err := json.Unmarshal([]byte(out), &p); err != nil || len(p.Plans) != 1 {
		return false, out
	}
	left := p.Plans[0]
	return code == 0 && len(left.Changes)+len(left.Steps)+len(left.Held)+len(left.Late) == 0, left.Outcome
}

func (i isobarTool) owns(t *testing.T, tr *trial) map[string]bool {
	t.Helper()
	st, err := store.Open(t.Context(), i.store, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	state, err := st.State(t.Context(), "crash")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, e := range state.Entries {
		out[string(e.Record.ID)] = true
		if moid, ok := e.Record.Outs["moid"]; ok {
			out[strings.Trim(fmt.Sprint(moid), `"`)] = true
		}
	}
	return out
}

// reckoning compares what the clouds have after cuts with what they have
// without.
type reckoning struct {
	want  []string // keys and facts, sorted
	whole *trial

	points, held, silent          int
	orphans, duplicates, notEmpty int
	unlike                        int // points at which the clouds are not as they would be without a cut
	hurt                          int // points with an orphan, a duplicate or a plan that is not empty
}

// newReckoning takes the run that nobody cut as the measure.
func newReckoning(t *testing.T, whole *trial) *reckoning {
	t.Helper()
	r := &reckoning{whole: whole}
	all := whole.all(t, map[*vcsim.Server]map[string]vcsim.Machine{})
	if r.want = lined(all); !whole.empty || len(all) == 0 {
		t.Fatalf("the run that nobody cut left a plan that is not empty, or nothing: %s\n%s", whole.last, strings.Join(r.want, "\n"))
	}
	if lost := strays(all, whole.tool.owns(t, whole)); len(lost) > 0 {
		t.Fatalf("the run that nobody cut left what its tool does not know: %v", lost)
	}
	return r
}

// all lists what both clouds have of the site.
func (tr *trial) all(t *testing.T, known map[*vcsim.Server]map[string]vcsim.Machine) []thing {
	t.Helper()
	if known[tr.center] == nil {
		m, err := tr.center.Machines(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		known[tr.center] = m
	}
	return append(tr.things(t), tr.machines(t, known[tr.center])...)
}

func lined(all []thing) []string {
	var out []string
	for _, th := range all {
		out = append(out, th.key+": "+th.facts)
	}
	slices.Sort(out)
	return out
}

// strays are the things that nobody owns.
func strays(all []thing, owned map[string]bool) []string {
	var out []string
	for _, th := range all {
		if !slices.ContainsFunc(th.ids, func(id string) bool { return owned[id] }) {
			out = append(out, th.key)
		}
	}
	return out
}

// compare counts what went wrong at trials that have ended, and logs each.
func (r *reckoning) compare(t *testing.T, trials []*trial) {
	t.Helper()
	known := map[*vcsim.Server]map[string]vcsim.Machine{}
	for _, tr := range trials {
		all := tr.all(t, known)
		got, lost := lined(all), strays(all, tr.tool.owns(t, tr))
		seen, twice := map[string]bool{}, 0
		for _, th := range all {
			if seen[th.key] {
				twice++
			}
			seen[th.key] = true
		}
		r.points++
		r.orphans += len(lost)
		r.duplicates += twice
		if tr.held {
			r.held++
		}
		if !tr.empty {
			r.notEmpty++
		}
		if !slices.Equal(got, r.want) {
			r.unlike++
		}
		if len(lost)+twice > 0 || !tr.empty {
			r.hurt++
			if !tr.held {
				r.silent++
			}
		}
		if len(lost)+twice > 0 || !tr.empty || !slices.Equal(got, r.want) {
			t.Logf("%v: orphans %v, %d duplicates, plan empty: %v (%s)\n%s", tr, lost, twice, tr.empty, ending(tr.last), gap(r.want, got))
		}
	}
}

// ending is the end of what a program said.
func ending(out string) string { return out[max(0, len(out)-600):] }

// gap lists the lines that only one of two has.
func gap(want, got []string) string {
	var out []string
	for _, l := range want {
		if !slices.Contains(got, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range got {
		if !slices.Contains(want, l) {
			out = append(out, "+ "+l)
		}
	}
	return strings.Join(out, "\n")
}

// line is the count of what went wrong.
func (r *reckoning) line(who string) string {
	return fmt.Sprintf("%s: %d cut points, %d orphans, %d duplicates, %d plans not empty", who, r.points, r.orphans, r.duplicates, r.notEmpty)
}

// close says the count and fails unless all is well.
func (r *reckoning) close(t *testing.T) {
	t.Helper()
	if r.points == 0 || r.orphans+r.duplicates+r.notEmpty+r.unlike > 0 {
		t.Errorf("%d points left a cloud that is not as wanted", r.unlike)
	}
	fmt.Println(r.line("crash"))
}

// crashAtOnce is how many cut points are worked on at the same time.
const crashAtOnce = 3

// each does something for all of n at once, so many at a time.
func each(n int, do func(i int)) {
	var all sync.WaitGroup
	slots := make(chan struct{}, crashAtOnce)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	all.Wait()
}
