package view

import (
	"slices"
	"strconv"
	"strings"
)

// titleNames bounds the environments that a title names.
const titleNames = 4

// title says what the comment comes to.
func (p *Preview) title() string {
	verb := "plan"
	if p.Merged != "" {
		verb = "apply"
	}
	var names []string
	envs := slices.Clone(p.Envs)
	slices.SortFunc(envs, func(a, b PreviewEnv) int { return strings.Compare(a.Env, b.Env) })
	for i := range envs[:min(len(envs), titleNames)] {
		names = append(names, Escape(brief(envs[i].Env, 80)))
	}
	if more := len(envs) - titleNames; more > 0 {
		names = append(names, strconv.Itoa(more)+" more")
	}
	return "### isobar " + join(" · ", verb, strings.Join(names, ", "), p.gist())
}

// gist is the title's last part.
func (p *Preview) gist() string {
	errs := p.Spec.Errors() + p.Placed
	switch {
	case len(p.Conflicts) > 0:
		return "can't be merged, " + count(len(p.Conflicts), "file") + " in conflict"
	case p.Merged != "":
		return p.ending()
	case len(p.Envs) == 0 && errs == 0:
		return "no environment is concerned"
	case len(p.Envs) == 0:
		return count(errs, "error") + ", nothing was planned"
	}
	own, other, ends, held, denied, asks, broken := 0, 0, 0, 0, 0, 0, 0
	for i := range p.Envs {
		e := &p.Envs[i]
		if e.Plan == nil {
			broken++
			continue
		}
		q := e.parted()
		own += len(q.own.Plan.Changes)
		other += len(q.drift.Plan.Changes) + len(q.waits.Plan.Changes)
		ends += len(q.ends)
		held += len(e.Plan.Plan.Held)
		denied += e.Plan.Policy.Errors()
		if e.asks() && !p.Stale.Is() {
			asks++
		}
	}
	what := "no changes"
	switch {
	case own > 0:
		what = count(own, "change")
	case other > 0:
		what = "no changes of its own"
	case ends > 0:
		what = "takes back what waits on the base branch"
	case broken == len(p.Envs):
		what = ""
	}
	number := func(n int, text string) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n) + " " + text
	}
	needs := "needs approval"
	if asks > 1 {
		needs = "need approval"
	}
	return join(", ", what, number(held, "held"), number(denied, "denied"), number(asks, needs), number(broken, "not planned"), number(errs, map[bool]string{true: "error", false: "errors"}[errs == 1]))
}

// ending is the gist once it is merged.
func (p *Preview) ending() string {
	n := map[string]int{}
	for i := range p.Envs {
		n[p.Envs[i].ended()]++
	}
	var parts []string
	for _, s := range []string{string(Failed), string(Partial), string(Denied), string(Cancelled), string(Stopped), string(Rejected), string(Waiting), string(Applying), "to come", string(Applied)} {
		switch {
		case n[s] == 0:
		case n[s] == len(p.Envs):
			return s
		default:
			parts = append(parts, strconv.Itoa(n[s])+" "+s)
		}
	}
	return strings.Join(parts, ", ")
}

// ended is in one word what became of an environment.
func (e *PreviewEnv) ended() string {
	if e.Run == nil {
		return "to come"
	}
	switch e.Run.State {
	case Applied, InSync:
		if len(e.Run.Lost) > 0 {
			return string(Partial) // what is held is not applied
		}
		return string(Applied)
	case Approved, Superseded, Planned:
		return "to come"
	case Waiting, Denied, Applying, Partial, Failed, Stopped, Cancelled, Rejected:
	}
	return string(e.Run.State)
}

// outcome counts what an environment's plan does, by whose doing it is.
func (e *PreviewEnv) outcome(q *parted) string {
	first := q.own.outcome()
	if len(q.own.Plan.Changes) == 0 && len(q.drift.Plan.Changes)+len(q.waits.Plan.Changes) > 0 {
		first = "no changes of its own"
	}
	return join(", ", first, q.others())
}

// others counts what is not the pull request's doing.
func (q *parted) others() string {
	drifted, waiting, ends := "", "", ""
	if n := len(q.drift.Plan.Changes); n > 0 {
		drifted = strconv.Itoa(n) + " drifted"
	}
	if n := len(q.waits.Plan.Changes); n > 0 {
		waiting = strconv.Itoa(n) + " waiting on the base branch"
	}
	if n := len(q.ends); n > 0 {
		ends = count(n, "step") + " of the base branch not done any more"
	}
	return join(", ", drifted, waiting, ends)
}

// tableRows bounds the table, in environments.
const tableRows = 100

// table summarises the environments, the riskiest first, in at most limit bytes.
func (p *Preview) table(envs []*PreviewEnv, limit int) string {
	head := "\n| environment | + | ~ | -/+ | - | policy | note |\n|---|---|---|---|---|---|---|\n"
	if p.Merged != "" {
		head = "\n| environment | plan | outcome |\n|---|---|---|\n"
	}
	var b strings.Builder
	b.WriteString(head)
	for i, e := range envs {
		row := e.row(p)
		if i == tableRows || i > 0 && b.Len()+len(row) > limit {
			more := "| and " + thousands(len(envs)-i) + " more |" + strings.Repeat(" |", strings.Count(head, "---")-1) + "\n"
			b.WriteString(more)
			break
		}
		b.WriteString(row)
	}
	return b.String()
}

// row is an environment's line of the table.
func (e *PreviewEnv) row(p *Preview) string {
	if p.Merged != "" {
		digest, outcome := "", "to come"
		if e.Run != nil {
			sign, _ := e.Run.sign()
			digest, outcome = PlanID(e.Run.Plan), sign+" "+join(" · ", e.Run.Outcome(), e.Run.verdict())
		}
		return "| " + Escape(e.Env) + " | " + tableCode(digest) + " | " + Escape(brief(outcome, 300)) + " |\n"
	}
	if e.Plan == nil {
		return "| " + Escape(e.Env) + " | – | – | – | – | – | could not be planned |\n"
	}
	q := e.parted()
	q.own.Plan.Env = e.Env
	seen, held := "", ""
	if p.Fork {
		seen = e.seen(p)
	}
	if e.Pinned > 0 {
		held = "pinned to " + p.sign() + strconv.Itoa(e.Pinned)
	}
	return q.own.summaryRow(join(", ", q.own.note(), q.others(), seen, held))
}

// seen says of a fork's environment how old that is what it is planned against.
func (e *PreviewEnv) seen(p *Preview) string {
	if e.Seen.IsZero() {
		return "as if nothing existed: nothing of it was seen yet"
	}
	return "as seen " + stamp(e.Seen) + ", " + strings.TrimSuffix(ago(max(p.At.Sub(e.Seen), 0)), " ago") + " before"
}

// foot says which plan it is, how far it is approved and what comes next.
func (e *PreviewEnv) foot(p *Preview) string {
	var parts []string
	id := PlanID(e.Plan.Plan.Digest)
	if id != "" {
		parts = append(parts, "plan "+Code(id))
	}
	parts = append(parts, "for "+Escape(e.Env))
	if n := calls(&e.Plan.Plan); n > 0 {
		parts = append(parts, count(n, "call")+" to make")
	}
	if e.Plan.waits() {
		parts = append(parts, e.approvals())
	}
	return strings.Join(append(parts, e.next(p)), " · ") + e.uncounted()
}

// approvals says how many of the wanted approvals there are, and whose.
func (e *PreviewEnv) approvals() string {
	s := e.count()
	if len(e.Tally.By) > 0 {
		s += " (" + people(e.Tally.By) + ")"
	}
	return s
}

// count is approvals without the people.
func (e *PreviewEnv) count() string {
	return "approvals: " + strconv.Itoa(e.Tally.Have) + " of " + strconv.Itoa(max(e.Tally.Need, 1))
}

func people(logins []string) string {
	var out []string
	for _, l := range logins[:min(len(logins), 5)] {
		out = append(out, Escape(brief(l, 80)))
	}
	if more := len(logins) - 5; more > 0 {
		out = append(out, strconv.Itoa(more)+" more")
	}
	return strings.Join(out, ", ")
}

// uncounted says whose approvals do not count, and why.
func (e *PreviewEnv) uncounted() string {
	var b strings.Builder
	for _, l := range e.Tally.Not[:min(len(e.Tally.Not), 5)] {
		b.WriteString("\n\nAn approval does not count: " + Escape(brief(l.Why, 400)) + ".")
	}
	return b.String()
}

// next is what comes next for one environment.
func (e *PreviewEnv) next(p *Preview) string {
	pl := e.Plan
	switch {
	case p.Stale.Is():
		return "it is being planned anew"
	case pl.Denied():
		return "denied by policy: nothing is applied until the spec is mended"
	case len(pl.Plan.Steps) == 0 && pl.mends():
		return "see the mend lines above"
	case len(pl.Plan.Steps) == 0 && len(pl.Plan.Held) > 0:
		return "nothing is done while this is so"
	case len(pl.Plan.Steps) == 0 && pl.takesIn():
		return "no call is needed: it is taken into the ledger once this is merged"
	case len(pl.Plan.Steps) == 0:
		return "nothing to do"
	case pl.Next != "":
		return Escape(pl.Next)
	case e.Pinned > 0 && !e.asks():
		return "applied once this is merged and " + Escape(e.Env) + " is no longer pinned to " + p.sign() + strconv.Itoa(e.Pinned)
	case e.asks():
		return "approve: " + Code("isobar approve "+PlanID(pl.Plan.Digest))
	case pl.Mode == "observe":
		return "nothing is applied in mode observe"
	}
	return "applied once this is merged"
}

// banner is what is said above the table.
func (p *Preview) banner() string {
	var parts []string
	if p.Stale.Is() {
		parts = append(parts, "**Out of date**: "+p.moved()+" since. It is being planned anew.")
	}
	if p.Fork {
		parts = append(parts, "**From a fork**: evaluated without credentials, against what isobar saw last, and never applied before it is merged.")
	}
	if p.Merged == "" {
		parts = append(parts, p.pinned()...)
	}
	if len(p.Conflicts) > 0 {
		parts = append(parts, p.conflicts())
	}
	if p.Spec.Errors() > 0 {
		parts = append(parts, strings.TrimSuffix(shortened(FindingsMarkdown(p.Spec, "their environments were not planned"), findingBytes), "\n"))
	}
	if p.Placed > 0 {
		parts = append(parts, count(p.Placed, "error")+map[bool]string{true: " stands", false: " stand"}[p.Placed == 1]+" beside the lines of the change.")
	}
	if len(parts) == 0 {
		return ""
	}
	return "\n" + strings.TrimRight(strings.Join(parts, "\n\n"), "\n") + "\n"
}

// findingBytes bounds the findings that a banner shows.
const findingBytes = 12000

// moved says what a stale preview is out of date by.
func (p *Preview) moved() string {
	var parts []string
	if p.Stale.Head != "" {
		parts = append(parts, "the head has moved to "+Code(short(p.Stale.Head)))
	}
	if p.Stale.Base != "" {
		parts = append(parts, "the base branch has moved to "+Code(short(p.Stale.Base)))
	}
	if n := len(p.Stale.Envs); n > 0 {
		names := make([]string, 0, titleNames)
		for _, e := range p.Stale.Envs[:min(n, titleNames)] {
			names = append(names, Escape(e))
		}
		if more := n - titleNames; more > 0 {
			names = append(names, strconv.Itoa(more)+" more")
		}
		parts = append(parts, "something has changed in "+strings.Join(names, ", "))
	}
	return strings.Join(parts, ", and ")
}

// conflictFiles bounds the files that are named.
const conflictFiles = 20

func (p *Preview) conflicts() string {
	var b strings.Builder
	b.WriteString("**Nothing was planned**: " + Code(short(p.Head)) + " can't be merged on " + Code(short(p.Base)) + ". Merge the base branch into this one, or rebase it, and push.\n")
	for i, c := range p.Conflicts {
		if i == conflictFiles {
			b.WriteString("\n- and " + strconv.Itoa(len(p.Conflicts)-i) + " more")
			break
		}
		b.WriteString("\n- " + join(": ", Code(brief(clean(c.Path), 200)), Escape(brief(c.How, 100))))
	}
	return b.String()
}

// footerPlans bounds the digests that the last line names.
const footerPlans = 8

// footer says what was planned, and how all of it is approved.
func (p *Preview) footer() string {
	if p.Merged != "" {
		return "merged as " + Code(short(p.Merged))
	}
	var ids, asked []string
	for _, e := range p.ordered() {
		if e.Plan == nil || e.Plan.Plan.Digest == "" {
			continue
		}
		id := PlanID(e.Plan.Plan.Digest)
		ids = append(ids, id)
		if e.asks() && !p.Stale.Is() {
			asked = append(asked, id)
		}
	}
	what := "looked at"
	switch {
	case len(ids) == 1:
		what = "plan " + Code(ids[0])
	case len(ids) > 1 && len(ids) <= footerPlans:
		what = "plans " + Code(strings.Join(ids, " "))
	case len(ids) > 1:
		what = count(len(ids), "plan")
	}
	s := what
	if len(ids) > 0 {
		s += " of"
	}
	s += " " + Code(short(p.Head))
	if len(p.Conflicts) > 0 {
		s += " beside " + Code(short(p.Base))
	} else {
		s += " merged on " + Code(short(p.Base))
	}
	if !p.At.IsZero() {
		s += ", " + stamp(p.At)
	}
	if n := len(asked); n > 0 && n <= footerPlans {
		s += " · approve: " + Code("isobar approve "+strings.Join(asked, " "))
	}
	return s
}
