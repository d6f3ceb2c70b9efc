package policy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/plan"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/resource"
)

func TestDecisions(t *testing.T) {
	t.Parallel()
	open, shut := ingress(22, "0.0.0.0/0"), ingress(22, "10.0.0.0/8")
	terraform := `package main
deny[msg] {
	rc := input.resource_changes[_]
	rc.type == "aws_security_group"
	rc.change.after.ingress[_].cidr_blocks[_] == "0.0.0.0/0"
	msg := sprintf("%s is open to the world", [rc.address])
}`
	for name, c := range map[string]struct {
		rules string
		in    policy.Input
		want  string
	}{
		"a rule written for Terraform, in the older Rego": {terraform, group(t, open), `POL-301 error environments/prod/net.cue:40:2: aws.security_group/web: aws_security_group.web is open to the world (rule policies/p0.rego:2)
`},
		"one that breaks on two values says which": {`package main
limit := 1 if true
limit := 2 if true
deny contains "over" if limit > 0
`, group(t), `POL-308 error policies/p0.rego:3:1: policy deny broke: rule data.main.limit produced conflicting values: 1 at policies/p0.rego:2, 2 at policies/p0.rego:3
  mend: mend the rule: until it runs through, it counts as a denial
`},
		"and it lets the rest through": {terraform, group(t, shut), ""},
		"an object with everything": {`package main
# METADATA
# title: t
# custom: {id: X-1, mend: from metadata}
violation_x contains {"msg": "bad", "address": rc.address, "path": "tags.owner"} if some rc in input.resource_changes
`, group(t, open), `POL-301 error environments/prod/net.cue:50:5: aws.security_group/web: X-1: bad (rule policies/p0.rego:5)
  mend: from metadata
`},
		"its own id and mend win, isobar's address and Terraform's field name do": {`package main
# METADATA
# custom: {id: X-1, mend: from metadata}
warn_x contains {"msg": "hm", "address": "aws.security_group/web", "path": "ingress[0].cidr_blocks", "id": "X-2", "mend": "own"} if true
`, group(t, open), `POL-302 warning environments/prod/net.cue:44:3: aws.security_group/web: X-2: hm (rule policies/p0.rego:4)
  mend: own
`},
		"each body has its own place, and warnings come last": {`package main
warn contains "w" if true
deny contains "a" if true

deny contains "b" if true
deny contains "never" if false
`, group(t), `POL-301 error policies/p0.rego:3:1: a
POL-301 error policies/p0.rego:5:1: b
POL-302 warning policies/p0.rego:2:1: w
`},
		"an exception waives by suffix": {`package main
deny_ssh contains "x" if true
deny_rdp contains "y" if true
exception contains ["ssh"] if input.isobar.environment == "prod"
`, group(t), `POL-301 error policies/p0.rego:3:1: y
POL-303 note policies/p0.rego:2:1: x
`},
		"an exception in the older Rego waives a bare deny": {`package main
deny[msg] { msg = "x" }
exception[rules] { rules = [""] }
`, group(t), `POL-303 note policies/p0.rego:2:1: x
`},
		"a rule of one value": {`package main
deny := "no" if true
`, group(t), `POL-301 error policies/p0.rego:2:1: no
`},
		"an index in today's Rego is an object of true": {`package main
deny[msg] if msg := "no"
`, group(t), `POL-301 error policies/p0.rego:2:1: no
`},
		"a rule that breaks denies": {`package main
deny contains msg if {
	msg := "x"
	to_number("seven") > 3
}
deny contains "still asked" if true
`, group(t), `POL-308 error policies/p0.rego:4:2: policy deny broke: to_number: strconv.ParseFloat: parsing "seven": invalid syntax
  mend: mend the rule: until it runs through, it counts as a denial
POL-301 error policies/p0.rego:6:1: still asked
`},
		"a decision that nobody can read denies": {`package main
deny contains 7 if true
`, group(t), `POL-309 error policies/p0.rego:2:1: policy deny decided 7, which is neither a text nor an object with msg
  mend: let it give a text, or {"msg": …, "address": …}
`},
		"helpers of another package": {`package main
import data.lib
deny contains m if some m in lib.all
`, group(t), ""},
		"isobar's own object": {`package main
warn contains concat(" ", [i.environment, i.commit, i.actor, i.trigger, i.mode, i.spec[0].isobar.kind, i.spec[0].type]) if i := input.isobar
`, group(t), `POL-302 warning policies/p0.rego:2:1: prod 3f2a91c mei push auto aws.security_group aws_security_group
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := decide(t, compile(t, c.rules, "package lib\nall := []"), c.in)
			if got := lines(d.Findings()); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if denied := strings.Contains(c.want, " error "); d.Denied() != denied {
				t.Errorf("denied = %v", d.Denied())
			}
		})
	}
}

func TestPackDenies(t *testing.T) {
	t.Parallel()
	e, found := policy.Compile(t.Context(), pack(t, false), kinds(t))
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	got := lines(decide(t, e, group(t, ingress(22, "0.0.0.0/0"), ingress(443, "0.0.0.0/0"))).Findings())
	want := `POL-301 error environments/prod/net.cue:44:3: aws.security_group/web: SG-001: SSH (port 22) is open to the world (rule isobar/policies/open_ports.rego:15)
  mend: name the networks that need it, such as an office's or a VPN's block
`
	if got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	in := group(t)
	delete(in.Plan.Changes[0].After, "tags")
	if got := lines(decide(t, e, in).Findings()); !strings.Contains(got, "POL-302 warning environments/prod/net.cue:40:2: aws.security_group/web: TAG-001: it has no owner tag") {
		t.Errorf("got:\n%s", got)
	}
}

func TestRefusedAtCompile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ rules, want string }{
		"no Rego at all":    {"package main\n\ndeny contains msg if {\n\tmsg := \"x\"\n", "POL-304 error policies/p.rego:5: not valid Rego: the file ends too early\n"},
		"a slip of the pen": {"package main\n\ndeny contains msg if {\n\tmsg := := \"x\"\n}\n", "POL-304 error policies/p.rego:4:9: not valid Rego: unexpected "},
		"http.send": {
			"package main\n\ndeny contains \"x\" if http.send({\"url\": \"http://x\", \"method\": \"get\"}).status_code == 200\n",
			"POL-306 error policies/p.rego:3:22: http.send is not there for rules: they decide from the plan alone, without network, clock or chance\n",
		},
		"the clock":            {"package main\ndeny contains \"x\" if time.now_ns() > 0\n", "POL-306 error policies/p.rego:2:22: time.now_ns is not there"},
		"the environment":      {"package main\ndeny contains \"x\" if opa.runtime().env.HOME\n", "POL-306 error policies/p.rego:2:22: opa.runtime is not there"},
		"chance":               {"package main\ndeny contains \"x\" if rand.intn(\"a\", 2) == 1\n", "POL-306 error policies/p.rego:2:22: rand.intn is not there"},
		"name look-ups":        {"package main\ndeny contains \"x\" if net.lookup_ip_addr(\"a\")\n", "POL-306 error policies/p.rego:2:22: net.lookup_ip_addr is not there"},
		"a name nobody has":    {"package main\ndeny contains \"x\" if nosuch(1)\n", "POL-305 error policies/p.rego:2:22: undefined function nosuch\n"},
		"an empty file":        {"\n# nothing\n", "POL-304 error policies/p.rego: the file holds no rules\n"},
		"a field of no input":  {"package main\ndeny contains \"x\" if {\n\tsome r in input.resource_change\n\tr.type == \"aws_vpc\"\n}\n", "POL-310 warning policies/p.rego:3:12: deny: input has no field resource_change, so it is never there\n"},
		"a field of no isobar": {"package main\nwarn contains \"x\" if input.isobar.envs == \"prod\"\n", "POL-310 warning policies/p.rego:2:22: warn: input.isobar has no field envs, so it is never there\n"},
		"a rule in no package": {"package terraform\ndeny contains \"x\" if true\n", "POL-310 warning policies/p.rego:2:1: deny: the rule has no effect: its package is terraform, and only main is asked\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, found := policy.Compile(t.Context(), []policy.Module{{Path: "policies/p.rego", Source: c.rules}}, kinds(t))
			if got := lines(found); !strings.HasPrefix(got, c.want) || found[0].Mend == "" {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if (e == nil) != (found.Errors() > 0) {
				t.Errorf("engine %v with %d errors", e, found.Errors())
			}
			if f := found[0]; f.Where.Line > 0 && f.Severity == diag.Error && f.Excerpt == "" && f.Where.Line <= strings.Count(c.rules, "\n") {
				t.Errorf("no excerpt: %+v", f)
			}
			for _, f := range found {
				if _, ok := diag.Explain(f.Code); !ok {
					t.Errorf("%s has no page", f.Code)
				}
			}
		})
	}
}

func TestPureCIDRFunctionsStay(t *testing.T) {
	t.Parallel()
	e := compile(t, "package main\ndeny contains \"x\" if net.cidr_contains(\"10.0.0.0/8\", \"10.1.0.0/16\")\n")
	if !decide(t, e, group(t)).Denied() {
		t.Error("net.cidr_contains does not work")
	}
}

func TestSlowRuleHitsTheDeadline(t *testing.T) {
	t.Parallel()
	e := compile(t, `package main
deny_quick contains "quick" if true
deny_slow contains "x" if {
	some a in numbers.range(1, 100000)
	some b in numbers.range(1, 100000)
	a * b == -1
}
`)
	e.Deadline = 50 * time.Millisecond
	d := decide(t, e, group(t))
	want := "POL-307 error policies/p0.rego:3:1: policy deny_slow was still running after 50ms, the limit for all rules together; nothing was applied\n"
	if got := lines(d.Findings()); !d.Denied() || !strings.Contains(got, want) {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestSlowExceptionHitsTheDeadline(t *testing.T) {
	t.Parallel()
	e := compile(t, `package main
deny_x contains "x" if false
exception contains ["x"] if {
	some a in numbers.range(1, 100000)
	some b in numbers.range(1, 100000)
	a * b == -1
}
`)
	e.Deadline = 50 * time.Millisecond
	d := decide(t, e, group(t))
	if got := lines(d.Findings()); !d.Denied() || !strings.HasPrefix(got, "POL-307 error policies/p0.rego:3:1: policy exception was still running after 50ms") {
		t.Errorf("got:\n%s", got)
	}
}

func TestCancelledIsNoDecision(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := compile(t, "package main\ndeny contains \"x\" if false\n").Evaluate(ctx, policy.NewDocument(group(t)))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRegoTests(t *testing.T) {
	t.Parallel()
	mods := []policy.Module{
		{Path: "policies/a.rego", Source: "package main\ndeny contains \"x\" if input.isobar.actor\n"},
		{Path: "policies/a_test.rego", Source: "package main\ntest_yes if count(deny) == 1 with input as {\"isobar\": {\"actor\": \"mei\"}}\ntest_no if {\n\tprint(\"seen\")\n\tcount(deny) == 7\n}\ntodo_test_later if false\n"},
	}
	results, found := policy.Test(t.Context(), mods, kinds(t))
	if len(found) > 0 {
		t.Fatal(found)
	}
	got := make([]string, len(results))
	for i, r := range results {
		got[i] = fmt.Sprintf("%s %s.%s passed=%v skipped=%v %s", r.At, r.Package, r.Name, r.Passed, r.Skipped, strings.TrimSpace(r.Output))
	}
	want := []string{
		"policies/a_test.rego:2:1 main.test_yes passed=true skipped=false ",
		"policies/a_test.rego:3:1 main.test_no passed=false skipped=false seen",
		"policies/a_test.rego:7:1 main.todo_test_later passed=false skipped=true ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s", strings.Join(got, "\n"))
	}
	mods[1].Source = "package main\ntest_x if http.send({})\n"
	if _, found := policy.Test(t.Context(), mods, kinds(t)); len(found) != 1 || found[0].Code != "POL-306" {
		t.Errorf("http.send in a test: %v", found)
	}
}

// TestOrderDoesNotMatter: the same plan with its parts in another order, and
// the same files in another order, get the same decision.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	in := many(t, 30)
	mods := pack(t, false)
	e, _ := policy.Compile(t.Context(), mods, kinds(t))
	want := lines(decide(t, e, in).Findings())
	if strings.Count(want, "SG-001") < 5 {
		t.Fatalf("nothing is denied:\n%s", want)
	}
	rapid.Check(t, func(rt *rapid.T) {
		p := *in.Plan
		p.Changes = rapid.Permutation(p.Changes).Draw(rt, "changes")
		other := in
		other.Plan = &p
		other.Desired = rapid.Permutation(in.Desired).Draw(rt, "desired")
		shuffled, _ := policy.Compile(t.Context(), rapid.Permutation(mods).Draw(rt, "files"), kinds(t))
		if got := lines(decide(t, shuffled, other).Findings()); got != want {
			rt.Fatalf("got:\n%swant:\n%s", got, want)
		}
	})
}

// many is a plan of n changes to security groups, every fifth open to SSH.
func many(t testing.TB, n int) policy.Input {
	t.Helper()
	in := policy.Input{Kinds: kinds(t), Plan: &plan.Plan{Env: "prod"}}
	for i := range n {
		rules := resource.List{ingress(443, "0.0.0.0/0"), ingress(80, "10.0.0.0/8"), ingress(5432, "10.1.0.0/16")}
		if i%5 == 0 {
			rules = append(rules, ingress(22, "0.0.0.0/0"))
		}
		a := addr(t, fmt.Sprintf("aws.security_group/g%04d", i))
		f := resource.Map{
			"groupName": resource.String(a.Name), "vpcId": resource.String("vpc-1"), "ingress": rules, "description": resource.String("of " + a.Name),
			"tags": resource.Map{"owner": resource.String("net"), "stage": resource.String("prod")},
		}
		at := resource.Position{File: "environments/prod/net.cue", Line: i + 1, Col: 1}
		in.Plan.Changes = append(in.Plan.Changes, plan.Change{
			Address: a, Action: plan.Update, ID: resource.ID("sg-" + a.Name), Before: f, After: f, At: at,
			Fields: []plan.FieldChange{{Path: resource.Path{"ingress"}, Before: resource.List{}, After: rules, Cause: plan.CauseSpec}},
		})
		in.Desired = append(in.Desired, resource.Desired{Address: a, Fields: f, At: at})
		in.Live = append(in.Live, resource.Object{Address: a, ID: resource.ID("sg-" + a.Name), Fields: f})
	}
	return in
}

// mixed is a plan that makes n objects of the kinds that rules speak of, a
// fifth of them as no rule wants them.
func mixed(t testing.TB, n int) policy.Input {
	t.Helper()
	in := policy.Input{Kinds: kinds(t), Plan: &plan.Plan{Env: "prod"}}
	for i := range n {
		bad := i%30 < 6
		cidr, owner, session, network, size := "10.0.0.0/8", "owner", "required", "shop", "m7i.large"
		if bad {
			cidr, owner, session, network, size = "0.0.0.0/0", "Name", "optional", "VM Network", "m7i.48xlarge"
		}
		tags := resource.Map{owner: resource.String("mei")}
		kind, f := "aws.security_group", resource.Map{"groupName": resource.String("g"), "ingress": resource.List{ingress(443, "0.0.0.0/0"), ingress(22, cidr)}, "tags": tags}
		switch i % 6 {
		case 1:
			kind, f = "aws.instance", resource.Map{
				"instanceType": resource.String(size), "securityGroupIds": resource.List{resource.String("sg-1")}, "disableApiTermination": resource.Bool(!bad),
				"metadataOptions": resource.Map{"httpTokens": resource.String(session), "httpEndpoint": resource.String("enabled")},
				"rootVolume":      resource.Map{"encrypted": resource.Bool(!bad), "volumeType": resource.String("gp3")}, "tags": tags,
			}
		case 2:
			kind, f = "aws.volume", resource.Map{"size": resource.Int(10), "encrypted": resource.Bool(!bad), "tags": tags}
		case 3:
			kind, f = "aws.subnet", resource.Map{"cidrBlock": resource.String("10.0.0.0/24"), "mapPublicIpOnLaunch": resource.Bool(bad), "tags": tags}
		case 4:
			kind, f = "vsphere.vm", resource.Map{
				"numCPUs": resource.Int(4), "memoryMB": resource.Int(1024), "disks": resource.Map{"scsi0:0": resource.Map{"capacityMB": resource.Int(64)}},
				"networks": resource.Map{"ethernet0": resource.Map{"network": resource.String(network)}},
			}
		case 5:
			kind, f = "aws.bucket", bucketFields(t)
			f["publicAccessBlock"] = resource.Map{"blockPublicAcls": resource.Bool(!bad)}
			f["tags"] = tags
			if !bad {
				delete(f, "policy")
			}
		}
		a := addr(t, fmt.Sprintf("%s/n%05d", kind, i))
		at := resource.Position{File: "environments/prod/all.cue", Line: i + 1, Col: 1}
		in.Plan.Changes = append(in.Plan.Changes, plan.Change{Address: a, Action: plan.Create, After: f, At: at})
		in.Desired = append(in.Desired, resource.Desired{Address: a, Fields: f, At: at})
		in.Live = append(in.Live, resource.Object{Address: a, ID: resource.ID(a.Name), Fields: f})
	}
	return in
}

func BenchmarkEvaluate(b *testing.B) {
	e, _ := policy.Compile(b.Context(), pack(b, false), kinds(b))
	e.Deadline = time.Minute
	for _, c := range []struct {
		name  string
		in    policy.Input
		items int
	}{{"groups", many(b, 1000), 200}, {"mixed", mixed(b, 1000), 544}} {
		b.Run(c.name+"/document", func(b *testing.B) {
			for b.Loop() {
				policy.NewDocument(c.in)
			}
		})
		doc := policy.NewDocument(c.in)
		b.Run(c.name+"/rules", func(b *testing.B) {
			for b.Loop() {
				d, err := e.Evaluate(b.Context(), doc)
				if err != nil || len(d.Items) != c.items {
					b.Fatal(len(d.Items), err)
				}
			}
		})
	}
}

// TestOneDocumentManyReaders: an engine and a document serve evaluations at
// once, as the race detector sees.
func TestOneDocumentManyReaders(t *testing.T) {
	t.Parallel()
	e, _ := policy.Compile(t.Context(), pack(t, false), kinds(t))
	doc := policy.NewDocument(many(t, 10))
	got := make(chan string)
	for range 4 {
		go func() {
			d, err := e.Evaluate(t.Context(), doc)
			got <- fmt.Sprint(lines(d.Findings()), err)
		}()
	}
	first := <-got
	for range 3 {
		if other := <-got; other != first {
			t.Errorf("got:\n%sand:\n%s", first, other)
		}
	}
	if !strings.Contains(first, "SG-001") {
		t.Errorf("nothing is denied:\n%s", first)
	}
}

// TestAdoptedIsWarnedOf: a rule over an object that the plan only adopts warns;
// what the plan changes as well, and what names no object, is denied.
func TestAdoptedIsWarnedOf(t *testing.T) {
	t.Parallel()
	open := ingress(22, "0.0.0.0/0")
	named := `package main
deny_open contains {"msg": "open to the world", "address": rc.address} if some rc in input.resource_changes
`
	warned := "POL-311 warning environments/prod/net.cue:40:2: aws.security_group/web: open to the world; " +
		"it is adopted as it is, and denied once anything of it changes, and by isobar validate, which takes all for new (rule policies/p0.rego:2)\n"
	denied := "POL-301 error environments/prod/net.cue:40:2: aws.security_group/web: open to the world (rule policies/p0.rego:2)\n"
	differs := []plan.FieldChange{{Path: resource.Path{"tags", "owner"}, After: resource.String("net"), Cause: plan.CauseSpec}}
	mark, update := plan.Step{Op: ledger.Adopt}, plan.Step{Op: ledger.Update}
	for name, c := range map[string]struct {
		rules  string
		fields []plan.FieldChange
		steps  []plan.Step
		beside []plan.Change
		want   string
	}{
		"adopted":                        {rules: named, steps: []plan.Step{mark}, want: warned},
		"adopted by its mark, no call":   {rules: named, want: warned},
		"adopted, and left as it is":     {rules: named, fields: differs, steps: []plan.Step{mark}, want: warned},
		"adopted and changed":            {rules: named, fields: differs, steps: []plan.Step{mark, update}, want: denied},
		"beside one that waits to go":    {rules: named, steps: []plan.Step{mark}, beside: []plan.Change{{Action: plan.Delete, Deposed: true}}, want: denied},
		"named in the message alone":     {rules: "package main\n" + `deny contains "aws_security_group.web is open to the world" if true`, steps: []plan.Step{mark}, want: strings.Replace(warned, ": open", ": aws_security_group.web is open", 1)},
		"a decision that names nothing":  {rules: "package main\n" + `deny contains "not on a Friday" if true`, steps: []plan.Step{mark}, want: "POL-301 error policies/p0.rego:2:1: not on a Friday\n"},
		"a warning stays what it is":     {rules: strings.Replace(named, "deny", "warn", 1), steps: []plan.Step{mark}, want: strings.NewReplacer("POL-301 error", "POL-302 warning").Replace(denied)},
		"an exception waives it as ever": {rules: named + `exception contains ["open"] if true`, steps: []plan.Step{mark}, want: strings.NewReplacer("POL-301 error", "POL-303 note").Replace(denied)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := group(t, open)
			ch := &in.Plan.Changes[0]
			ch.Action, ch.Fields, ch.Before, ch.ID = plan.Adopt, c.fields, ch.After, "sg-1"
			for _, s := range c.steps {
				s.Address = ch.Address
				in.Plan.Steps = append(in.Plan.Steps, s)
			}
			for _, b := range c.beside {
				b.Address, b.At = ch.Address, ch.At
				in.Plan.Changes = append(in.Plan.Changes, b)
			}
			if got := lines(decide(t, compile(t, c.rules), in).Findings()); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
		})
	}
}
