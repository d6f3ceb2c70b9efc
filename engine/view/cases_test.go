package view

import (
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

func addr(s string) resource.Address {
	a, err := resource.ParseAddress("prod/" + s)
	if err != nil {
		return resource.Address{}
	}
	return a
}

func at(line int) resource.Position {
	return resource.Position{File: "environments/prod/net.cue", Line: line, Col: 3}
}

func str(ss ...string) resource.List {
	out := make(resource.List, len(ss))
	for i, s := range ss {
		out[i] = resource.String(s)
	}
	return out
}

func rule(port int, cidr string) resource.Map {
	return resource.Map{"ipProtocol": resource.String("tcp"), "fromPort": resource.Int(port), "toPort": resource.Int(port), "cidrIpv4": resource.String(cidr)}
}

// mixed is one plan with a change of every sort.
func mixed() *Plan {
	subnet := resource.Ref{Address: addr("aws.subnet/b"), Out: "id"}
	return &Plan{
		Commit: "3f2a91c77ab0d2", Subject: "Move web to subnet b", Mode: "approve", Reads: 12, Took: 800 * time.Millisecond,
		Plan: plan.Plan{
			Env: "prod", Digest: "9c1e44b0a1a2a3a4", Kept: 1204,
			Steps: []plan.Step{{ID: "create aws.volume/data"}, {ID: "delete aws.key/old", Needs: []string{"create aws.volume/data"}}},
			Changes: []plan.Change{
				{
					Address: addr("aws.bucket/logs"), Action: plan.Create, At: at(60), Reasons: []plan.Reason{{Cause: plan.CauseSpec, At: at(60)}},
					Fields: []plan.FieldChange{
						{Path: resource.Path{"name"}, After: resource.String("logs"), Cause: plan.CauseSpec, At: at(61)},
						{Path: resource.Path{"acl"}, After: resource.String("private"), Cause: plan.CauseDefault},
						{Path: resource.Path{"tags"}, After: resource.Map{"owner": resource.String("net team")}, Cause: plan.CauseSpec, At: at(62)},
					},
				},
				{
					Address: addr("aws.instance/web"), Action: plan.Replace, ID: "i-0f3", Disruptive: true,
					Reasons: []plan.Reason{{Cause: plan.CauseSpec, At: at(31)}},
					Fields: []plan.FieldChange{
						{Path: resource.Path{"subnetId"}, Before: resource.String("subnet-a"), After: resource.Unknown{Because: subnet}, Cause: plan.CauseDependency, At: at(31), Replaces: true},
						{Path: resource.Path{"userData"}, Before: resource.String("#!/bin/sh\necho hello"), After: resource.String("#!/bin/sh\necho " + string(make([]byte, 400))), Cause: plan.CauseSpec, At: at(32)},
					},
				},
				{
					Address: addr("aws.security_group/web"), Action: plan.Update, Reasons: []plan.Reason{{Cause: plan.CauseSpec, At: at(44)}},
					Fields: []plan.FieldChange{
						{Path: resource.Path{"ingress"}, Before: resource.List{rule(22, "10.0.0.0/8"), rule(80, "0.0.0.0/0")}, After: resource.List{rule(80, "0.0.0.0/0"), rule(443, "0.0.0.0/0")}, Cause: plan.CauseSpec, At: at(44)},
						{Path: resource.Path{"tags", "a.b"}, Before: resource.String("443"), After: resource.Int(443), Cause: plan.CauseSpec, At: at(45), Conflict: true},
					},
				},
				{
					Address: addr("vsphere.vm/db"), Action: plan.Update, Disruptive: true,
					Reasons: []plan.Reason{{Cause: plan.CauseDrift, Text: `changed outside by VSPHERE.LOCAL\alice 09:12`}},
					Fields: []plan.FieldChange{
						{Path: resource.Path{"numCPUs"}, Before: resource.Int(8), After: resource.Int(4), Cause: plan.CauseDrift},
						{Path: resource.Path{"adminPassword"}, Before: resource.String("hunter2"), After: resource.Secret{Name: "db/shop", Version: "v7"}, Cause: plan.CauseSpec, At: at(70), Sensitive: true},
					},
				},
				{Address: addr("aws.key/old"), Action: plan.Delete, ID: "key-1", Reasons: []plan.Reason{{Cause: plan.CauseSpec, Text: "no longer in the spec"}}},
				{Address: addr("aws.volume/data"), Action: plan.Create, At: at(80), Reasons: []plan.Reason{{Cause: plan.CauseDrift, Text: "deleted outside by bob"}}},
			},
			Held: []plan.Held{{
				Address: addr("aws.vpc/main"), Action: plan.Delete, Why: plan.HeldProtect, Text: "it is protected by preventDestroy",
				Mend: "first apply a spec with preventDestroy: false, then remove it",
			}},
			Notes: []plan.Note{{Address: addr("aws.vpc/lab"), Text: "a value is pending"}},
		},
		Policy: diag.List{
			{Code: "POL-301", Severity: diag.Warning, Where: diag.Place{File: "environments/prod/net.cue", Line: 44, Col: 3}, Subject: "aws.security_group/web", Message: "SG-004: open to the world on 443", Mend: "restrict the source"},
			{Code: "POL-301", Severity: diag.Error, Where: diag.Place{File: "environments/prod/net.cue", Line: 12}, Subject: "aws.security_group/web", Message: "SG-001: SSH is open to the world", Mend: "name the networks that need it"},
		},
	}
}

// calm is a plan with nothing to do.
func calm() *Plan {
	return &Plan{Commit: "3f2a91c", Reads: 1, Took: 90 * time.Millisecond, Plan: plan.Plan{Env: "staging", Kept: 96}}
}

// locked is a plan of a session that nobody lets in, and of things held for
// reasons of their own.
func locked() *Plan {
	p := &Plan{Commit: "3f2a91c", Took: 90 * time.Millisecond, Plan: plan.Plan{Env: "prod"}}
	for i, a := range []string{"aws.subnet/a", "aws.subnet/b", "aws.subnet/c", "aws.vpc/main", "aws.vpc/side"} {
		h := plan.Held{Address: addr(a), Action: plan.Create, Why: plan.HeldUnread, Text: "it could not be read: sts:GetCallerIdentity: connection refused"}
		if i == 3 {
			p.Plan.Held = append(p.Plan.Held, plan.Held{Address: addr("aws.volume/a"), Action: plan.Delete, Why: plan.HeldBudget, Text: "2 deletes, 1 allowed", Mend: "raise deletes.max"})
			p.Plan.Held = append(p.Plan.Held, plan.Held{Address: addr("aws.volume/b"), Action: plan.Replace, Why: plan.HeldBudget, Text: "2 deletes, 1 allowed", Mend: "raise deletes.max"})
		}
		p.Plan.Held = append(p.Plan.Held, h)
	}
	return p
}

// lately is what was written so lately that not all of it can be told yet.
func lately() []plan.Late {
	wrote := time.Date(2026, 11, 24, 12, 1, 10, 0, time.UTC)
	return []plan.Late{
		{Address: addr("aws.subnet/a"), Fields: []string{"tags"}, Wrote: wrote.Add(time.Minute), Until: wrote.Add(6 * time.Minute)},
		{Address: addr("aws.vpc/main"), Fields: []string{"enableDnsSupport", "tags"}, Mark: true, Wrote: wrote, Until: wrote.Add(5 * time.Minute)},
	}
}

// late is a plan right after an apply whose writes do not show yet: one object is
// as wanted as far as is known, and one is held for it.
func late() *Plan {
	p := calm()
	p.Plan.Late = lately()[1:]
	p.Plan.Held = []plan.Held{{
		Address: addr("aws.subnet/a"), Action: plan.Update, Why: plan.HeldLate,
		Text: "tags still reads as before: isobar wrote it 2 minutes ago, and reads may trail that until 12:08 UTC",
		Mend: "wait until 12:08 UTC, then apply again; isobar serve does so by itself", Late: &lately()[0],
	}}
	return p
}

// remarked is a plan that puts lost marks back, beside what cannot be.
func remarked() *Plan {
	gone := plan.Reason{Cause: plan.CauseDrift, Text: plan.MarkGone}
	return &Plan{Commit: "3f2a91c", Mode: "auto", Plan: plan.Plan{
		Env: "prod", Digest: "00000000ffff", Steps: []plan.Step{{ID: "mark aws.vpc/main"}, {ID: "mark aws.vpc/side"}, {ID: "update aws.vpc/side tags"}},
		Changes: []plan.Change{
			{Address: addr("aws.vpc/main"), Action: plan.Adopt, Reasons: []plan.Reason{gone}, At: at(4)},
			{
				Address: addr("aws.vpc/side"), Action: plan.Update, Reasons: []plan.Reason{{Cause: plan.CauseDrift, Text: "changed outside"}, gone},
				Fields: []plan.FieldChange{{Path: resource.Path{"tags", "owner"}, After: resource.String("mei"), Cause: plan.CauseDrift}},
			},
		},
		Notes: []plan.Note{
			{Address: addr("aws.bucket/logs"), Drift: true, Text: plan.MarkGone + ": deleting it is refused until isobar import prod aws.bucket/logs shop-logs puts it back"},
			{Address: addr("aws.vpc/lab"), Text: "a value is pending"},
		},
	}}
}

// hostile is a plan whose texts try to break out of every face.
func hostile() *Plan {
	bad := "x```\n</details>@everyone <!channel> | [a](http://evil.example) \x1b[31m\u202e #12"
	return &Plan{
		Commit: "3f2a91c", Subject: bad, Reads: 1,
		Plan: plan.Plan{
			Env: "prod", Digest: "00000000ffff", Steps: []plan.Step{{ID: "update aws.vpc/main"}},
			Changes: []plan.Change{{
				Address: addr("aws.vpc/main"), Action: plan.Update, Disruptive: true, Reasons: []plan.Reason{{Cause: plan.CauseDrift, Text: "changed outside by " + bad}},
				Fields: []plan.FieldChange{{Path: resource.Path{"tags", bad}, Before: resource.String(bad), After: str(bad), Cause: plan.CauseDrift}},
			}},
		},
		Policy: diag.List{{Severity: diag.Warning, Message: bad, Mend: bad, Where: diag.Place{File: "a\x1b.cue", Line: 1}}},
	}
}

func partial() *Run {
	t := time.Date(2026, 11, 24, 9, 14, 0, 0, time.UTC)
	return &Run{
		ID: "r-12", Env: "prod", Commit: "3f2a91c77ab0d2", Subject: "Move web to subnet b", By: "mei", Pull: "#42",
		Plan: "9c1e44b0a1a2a3a4", State: Partial, Changes: 5, Took: 80 * time.Second, Drift: -1, Again: t.Add(11 * time.Minute), Trigger: "push",
		Steps: []Step{
			{ID: "create aws.volume/data", Address: addr("aws.volume/data"), Op: ledger.Create, State: StepDone, At: t, Took: 4 * time.Second},
			{ID: "update vsphere.vm/db size", Address: addr("vsphere.vm/db"), Op: ledger.Update, Aspect: "size", State: StepFailed, At: t.Add(time.Minute), Text: "insufficient resources on cluster A", RequestID: "task-811", Mend: "free memory on cluster A"},
			{ID: "delete aws.key/old", Address: addr("aws.key/old"), Op: ledger.Delete, State: StepWaiting, Text: "waits for vsphere.vm/db"},
		},
	}
}

func applied() *Run {
	r := partial()
	r.State, r.Drift, r.Again = Applied, 0, time.Time{}
	r.Steps = r.Steps[:1]
	r.Changes = 1
	return r
}

// lateRun is a run that put drift back, and could not read all of it again.
func lateRun() *Run {
	r := applied()
	r.Drifted, r.Back, r.Late = 1, 1, lately()
	r.Steps = append(r.Steps, Step{ID: "mark aws.vpc/main", Address: addr("aws.vpc/main"), Op: ledger.Adopt, State: StepDone, Took: time.Second})
	return r
}

// tooSoon is a run that held what stood on a late read.
func tooSoon() *Run {
	r := applied()
	r.Lost = late().Plan.Held
	return r
}

func refused() *Run {
	return &Run{Env: "prod", Commit: "3f2a91c", State: Denied, Changes: 2, Drift: -1, Policy: mixed().Policy[1:], Why: "1 rule"}
}

// held is a run of a daemon that could do a part.
func held() *Run {
	r := applied()
	r.Lost, r.Daemon = locked().Plan.Held, true
	return r
}

// noneDone is a run that took notes into the ledger and held the rest.
func noneDone() *Run {
	return &Run{ID: "r-13", Env: "prod", State: Applied, Lost: locked().Plan.Held[:1]}
}

// broken is a commit that a daemon could not plan.
func broken() *Run {
	return &Run{ID: "r-14", Env: "prod", Commit: "3f2a91c", State: Failed, Drift: -1, Spec: findings()[:1], Daemon: true}
}

func findings() diag.List {
	return diag.List{
		{Code: "SPEC-102", Severity: diag.Error, Where: diag.Place{File: "environments/prod/net.cue", Line: 14, Col: 16}, Subject: "aws.vpc/main", Message: "field not allowed: cidrBlok", Mend: "did you mean cidrBlock?", Excerpt: "    vpc: main: cidrBlok: \"10.0.0.0/16\"", Width: 8},
		{Code: "SPEC-103", Severity: diag.Error, Where: diag.Place{File: "environments/prod/net.cue", Line: 9}, Message: "unreadable"},
		{Code: "SPEC-200", Severity: diag.Warning, Where: diag.Place{File: "isobar.cue", Line: 1, Col: 2}, Message: "tab\there", Excerpt: "\tx: \"é\x1b\"", Width: 1},
	}
}

func status() []Status {
	return []Status{
		{Env: "prod", Mode: "approve", Commit: "3f2a91c77ab0d2", State: "waiting", Drift: 1, Checked: 8 * time.Second, Resources: 412, Note: "plan 9c1e-44b0 needs 1 of 2 approvals"},
		{Env: "staging", Mode: "auto", Commit: "3f2a91c", State: "in sync", Checked: 3 * time.Second, Resources: 96},
		{Env: "lab", Mode: "observe", Commit: "a01bd22", State: "unreadable", Drift: -1, Checked: 4 * time.Minute, Resources: 1031, Note: "vCenter vc2: session refused (3 tries)"},
	}
}

// followed are environments as a daemon leaves them that follows their repository.
func followed(rows []Status) []Status {
	for i := range rows {
		rows[i].Repo = "shop"
		rows[i].Checked += 3 * time.Hour
	}
	return rows
}

func runLines() []RunLine {
	return []RunLine{
		{ID: "r-12", Env: "prod", Commit: "3f2a91c77ab0d2", State: Partial, Changes: 5, Ago: 3 * time.Hour, Took: 80 * time.Second, Note: "1 failed", Trigger: "retry"},
		{ID: "r-11", Env: "staging", Commit: "3f2a91c", State: Applied, Changes: 1, Ago: 50 * time.Hour, Took: 62 * time.Minute},
	}
}

// answered is a run that waited, once somebody or something said how it ends.
func answered(state State, verdict string) *Run {
	return &Run{
		ID: "r-15", Env: "prod", Commit: "3f2a91c77ab0d2", Subject: "Move web to subnet b", By: "mei", Plan: "9c1e44b0a1a2a3a4",
		State: state, Verdict: verdict, Decided: time.Date(2026, 11, 24, 9, 12, 5, 0, time.UTC), Changes: 5, Took: time.Second, Drift: -1, Daemon: true, Policy: mixed().Policy[:1],
	}
}

// approved is a run that a person let go on.
func approved() *Run {
	r := applied()
	r.Verdict, r.Back, r.Daemon, r.Decided = "approved by ann", 1, true, time.Date(2026, 11, 24, 9, 12, 5, 0, time.UTC)
	return r
}

// cancelled is a daemon's run that was ended half-way.
func cancelled(h Halt) *Run {
	r := partial()
	r.State, r.Halt, r.Daemon, r.Again, r.Verdict = Cancelled, &h, true, time.Time{}, "approved by ann"
	r.Steps[1].State, r.Steps[1].Text, r.Steps[1].RequestID, r.Steps[1].Mend = StepWaiting, "", "", ""
	return r
}

// withdrawn is a run that was cancelled while its plan waited.
func withdrawn() *Run {
	r := answered(Cancelled, "")
	r.Halt = &Halt{By: "bob", At: partial().Steps[0].At}
	return r
}

// stopping is a run that was cancelled and has a call under way still.
func stopping() *Run {
	r := cancelled(Halt{By: "bob", At: partial().Steps[0].At})
	r.State, r.Verdict = Applying, ""
	r.Steps[1].State, r.Steps[1].Took = StepRunning, 40*time.Second
	return r
}

// retried is a run that went well at its second retry.
func retried() *Run {
	r := applied()
	r.Trigger, r.Retry, r.Daemon = "retry", 2, true
	return r
}

// beyond is a plan that deletes more than it may unasked.
func beyond(mode string) *Plan {
	p := calm()
	p.Mode, p.Plan.Digest, p.Plan.Env = mode, "9c1e44b0a1a2a3a4", "prod"
	p.Over = &plan.Excess{Goes: 3, Owned: 12, Limit: 2, Settings: "deletes: max: 2"}
	for _, a := range []string{"aws.volume/a", "aws.volume/b", "aws.volume/c"} {
		p.Plan.Changes = append(p.Plan.Changes, plan.Change{Address: addr(a), Action: plan.Delete, ID: "vol-1", Reasons: []plan.Reason{{Cause: plan.CauseSpec, Text: "no longer in the spec"}}})
		p.Plan.Steps = append(p.Plan.Steps, plan.Step{ID: "delete " + a})
	}
	return p
}

// overRunCase is a run that waits with it.
func overRunCase() *Run {
	return &Run{
		ID: "r-16", Env: "prod", Commit: "3f2a91c77ab0d2", Plan: "9c1e44b0a1a2a3a4", State: Waiting, Changes: 3, Drift: -1, Daemon: true,
		Over: beyond("auto").Over, Trigger: "push",
	}
}
