package view

import (
	"isobar.dev/engine/diag"
	"isobar.dev/engine/plan"
)

// budgetWord sorts what is said of a budget among findings.
const budgetWord = "budget"

// waits reports whether the plan waits for a person.
func (p *Plan) waits() bool {
	return !p.Denied() && len(p.Plan.Steps) > 0 && (p.Asked || p.Mode == "approve" || p.Mode == "auto" && p.Over != nil)
}

// over says that the plan goes beyond its budget of deletes, what follows from
// that, and what to do.
func (p *Plan) over() diag.Finding {
	f := diag.Finding{Severity: diag.Warning, Message: p.Over.Text(), Mend: "split the change, or raise deletes in the spec"}
	if p.Over.Undoes != "" {
		f.Mend = "write into the spec what it is now"
	}
	env, id := clean(p.Plan.Env), PlanID(p.Plan.Digest)
	switch {
	case p.waits():
		f.Message += ": it waits for an approval"
		f.Mend = "look at what goes, then isobar approve " + env + " " + id + "; or " + f.Mend
	case p.Denied(): // naming the plan does not help
	case p.Over.Undoes != "": // a person who applies it is asked
	case p.Mode == "" && id != "":
		f.Message += ": apply --auto-approve holds it"
		f.Mend = "look at what goes, then isobar apply " + env + " --plan " + id + "; or " + f.Mend
	}
	return f
}

// overRun says it of a run.
func overRun(over *plan.Excess) diag.Finding {
	return diag.Finding{Severity: diag.Warning, Message: over.Text()}
}
