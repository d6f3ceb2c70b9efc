package view

import (
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/review"
)

// told is when the previews were made.
func told() time.Time { return time.Date(2026, 11, 24, 9, 12, 0, 0, time.UTC) }

// inEnv puts a plan into another environment.
func inEnv(env string, p *Plan) *Plan {
	p.Plan.Env = env
	for i := range p.Plan.Changes {
		p.Plan.Changes[i].Address.Env = env
	}
	for i := range p.Plan.Steps {
		p.Plan.Steps[i].Address.Env = env
	}
	return p
}

// stepsFor gives a plan a step a change.
func stepsFor(p *Plan) *Plan {
	ops := map[plan.Action]ledger.Op{plan.Create: ledger.Create, plan.Update: ledger.Update, plan.Replace: ledger.Create, plan.Delete: ledger.Delete}
	p.Plan.Steps = nil
	for i := range p.Plan.Changes {
		c := &p.Plan.Changes[i]
		op := ops[c.Action]
		p.Plan.Steps = append(p.Plan.Steps, plan.Step{ID: string(op) + " " + c.Address.Local(), Op: op, Address: c.Address, Want: c.After})
	}
	return p
}

// sumsOf are those of the steps to some addresses.
func sumsOf(p *Plan, only ...string) map[string]string {
	out := map[string]string{}
	for i := range p.Plan.Steps {
		for _, o := range only {
			if p.Plan.Steps[i].Address.Local() == o {
				out[p.Plan.Steps[i].ID] = p.Plan.Steps[i].Sum()
			}
		}
	}
	return out
}

// reviewed is a plan as a pull request's merge would make it, allowed by all rules.
func reviewed() *Plan {
	p := mixed()
	p.Policy, p.Plan.Held, p.Plan.Notes = p.Policy[:1], nil, nil
	p.Plan.Changes[1].Fields = p.Plan.Changes[1].Fields[:1]
	p.Plan.Changes[3].Fields = p.Plan.Changes[3].Fields[:1]
	p.Plan.Changes = p.Plan.Changes[:5]
	return stepsFor(p)
}

// some creates so many volumes.
func some(n int) *Plan {
	p := &Plan{Mode: "auto", Plan: plan.Plan{Env: "staging", Digest: "1a2b3c4d00"}}
	for i := range n {
		a := resource.Address{Env: "staging", Provider: "aws", Kind: "volume", Name: "data-" + string(rune('a'+i%26)) + string(rune('a'+i/26))}
		p.Plan.Changes = append(p.Plan.Changes, plan.Change{Address: a, Action: plan.Create, Fields: []plan.FieldChange{
			{Path: resource.Path{"size"}, After: resource.Int(20), Cause: plan.CauseSpec, At: at(9)}, {Path: resource.Path{"volumeType"}, After: resource.String("gp3"), Cause: plan.CauseDefault},
		}})
	}
	return stepsFor(p)
}

func preview(envs ...PreviewEnv) *Preview {
	return &Preview{
		Mark: review.Mark{Kind: review.Preview, Estate: "3f0c9a52e1", Pull: 42}, Head: "3f2a91c77ab0d2", Base: "77ab0d2f3a91c7", At: told(), Envs: envs,
	}
}

// twoEnvs is the usual case: one environment that waits, one in mode auto.
func twoEnvs() *Preview {
	return preview(PreviewEnv{Env: "staging", Plan: some(2)}, PreviewEnv{
		Env: "prod", Plan: reviewed(), Tally: review.Tally{Need: 2, Have: 1, By: []string{"ann"}, Not: []review.Left{{Login: "mei", Why: "mei wrote some of this change, and prod wants somebody else to approve it: ann or bob may"}}},
		Base: sumsOf(reviewed(), "vsphere.vm/db", "aws.bucket/logs"),
	})
}

func bare(p *Preview) *Preview {
	p.Envs = nil
	return p
}

// previews are the situations of a pull request.
func previews() map[string]*Preview {
	out := map[string]*Preview{}
	out["usual"] = twoEnvs()
	one := preview(twoEnvs().Envs[1])
	one.Envs[0].Base, one.Envs[0].Plan.Plan.Changes = nil, one.Envs[0].Plan.Plan.Changes[:4]
	one.Envs[0].Plan = stepsFor(one.Envs[0].Plan)
	out["base_unknown"] = one
	done := twoEnvs()
	done.Envs[1].Tally = review.Tally{Need: 2, Have: 2, By: []string{"ann", "bob"}}
	out["approved"] = done
	out["denied"] = preview(PreviewEnv{Env: "prod", Plan: stepsFor(mixed()), Tally: review.Tally{Need: 1}})
	out["nothing_changes"] = preview(PreviewEnv{Env: "staging", Plan: calm()})
	out["not_concerned"] = bare(twoEnvs())
	stale := twoEnvs()
	stale.Stale = Stale{Base: "a01bd22ffff", Envs: []string{"prod"}}
	out["stale"] = stale
	conflict := bare(twoEnvs())
	conflict.Conflicts = []Conflict{{"environments/prod/net.cue", "both changed it"}, {"environments/lab/x.cue", "deleted here, changed there"}}
	out["conflict"] = conflict
	errs := bare(twoEnvs())
	errs.Spec, errs.Placed = findings()[:2], 1
	out["spec_errors"] = errs
	broken := twoEnvs()
	broken.Envs[0] = PreviewEnv{Env: "lab", Why: "vCenter vc2: session refused (3 tries)", Mend: "renew the password of isobar@vsphere.local"}
	out["broken_environment"] = broken
	fork := twoEnvs()
	fork.Fork, fork.Envs[0].Seen, fork.Envs[0].Plan.Mode = true, time.Time{}, "approve"
	fork.Envs[1].Seen = told().Add(-3 * time.Hour)
	out["fork"] = fork
	over := preview(PreviewEnv{Env: "prod", Plan: beyond("auto")})
	for i := range over.Envs[0].Plan.Plan.Changes {
		over.Envs[0].Plan.Plan.Changes[i].Before = resource.Map{}
	}
	over.Envs[0].Plan = stepsFor(over.Envs[0].Plan)
	out["over_budget"] = over
	gone := preview(PreviewEnv{Env: "prod", Plan: calm(), Base: map[string]string{"delete aws.key/old": "abc", "update aws.vpc/main tags": "def"}})
	gone.Envs[0].Plan.Plan.Env = "prod"
	out["takes_back"] = gone
	onlyBase := preview(PreviewEnv{Env: "staging", Plan: some(2), Base: sumsOf(some(2), "aws.volume/data-aa", "aws.volume/data-ba")})
	out["base_only"] = onlyBase
	overlap := twoEnvs()
	overlap.Overlaps = []review.Overlap{
		{Pull: 41, Env: "prod", Both: []string{"aws.security_group/web"}, Alike: []string{"aws.volume/a", "aws.volume/b", "aws.volume/c", "aws.volume/d"}},
		{Pull: 43, Env: "prod", Theirs: []string{"aws.vpc/main"}, Ours: []string{"aws.instance/web"}},
	}
	out["overlaps"] = overlap
	gitlab := preview(twoEnvs().Envs[0])
	gitlab.Sign, gitlab.Overlaps, gitlab.Whole = "!", overlap.Overlaps[:1], "https://isobar.example/plans/42"
	out["gitlab"] = gitlab
	early := preview(PreviewEnv{Env: "prod", Plan: calm()}, twoEnvs().Envs[0])
	early.Envs[1].Pinned = 41
	early.Pins = []Pin{{Env: "prod", By: "ann", Since: told().Add(-time.Hour), Head: early.Head, Run: approved()}}
	out["pinned"] = early
	moved := twoEnvs()
	moved.Pins = []Pin{
		{Env: "lab", By: "ann", Since: told().Add(-time.Hour), Head: moved.Head, EndedBy: "bob"},
		{Env: "prod", By: "ann", Since: told().Add(-time.Hour), Head: "c0ffee00aa", Run: answered(Waiting, ""), Approved: "9c1e44b0aa", Differs: []string{"aws.vpc/main: tags.owner mei → kim"}},
		{Env: "staging", By: "bob", Since: told(), Head: moved.Head},
	}
	out["pinned_otherwise"] = moved
	for name, runs := range map[string][2]*Run{"merged_applied": {applied(), approved()}, "merged_partial": {applied(), partial()}, "merged_waiting": {nil, answered(Waiting, "")}, "merged_failed": {broken0(), partial()}} {
		m := twoEnvs()
		m.Merged, m.Envs[0].Run, m.Envs[1].Run = "b0b0b0b0b0", runs[0], runs[1]
		out[name] = m
	}
	out["hostile"] = evil()
	return out
}

func broken0() *Run {
	r := broken()
	r.Env = "staging"
	return r
}

// evil is a preview whose texts try to break out of it.
func evil() *Preview {
	bad := "x```\n</details></summary>@everyone <!-- --> | [a](http://evil.example) \x1b[31m\u202e #12 --> "
	p := preview(PreviewEnv{Env: "prod", Plan: hostile(), Tally: review.Tally{Need: 2, Have: 1, By: []string{bad}, Not: []review.Left{{Login: bad, Why: bad}}}, Base: map[string]string{"delete " + bad: "1"}},
		PreviewEnv{Env: bad, Why: bad, Mend: bad})
	p.Envs[0].Plan.Mode = "approve"
	p.Mark = review.Mark{Kind: bad, Estate: bad, Pull: 1, Of: bad}
	p.Head, p.Base, p.Sign, p.Whole = bad, bad, bad, "javascript:alert(1)"
	p.Spec, p.Stale = diag.List{{Severity: diag.Error, Message: bad, Mend: bad, Where: diag.Place{File: bad, Line: 1, Col: 1}, Excerpt: bad}}, Stale{Head: bad, Base: bad, Envs: []string{bad}}
	p.Overlaps = []review.Overlap{{Pull: 1, Env: bad, Both: []string{bad}}}
	p.Envs[0].Pinned = 12
	p.Pins = []Pin{{Env: bad, By: bad, Head: bad, EndedBy: bad}, {Env: bad, By: bad, Head: bad, Approved: "1", Differs: []string{bad}}}
	return p
}
