package store

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Retention is how much of the past stays. The ledger, the audit log, people's verdicts
// and what is open stay in any case.
type Retention struct {
	Since   time.Time // what is older goes
	Told    time.Time // what forges told before it goes
	AtLeast int       // runs of each environment stay, however old: the newest
	AtMost  int       // runs of each environment, however young
}

// Pruned counts what went.
type Pruned struct {
	Runs        int // ended ones, with their plans and reports
	Messages    int // that were delivered
	Evaluations int // which are made again where they are asked for
	Pulls       int // closed ones that nothing changed since
	Deliveries  int // of forges
}

// Any reports whether anything went.
func (p Pruned) Any() bool { return p != Pruned{} }

// Add gives the sum.
func (p Pruned) Add(q Pruned) Pruned {
	return Pruned{p.Runs + q.Runs, p.Messages + q.Messages, p.Evaluations + q.Evaluations, p.Pulls + q.Pulls, p.Deliveries + q.Deliveries}
}

// slack is how many rows that may not go a look passes over in search of those
// that may: there are as many as environments and unsent messages at most.
const slack = 1000

// MessageOfRun begins the key of each message that is about a run.
func MessageOfRun(id string) string { return "run " + id }

// runOf gives the id of the run that a message is about, "" of another one.
func runOf(key string) string {
	rest, ok := strings.CutPrefix(key, MessageOfRun(""))
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(rest, " ")
	return id
}

// drops reports whether a run may go that is the nth of its environment, counted
// from the newest. asks is the digest of the plan that waits there.
func (k Retention) drops(r *Run, nth int, asks string) bool {
	if r.State == Applying || r.State == Waiting && asks != "" && r.Digest == asks {
		return false
	}
	return nth > k.AtLeast && (millis(r.Started) < millis(k.Since) || nth > k.AtMost)
}

// oldest gives the runs of one environment that go.
func (k Retention) oldest(runs []Run, asks string) []Run {
	slices.SortFunc(runs, newestFirst)
	var out []Run
	for i := range runs {
		if k.drops(&runs[i], i+1, asks) {
			out = append(out, runs[i])
		}
	}
	return out
}

func newestFirst(a, b Run) int {
	return cmp.Or(b.Started.Compare(a.Started), strings.Compare(b.ID, a.ID))
}

// needed are the runs whose messages stay: those that are kept, those in whose
// threads they go on, and those in whose threads something is still to be said.
type needed map[string]bool

func (n needed) run(r *Run) {
	n[r.ID] = true
	n[r.Thread] = true
}

func (n needed) unsent(m *Message) { n[runOf(m.Thread)] = true }

// drops reports whether a message that was sent long ago may go.
func (n needed) drops(key string) bool { id := runOf(key); return id == "" || !n[id] }
