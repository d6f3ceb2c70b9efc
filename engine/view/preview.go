package view

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/review"
)

// Preview is what the one comment on a pull request tells: what its merge would
// do to each environment that it concerns, and after the merge what it did.
type Preview struct {
	Mark      review.Mark // by which the comment is found again
	Sign      string      // before a pull request's number at this forge: "#" unless told, "!" at GitLab
	Head      string      // the commit that is reviewed
	Base      string      // the commit of the base branch that it is merged on
	At        time.Time   // when it was planned
	Envs      []PreviewEnv
	Conflicts []Conflict       // why it cannot be merged, and so was not planned
	Spec      diag.List        // errors in the spec that are told here; nothing of their environments was planned
	Placed    int              // errors that stand as comments on their lines instead
	Fork      bool             // the head is in another repository: it is planned against what was seen last
	Stale     Stale            // what it is out of date by
	Overlaps  []review.Overlap // with other open pull requests
	Merged    string           // the commit that the merge made; "" while it is open
	Pins      []Pin            // the environments in which it was applied before its merge
	Whole     string           // an http or https address of the uncut plans; "" names the command that shows them
}

// PreviewEnv is one environment of a preview.
type PreviewEnv struct {
	Env   string
	Plan  *Plan             // on the merge's result; nil where there is none
	Base  map[string]string // the sums of the steps that the base branch's own plan has, by id: see PlanJSON.Sums; nil where it is not known
	Tally review.Tally      // of the plan's approvals
	Why   string            // why there is no plan: in words
	Mend  string            // what to do about it
	Seen  time.Time         // of a fork: when what it is planned against was seen; zero is never
	Run   *Run              // after the merge; nil where none has begun
	// Pinned is the pull request that was applied there before its merge, if it is
	// another one; 0 for none. Nothing of this one is applied there before that ends.
	Pinned int
	// Approved is the digest of the plan that was approved before the merge, where the
	// one that waits now is another, and Differs how: "fake.network/db: label …".
	Approved string
	Differs  []string
}

// Conflict is a file that the merge cannot bring together.
type Conflict struct {
	Path string
	How  string // "both changed it"; "" where nobody knows
}

// Stale is what has moved since a preview was made. The zero value is nothing.
type Stale struct {
	Head string   // the head's commit now; "" where it is the same
	Base string   // the base branch's commit now; "" where it is the same
	Envs []string // the environments in which something was changed outside or by a run
}

// Is reports whether anything has moved.
func (s Stale) Is() bool { return s.Head != "" || s.Base != "" || len(s.Envs) > 0 }

// parted is an environment's plan, told apart by whose doing it is. Each part is
// a report of its own, and all share a digest: an approval covers all three.
type parted struct {
	own   *Plan    // what the pull request changes, with what is held and decided
	drift *Plan    // what was changed outside and is put back
	waits *Plan    // what the base branch's own plan has as well
	ends  []string // the steps of the base branch's plan that nobody would do any more
}

// parted tells apart what the environment's plan does.
func (e *PreviewEnv) parted() parted {
	own, drift, waits := *e.Plan, *e.Plan, *e.Plan
	for _, p := range []*Plan{&drift, &waits} {
		p.Policy, p.Spec, p.Over, p.Plan.Held, p.Plan.Notes, p.Plan.Late = nil, nil, nil, nil, nil, nil
	}
	own.Plan.Changes, drift.Plan.Changes, waits.Plan.Changes = nil, nil, nil
	now, base := map[string]string{}, byObject(e.Base)
	for i := range e.Plan.Plan.Steps {
		s := &e.Plan.Plan.Steps[i]
		now[s.ID] = s.Sum()
	}
	does := byObject(now)
	for _, c := range e.Plan.Plan.Changes {
		at := c.Address.Local()
		into := &own
		switch {
		case c.OnlyDrifted():
			into = &drift
		case len(does[at]) > 0 && slices.Equal(does[at], base[at]):
			into = &waits
		}
		into.Plan.Changes = append(into.Plan.Changes, c)
	}
	out := parted{own: &own, drift: &drift, waits: &waits}
	for at, steps := range base {
		if len(does[at]) == 0 && !putOff(e.Plan, at) {
			for _, s := range steps {
				out.ends = append(out.ends, s[:strings.LastIndexByte(s, ' ')])
			}
		}
	}
	slices.Sort(out.ends)
	return out
}

// putOff reports whether the plan holds something at an address, so that
// what the base branch's plan does there is put off, not ended.
func putOff(p *Plan, at string) bool {
	return slices.ContainsFunc(p.Plan.Held, func(h plan.Held) bool { return h.Address.Local() == at })
}

// byObject gives the steps with what they do, in order, by the address of their
// object.
func byObject(sums map[string]string) map[string][]string {
	out := map[string][]string{}
	for id, sum := range sums {
		if words := strings.Fields(id); len(words) > 1 {
			out[words[1]] = append(out[words[1]], id+" "+sum)
		}
	}
	for at := range out {
		slices.Sort(out[at])
	}
	return out
}

// risk is the least of what an environment's part of a preview tells.
func (e *PreviewEnv) risk() int {
	if e.Plan == nil {
		return -1
	}
	least := 6
	if e.Plan.Denied() {
		least = 0
	}
	for i := range e.Plan.Plan.Changes {
		least = min(least, e.Plan.Plan.Changes[i].Risk())
	}
	if len(e.Plan.Plan.Held) > 0 {
		least = min(least, 2)
	}
	return least
}

// ordered gives the environments by risk, then by name.
func (p *Preview) ordered() []*PreviewEnv {
	out := make([]*PreviewEnv, len(p.Envs))
	for i := range p.Envs {
		out[i] = &p.Envs[i]
	}
	slices.SortStableFunc(out, func(a, b *PreviewEnv) int {
		return cmp.Or(cmp.Compare(a.risk(), b.risk()), cmp.Compare(a.Env, b.Env))
	})
	return out
}

// asks reports whether an environment's plan waits for approvals still.
func (e *PreviewEnv) asks() bool { return e.Plan != nil && e.Plan.waits() && !e.Tally.Done() }

// sign is what a number of a pull request is written with.
func (p *Preview) sign() string {
	if p.Sign == "!" {
		return "!"
	}
	return "#"
}
