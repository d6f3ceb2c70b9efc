package view

import (
	"isobar.dev/engine/diag"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// Drifted is the plan's report reduced to what was changed outside: changes
// that have no such cause are left out, and so are fields and policy's
// decisions, but for those that keep it all from being put back. What could not be
// read is still held.
func (p *Plan) Drifted() *Plan {
	out := *p
	out.drift = true
	out.Plan.Changes, out.Plan.Steps, out.Plan.Held, out.Plan.Notes, out.Plan.Digest = nil, nil, nil, nil, ""
	out.Policy, out.Spec, out.Over = nil, nil, nil
	for _, n := range p.Plan.Notes {
		if n.Drift {
			out.Plan.Notes = append(out.Plan.Notes, n)
		}
	}
	for _, c := range p.Plan.Changes {
		if drifted(&c) {
			out.Plan.Changes = append(out.Plan.Changes, c)
		}
	}
	for _, f := range p.Policy {
		if f.Severity == diag.Error && len(out.Plan.Changes) > 0 {
			out.Policy = append(out.Policy, f)
		}
	}
	for _, h := range p.Plan.Held {
		if h.Why == plan.HeldUnread || h.Why == plan.HeldLate || h.Why == plan.HeldDoubt || h.Why == plan.HeldFlapping || h.Outgrown() {
			out.Plan.Held = append(out.Plan.Held, h)
		}
	}
	return &out
}

// drifts counts the resources that drifted.
func (p *Plan) drifts() int {
	of := map[resource.Address]bool{}
	for i := range p.Plan.Changes {
		of[p.Plan.Changes[i].Address] = true
	}
	for i := range p.Plan.Held {
		if p.Plan.Held[i].Outgrown() {
			of[p.Plan.Held[i].Address] = true
		}
	}
	return len(of)
}

// drifted reports whether drift is among a change's causes, and leaves only
// that in an update.
func drifted(c *plan.Change) bool {
	var why []plan.Reason
	for _, r := range c.Reasons {
		if r.Cause == plan.CauseDrift {
			why = append(why, r)
		}
	}
	var fields []plan.FieldChange
	for _, f := range c.Fields {
		if f.Cause == plan.CauseDrift || f.Conflict {
			fields = append(fields, f)
		}
	}
	if !c.Drifted() {
		return false
	}
	if c.Action == plan.Update {
		c.Reasons, c.Fields = why, fields
	}
	return true
}
