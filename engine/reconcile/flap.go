package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/cycle"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
)

// ErrNotPaused says that no field is left alone under the name that a person
// gave.
var ErrNotPaused = errors.New("nothing is paused there")

// limit is how often the draft's estate has a field put back.
func (d *Draft) limit() plan.Flapping {
	return plan.Flapping{Times: d.Estate.Flapping.Times, Within: d.Estate.Flapping.Within}
}

// paused gives the fields that the draft's plan leaves as they were changed
// outside: only what would be put back unasked is fought over.
func (d *Draft) paused(now time.Time) map[string]string {
	if !d.unasked() {
		return nil
	}
	return d.limit().Paused(d.Job.Flaps, now)
}

// spurned gives what the draft's plan does not ask for again.
func (d *Draft) spurned(now time.Time) map[string]plan.Refusal {
	if !d.unasked() {
		return nil
	}
	return d.Job.Flaps.Spurned(now)
}

// unasked reports whether no person decides on the draft's plan, and something is
// kept that bears on it.
func (d *Draft) unasked() bool {
	return d.Spec.Mode == spec.ModeAuto && !d.Job.Destroy && len(d.Job.Flaps) > 0
}

// leftAlone counts the objects that drifted and of which a plan puts nothing back.
func leftAlone(p *plan.Plan) int {
	objects := map[resource.Address]bool{}
	for i := range p.Held {
		if h := &p.Held[i]; h.Why == plan.HeldFlapping || h.Outgrown() {
			objects[h.Address] = true
		}
	}
	for i := range p.Changes {
		delete(objects, p.Changes[i].Address)
	}
	return len(objects)
}

// flaps is what is kept of fields after a draft was made.
func (d *Draft) flaps(now time.Time) plan.Flaps {
	var left []string
	for _, h := range d.Plan.Held {
		if h.Why == plan.HeldFlapping {
			left = append(left, h.Address.Local()+"."+h.Field)
		}
	}
	return d.limit().Look(d.Job.Flaps, left, now).Past(d.holds)
}

// holds reports whether the plan holds something of the object whose field a name
// is, or can't tell all of it yet.
func (d *Draft) holds(name string) bool {
	of := func(a resource.Address) bool { return strings.HasPrefix(name, a.Local()+".") }
	return slices.ContainsFunc(d.Plan.Held, func(h plan.Held) bool { return of(h.Address) }) ||
		slices.ContainsFunc(d.Plan.Late, func(l plan.Late) bool { return of(l.Address) })
}

// refused gives the values that were refused in an apply at the cost of an
// interruption, by field.
func (d *Draft) refused(out *Outcome) map[string]plan.Refusal {
	all := map[string]plan.Refusal{}
	for i := range out.Results {
		r := &out.Results[i]
		var f *resource.Failure
		if !errors.As(r.Err, &f) || f.Interrupted == "" {
			continue
		}
		for j := range d.Plan.Changes {
			c := &d.Plan.Changes[j]
			for _, field := range c.Fields {
				if c.Address == r.Step.Address && field.Path.String() == f.Interrupted && !field.Sensitive {
					all[plan.FieldName(c.Address, field.Path)] = plan.RefusalOf(f, field.After, r.Ended)
				}
			}
		}
	}
	return all
}

// refusedAlone reports whether all that an apply left to do was refused at the cost of
// an interruption, so that the next look does nothing of it: again is when the first
// of it is asked for once more, zero where time changes nothing.
func (d *Draft) refusedAlone(out *Outcome) (sole bool, again time.Time) {
	if out.After == nil {
		return false, time.Time{}
	}
	refused := d.refused(out)
	for i := range out.After.Changes {
		c := &out.After.Changes[i]
		if c.Action != plan.Update {
			return false, time.Time{}
		}
		for _, f := range c.Fields {
			r, ok := refused[plan.FieldName(c.Address, f.Path)]
			if !ok {
				return false, time.Time{}
			}
			if sole = true; !r.Again.IsZero() && (again.IsZero() || r.Again.Before(again)) {
				again = r.Again
			}
		}
	}
	return sole, again
}

// putBack gives the fields that an apply set back to what they were before they
// were changed outside, each with who had changed it, where that is known.
func (d *Draft) putBack(out *Outcome) map[string]string {
	done := map[resource.Address][]*plan.Step{}
	for i := range out.Results {
		if r := &out.Results[i]; r.Outcome == apply.Done {
			done[r.Step.Address] = append(done[r.Step.Address], &r.Step)
		}
	}
	back := map[string]string{}
	for i := range d.Plan.Changes {
		c := &d.Plan.Changes[i]
		for _, f := range c.Fields {
			if f.Cause == plan.CauseDrift && slices.ContainsFunc(done[c.Address], func(s *plan.Step) bool { return sets(s, f.Path) }) {
				back[plan.FieldName(c.Address, f.Path)] = c.Drifter
			}
		}
	}
	return back
}

// sets reports whether a step is a creation or changes a field.
func sets(s *plan.Step, p resource.Path) bool {
	return s.Token == "" || slices.ContainsFunc(s.Changes, func(c resource.Change) bool { return c.Path.HasPrefix(p) || p.HasPrefix(c.Path) })
}

// flapsOf reads what a row keeps of fields; what can't be read is counted anew.
func flapsOf(row *store.Environment) plan.Flaps {
	var out plan.Flaps
	_ = json.Unmarshal(row.Flaps, &out)
	return out
}

func keepFlaps(row *store.Environment, f plan.Flaps) {
	if row.Flaps = nil; len(f) > 0 {
		row.Flaps = encoded(f)
	}
}

// Resume has fields set again that were left alone since they flap, or since what
// they are to be was refused at the cost of an interruption: those at
// addresses, those named as "aws.vpc/main.tags.owner", or all of the environment
// where nothing is named. It fails with ErrNotPaused for what is not.
func (d *Daemon) Resume(ctx context.Context, env string, names []string, by string) error {
	d.ready()
	row, err := d.Store.Environment(ctx, env)
	if err != nil {
		return err
	}
	paused := plan.Flaps{}
	for name, f := range flapsOf(&row) {
		if !f.Paused.IsZero() || f.Refused != nil {
			paused[name] = f
		}
	}
	fields, err := meant(env, names, paused)
	if err != nil {
		return err
	}
	e := store.AuditEntry{At: d.Runner.Now(), Kind: "resume", Env: env, Actor: by, Body: encoded(map[string][]string{"fields": fields})}
	if err := d.Store.Audit(ctx, e); err != nil {
		return err
	}
	return d.queue.add(ctx, env, cycle.Resumed{Fields: fields})
}

// meant gives the paused fields that a person's names stand for.
func meant(env string, names []string, paused plan.Flaps) ([]string, error) {
	all := slices.Sorted(maps.Keys(paused))
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no field of %s is", ErrNotPaused, env)
	}
	if len(names) == 0 {
		return all, nil
	}
	var out []string
	for _, n := range names {
		found := false
		for _, field := range all {
			if field == n || strings.HasPrefix(field, n+".") {
				out, found = append(out, field), true
			}
		}
		if !found {
			return nil, fmt.Errorf("%w: %s is not; in %s these are: %s", ErrNotPaused, n, env, strings.Join(all, ", "))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// resume forgets what was counted of fields.
func (t *turn) resume(fields []string) {
	f := flapsOf(&t.row)
	maps.DeleteFunc(f, func(name string, _ plan.Flap) bool { return slices.Contains(fields, name) })
	keepFlaps(&t.row, f)
}
