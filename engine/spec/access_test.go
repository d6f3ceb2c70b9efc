package spec

import (
	"reflect"
	"strings"
	"testing"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/review"
)

const estateHead = "package isobar\nimport \"isobar.dev/schemas\"\nschemas.#Estate\nestate: \"0123456789\"\n"

func TestAccess(t *testing.T) {
	t.Parallel()
	est, err := newLoader(t, Limits{}).Estate(t.Context(), repo(map[string]string{
		"prod":                        head,
		"environments/prod_eu/x.cue":  "package prod_eu\n",
		"environments/staging/x.cue":  "package staging\n",
		"environments/prod_lab/x.cue": "package prod_lab\n",
		"isobar.cue": estateHead + `access: "prod*": {approvers: ["@mei", "shop/leads", "renovate[bot]"], appliers: ["group/"], approvals: 2}
access: prod_eu: authorMayApprove: true
access: {
	staging: approvers: []
	"*_lab": approvers: ["*"]
	prd: {}
}
`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	at := func(line, col int) resource.Position {
		return resource.Position{File: "isobar.cue", Line: line, Col: col}
	}
	want := review.Access{
		{Envs: "*_lab", Approvers: []string{"*"}, Approvals: 1, At: at(9, 2)},
		{Envs: "prd", Approvers: []string{"*"}, Approvals: 1, At: at(10, 2)},
		{Envs: "prod*", Approvers: []string{"@mei", "shop/leads", "renovate[bot]"}, Appliers: []string{"group/"}, Approvals: 2, At: at(5, 9)},
		{Envs: "prod_eu", Approvers: []string{"*"}, Approvals: 1, AuthorCounts: true, At: at(6, 9)},
		{Envs: "staging", Approvers: []string{}, Approvals: 1, At: at(8, 2)},
	}
	for i := range est.Access {
		if i < len(want) && est.Access[i].At.Line != want[i].At.Line {
			t.Errorf("%s stands at %v", est.Access[i].Envs, est.Access[i].At)
		} else if i < len(want) {
			want[i].At = est.Access[i].At
		}
	}
	if !reflect.DeepEqual(est.Access, want) {
		t.Errorf("got  %+v\nwant %+v", est.Access, want)
	}
	wantFindings(t, est.Findings, []string{
		"5:9 SPEC-133 access: prod* is as close to prod_lab as *_lab is, which counts | name the environment in a rule of its own: \"prod_lab\": {…}",
		"10:2 SPEC-133 access: no environment is called prd | did you mean prod?",
	})
}

func TestAccessMistakes(t *testing.T) {
	t.Parallel()
	l := newLoader(t, Limits{})
	for name, c := range map[string]struct{ body, want string }{
		"glob":          {`"Prod": {}`, "6:2 SPEC-104 access.Prod: a glob of environments has lower-case letters, digits, _, *, ? and [a-z] | Who may approve and apply, by environments' names and globs: prod: {…}, \"prod_*\": {…}, \"*\": {…}"},
		"open class":    {`"[a": {}`, "6:2 SPEC-104 access: \"[a\" is no pattern | write one such as \"prod_*\""},
		"unknown field": {`prod: approver: ["mei"]`, "6:8 SPEC-102 field not allowed: approver | did you mean approvers?"},
		"unknown and wrong": {
			`prod: {approver: ["mei"], approvals: 0}`,
			"6:9 SPEC-102 field not allowed: approver | did you mean approvers?\n6:39 SPEC-104 access.prod.approvals: want >=1, got 0 | How many people must approve a plan, at least 1. An approval is of one plan, by its digest: a plan that differs wants new ones",
		},
		"no approvals":   {`prod: approvals: 0`, "6:19 SPEC-104 access.prod.approvals: want >=1, got 0 | How many people must approve a plan, at least 1. An approval is of one plan, by its digest: a plan that differs wants new ones"},
		"half approval":  {`prod: approvals: 1.5`, "6:19 SPEC-104 access.prod.approvals: want 1 or int, got 1.5 | How many people must approve a plan, at least 1. An approval is of one plan, by its digest: a plan that differs wants new ones"},
		"twice":          {`prod: approvers: ["mei", "@Mei"]`, "6:27 SPEC-110 access: prod: approvers: @Mei stands twice | keep one of them: letter case and a leading @ don't tell people apart"},
		"applies twice":  {`prod: appliers: ["shop/leads", "shop/leads/"]`, "6:33 SPEC-110 access: prod: appliers: shop/leads/ stands twice | keep one of them: letter case and a leading @ don't tell people apart"},
		"a mail address": {`prod: approvers: ["mei@example.com"]`, "6:20 SPEC-104 access.prod.approvers.0: \"mei@example.com\" has the wrong form | Who may approve and reject plans, and waive rules: logins, \"org/team\", or \"*\" for whoever may write to the repository"},
		"no list":        {`prod: approvers: "mei"`, "6:19 SPEC-104 access.prod.approvers: want a list, got \"mei\" | Who may approve and reject plans, and waive rules: logins, \"org/team\", or \"*\" for whoever may write to the repository"},
		"no struct":      {`prod: ["mei"]`, "6:8 SPEC-104 access.prod: want a struct, got [\"mei\"] | Who may approve and apply, by environments' names and globs: prod: {…}, \"prod_*\": {…}, \"*\": {…}"},
		"yes":            {`prod: authorMayApprove: "yes"`, "6:26 SPEC-104 access.prod.authorMayApprove: want bool, got \"yes\" | Whether who opened the pull request or made a commit of it may approve it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := l.Estate(t.Context(), repo(map[string]string{"prod": head, "isobar.cue": estateHead + "access: {\n\t" + c.body + "\n}\n"}))
			wantFindings(t, err, strings.Split(c.want, "\n"))
		})
	}
}

func TestUnapproved(t *testing.T) {
	t.Parallel()
	est := Estate{Access: review.Access{
		{Envs: "prod", Approvers: []string{"mei", "@Mei", "bob"}, Approvals: 3},
		{Envs: "closed", Approvers: []string{}, Approvals: 1},
		{Envs: "team", Approvers: []string{"shop/leads"}, Approvals: 9},
		{Envs: "fine", Approvers: []string{"mei", "bob"}, Approvals: 2},
	}}
	for env, want := range map[string]string{
		"prod":   "access: prod wants 3 approvals, and names 2 who can give one: no plan of a pull request is ever approved",
		"closed": "access: closed names nobody who may approve: no plan of a pull request is ever approved",
		"team":   "", "fine": "", "other": "",
	} {
		found := est.Unapproved(env, ModeApprove)
		switch {
		case want == "" && len(found) > 0, want != "" && (len(found) != 1 || found[0].Message != want || found[0].Severity != diag.Warning || found[0].Where.File != "isobar.cue"):
			t.Errorf("%s: %v, want %s", env, found, want)
		}
		if found := est.Unapproved(env, ModeAuto); len(found) > 0 {
			t.Errorf("nothing of %s waits in mode auto: %v", env, found)
		}
	}
}
