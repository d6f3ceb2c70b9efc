package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"isobar.dev/engine/policy"
	"isobar.dev/policies"
)

// packRules gives the rules that come with isobar by their ids, each once.
func packRules(ctx context.Context) ([]policy.Rule, error) {
	files, err := policies.Rules()
	if err != nil {
		return nil, err
	}
	shared, err := policies.Shared()
	if err != nil {
		return nil, err
	}
	mods := make([]policy.Module, 0, len(files)+len(shared))
	for _, f := range slices.Concat(files, shared) {
		mods = append(mods, policy.Module{Path: f.Path, Source: f.Source})
	}
	e, found := policy.Compile(ctx, mods, nil)
	if err := found.Err(); err != nil {
		return nil, err
	}
	rules := e.Rules()
	slices.SortStableFunc(rules, func(a, b policy.Rule) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(rules, func(a, b policy.Rule) bool { return a.ID == b.ID }), nil
}

// policiesPage lists the rules that come with isobar, and says how a repository
// adds to them.
func policiesPage(rules []policy.Rule) string {
	var b strings.Builder
	b.WriteString("# Policies\n\n" + stamp + "\n")
	fmt.Fprintf(&b, policiesIntro, len(rules))
	b.WriteString("| code | | what |\n|---|---|---|\n")
	for _, r := range rules {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", r.ID, strings.ToLower(r.ID), verdict(r), cell(r.Title))
	}
	for _, r := range rules {
		fmt.Fprintf(&b, "\n### %s\n**%s.** %s", r.ID, r.Title, r.Reason)
		if r.Source != "" {
			fmt.Fprintf(&b, " Source: %s.", r.Source)
		}
		fmt.Fprintf(&b, "\n\nMend: %s.\n\n`%s` %s · [its file](../../%s)\n", r.Mend, r.Name, verdict(r), strings.TrimPrefix(r.At.File, "isobar/"))
	}
	b.WriteString(policiesOwn)
	return b.String()
}

func verdict(r policy.Rule) string {
	if r.Warns {
		return "warns"
	}
	return "denies"
}

const policiesIntro = `Rules in [Rego](https://www.openpolicyagent.org/docs/latest/policy-language/) judge every plan: a
deny stops it, a warning is shown with it. These %d come with isobar. A rule sees the objects that a
plan changes, so it never speaks of what is left alone. What would hold up everyday work only warns.

`

const policiesOwn = `
## What is adopted
Adopting an object, as isobar import does, writes isobar's mark on it and nothing else. So where a plan
adopts an object and does nothing else to it, a deny rule that names the object only warns, with POL-311, be it
one of isobar's or your own. The same rule denies the first plan that changes anything of the object, be it what
the rule is about or not, and one that adopts and changes it at once. A decision that names no object denies as ever.
` + "`isobar validate` judges every resource as if it were new, so that it goes on denying such a\nresource until it is mended or waived." + `

## Letting a case through
A waiver in the environment accepts a rule's findings, for one resource or all, until a day (in UTC) or for
good. It stays visible as a note in every plan. After its last day the rule decides as ever, and says that its
waiver has ended. A waiver for a rule or a kind that does not exist is warned of (POL-312).

    policy: waivers: [{rule: "NET-001", address: "aws.subnet/public", reason: "load balancers alone", until: "2027-06-30"}]

` + "An exception in `policies/` waives a rule by the part of its name after `deny_` or `warn_`:" + `

    package main
    exception contains ["public_subnet"] if input.isobar.environment == "sandbox"

An exception for a rule that does not exist is warned of (POL-310).

` + "`policy: packs: []` in the environment leaves out all rules of isobar's own; what rules import stays." + `

## Other limits
` + "[limits.rego](../../policies/limits.rego) holds the figures. A repository sets its own in a file such as\n`policies/limits.rego`:" + `

    package isobar.limits
    vm_cpus := 64
    instance_xlarge := 24

## Your own rules
` + "The `*.rego` files of `policies/` and of the directories in it, save those whose names begin with a dot, stand\n" +
	"beside isobar's: those of the branch that a\n" +
	"daemon follows; with `--rev`, those of the repository's own head or of `--base`, not those of the change\n" +
	"under review (a checkout of the change has it for its head: name `--base` there); for a work tree, its own. `package main` decides by `deny_NAME`, `violation_NAME` and `warn_NAME`, each a set of\n" +
	"texts or of objects with `msg` and, optionally, `address`, `path`, `id` and `mend`. The input has the shape of\n" +
	"Terraform's plan JSON, with `input.isobar` beside it: `environment`, `mode`, `trigger`, `commit`, `actor`, `digest`, all resources of\n" +
	"the environment as the spec wants them and as they are (`spec`, `live`), what is `held`, and the fields of each type (`kinds`).\n" +
	"[`data.isobar.plan`](../../policies/plan.rego) holds what isobar's rules use themselves." + `

    package main

    import data.isobar.plan

    # METADATA
    # title: A network outside the plan of addresses
    # custom: {id: OWN-001, mend: take a block of 10.64.0.0/10}
    deny_block contains {"msg": msg, "address": vpc.address, "path": "cidr_block"} if {
    	some vpc in plan.of_type("aws_vpc")
    	not net.cidr_contains("10.64.0.0/10", vpc.change.after.cidr_block)
    	msg := sprintf("%s lies outside 10.64.0.0/10", [vpc.change.after.cidr_block])
    }

` + "A decision's `msg` and `mend` are shown on one line and up to 600 characters long; of more than 1,000 decisions of\n" +
	"one rule, the rest is counted.\n" + `
Files named ` + "`data.json`, `data.yaml` or `data.yml`" + ` hold data for rules, below ` + "`data`" + ` and the names of their
directories, as in OPA's bundles: ` + "`policies/data.json`" + ` gives ` + "`data.blocks`, and `policies/net/data.yaml` gives `data.net.team`" + `.
All of them together may have 4 MiB. None may stand at ` + "`data.isobar` or `data.main`, nor where a rule is" + `.

Tests are rules named ` + "`test_NAME` in files `*_test.rego`; `isobar policy test` runs them, beside isobar's own rules" + `.
A test gives its rule as much of the input as it asks for:

    package main

    test_a_block_outside_is_denied if {
    	vpc := {"address": "aws_vpc.main", "type": "aws_vpc", "change": {"actions": ["create"], "after": {"cidr_block": "10.1.0.0/16"}}}
    	count(deny_block) == 1 with input as {"resource_changes": [vpc]}
    }

## Slips of the pen
A rule that asks for what is never there decides nothing, and nobody hears of it. So isobar checks rules against
what a plan can hold, and warns (POL-310) of fields that no kind has, such as ` + "`rc.change.after.cidr_blok`" + `, of lists that
are asked as if they were objects, of kinds that are none, such as ` + "`aws_vcp`" + `, of what neither a rule nor a file gives below
` + "`data`" + `, and of rules in a package that nobody asks. What a function is given is not looked into.
` + "`isobar policy test`" + ` tells of Terraform's types that isobar has not as well, on which a rule never decides.
`
