package review_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"isobar.dev/engine/review"
)

// rules are those of a repository that tells production from the rest.
func rules() review.Access {
	return review.Access{
		{Envs: "prod*", Approvers: []string{"@Ann", "bob", "shop/Leads"}, Appliers: []string{"bob"}, Approvals: 2},
		{Envs: "prod_eu", Approvers: []string{"eve"}, AuthorCounts: true},
		{Envs: "lab_*", Approvers: []string{review.Anybody}},
		{Envs: "closed", Approvers: []string{}},
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	ann, bob, eve := review.Person{Login: "ann", Writes: true}, review.Person{Login: "bob"}, review.Person{Login: "eve", Writes: true}
	lea, kim := review.Person{Login: "lea", Teams: []string{"Shop/leads"}}, review.Person{Login: "kim", Writes: true}
	stranger := review.Person{Login: "mallory"}
	byAnn := review.Pull{Author: "mei", Authors: []string{"mei", "ANN"}}
	byKim := review.Pull{Author: "kim"}
	const leads = "Ann, bob or shop/Leads may"
	for name, c := range map[string]struct {
		q    review.Ask
		none bool   // there are no rules
		want string // "" where they may
	}{
		"help":                        {q: review.Ask{Verb: review.Help, Env: "prod", Who: stranger}},
		"a stranger":                  {q: review.Ask{Verb: review.Plan, Env: "prod", Who: stranger}, want: "mallory may not ask for plans of prod: Ann, bob, shop/Leads or whoever may write to this repository may"},
		"who writes plans":            {q: review.Ask{Verb: review.Plan, Env: "prod", Who: kim}},
		"an approver plans":           {q: review.Ask{Verb: review.Plan, Env: "prod", Who: lea}},
		"by name":                     {q: review.Ask{Verb: review.Approve, Env: "prod", Who: bob, Pull: byAnn}},
		"by team":                     {q: review.Ask{Verb: review.Approve, Env: "prod", Who: lea, Pull: byAnn}},
		"no approver":                 {q: review.Ask{Verb: review.Approve, Env: "prod", Who: kim, Pull: byAnn}, want: "kim may not approve plans of prod: " + leads},
		"no name at all":              {q: review.Ask{Verb: review.Approve, Env: "prod", Pull: byAnn}, want: " may not approve plans of prod: " + leads},
		"an author of a commit":       {q: review.Ask{Verb: review.Approve, Env: "prod", Who: ann, Pull: byAnn}, want: "ann wrote some of this change, and prod wants somebody else to approve it: bob or shop/Leads may"},
		"an author waives":            {q: review.Ask{Verb: review.Waive, Env: "prod", Who: ann, Pull: byAnn}, want: "ann wrote some of this change, and prod wants somebody else to waive it: bob or shop/Leads may"},
		"an author rejects":           {q: review.Ask{Verb: review.Reject, Env: "prod", Who: ann, Pull: byAnn}},
		"no approver rejects":         {q: review.Ask{Verb: review.Reject, Env: "prod", Who: kim, Pull: byAnn}, want: "kim may not reject plans of prod: " + leads},
		"the only one":                {q: review.Ask{Verb: review.Approve, Env: "prod_eu", Who: eve, Pull: review.Pull{Author: "eve"}}},
		"the closer rule":             {q: review.Ask{Verb: review.Approve, Env: "prod_eu", Who: bob, Pull: byAnn}, want: "bob may not approve plans of prod_eu: eve may"},
		"anybody":                     {q: review.Ask{Verb: review.Approve, Env: "lab_1", Who: kim, Pull: byAnn}},
		"anybody but the author":      {q: review.Ask{Verb: review.Approve, Env: "lab_1", Who: kim, Pull: byKim}, want: "kim wrote some of this change, and lab_1 wants somebody else to approve it: whoever may write to this repository may"},
		"anybody who writes":          {q: review.Ask{Verb: review.Approve, Env: "lab_1", Who: bob, Pull: byAnn}, want: "bob may not approve plans of lab_1: whoever may write to this repository may"},
		"nobody":                      {q: review.Ask{Verb: review.Approve, Env: "closed", Who: ann, Pull: byKim}, want: "ann may not approve plans of closed: isobar.cue names nobody else under access"},
		"an applier":                  {q: review.Ask{Verb: review.Apply, Env: "prod", Who: bob, Pull: byAnn}},
		"no applier":                  {q: review.Ask{Verb: review.Apply, Env: "prod", Who: lea, Pull: byAnn}, want: "lea may not apply to prod: bob may"},
		"approvers apply unless told": {q: review.Ask{Verb: review.Apply, Env: "prod_eu", Who: eve, Pull: byAnn}},
		"a fork":                      {q: review.Ask{Verb: review.Apply, Env: "prod", Who: bob, Pull: review.Pull{Fork: true}}, want: "a change from a fork is never applied before it is merged: merge it first"},
		"cancel":                      {q: review.Ask{Verb: review.Cancel, Env: "prod", Who: lea}},
		"unpin":                       {q: review.Ask{Verb: review.Unpin, Env: "prod", Who: lea}},
		"others don't unpin":          {q: review.Ask{Verb: review.Unpin, Env: "prod", Who: kim, Pull: byAnn}, want: "kim may not end pins of prod: " + leads},
		"the author cancels":          {q: review.Ask{Verb: review.Cancel, Env: "prod", Who: kim, Pull: byKim}},
		"others don't cancel":         {q: review.Ask{Verb: review.Cancel, Env: "prod", Who: kim, Pull: byAnn}, want: "kim may not cancel runs of prod: " + leads},
		"a strange author":            {q: review.Ask{Verb: review.Cancel, Env: "prod", Who: stranger, Pull: review.Pull{Author: "mallory"}}, want: "mallory may not cancel runs of prod: " + leads},
		"no rule for it":              {q: review.Ask{Verb: review.Approve, Env: "staging", Who: kim, Pull: byKim}},
		"no rules":                    {none: true, q: review.Ask{Verb: review.Apply, Env: "prod", Who: kim, Pull: byKim}},
		"no rules, a stranger":        {none: true, q: review.Ask{Verb: review.Approve, Env: "prod", Who: stranger}, want: "mallory may not approve plans of prod: whoever may write to this repository may"},
		"no verb":                     {q: review.Ask{Verb: "dance", Env: "prod", Who: bob}, want: "nothing is known of dance: isobar help lists the commands"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := rules()
			if c.none {
				a = nil
			}
			if got := a.Decide(c.q); got.Why != c.want || got.May != (c.want == "") {
				t.Errorf("got %v %q, want %q", got.May, got.Why, c.want)
			}
		})
	}
}

func TestFor(t *testing.T) {
	t.Parallel()
	a := append(rules(), review.Rule{Envs: "*"}, review.Rule{Envs: "[ab]?_*"}, review.Rule{Envs: "*_1"}, review.Rule{Envs: "["})
	for env, want := range map[string]string{"prod": "prod*", "prod_eu": "prod_eu", "staging": "*", "lab_1": "lab_*", "ax_y": "[ab]?_*"} {
		if r, ok := a.For(env); !ok || r.Envs != want {
			t.Errorf("%s is under %q, want %q", env, r.Envs, want)
		}
	}
	if r, ok := rules().For("staging"); ok || r.Need() != 1 {
		t.Errorf("%+v", r)
	}
	b := review.Access{{Envs: "a*"}, {Envs: "*b"}, {Envs: "ab"}}
	if x, y, ok := b.Rivals("a_b"); !ok || x.Envs != "*b" || y.Envs != "a*" {
		t.Errorf("rivals %+v %+v", x, y)
	}
	if _, _, ok := b.Rivals("ab"); ok {
		t.Error("a rule that names the environment has a rival")
	}
	if _, _, ok := a.Rivals("lab_1"); ok {
		t.Error("a closer rule has a rival")
	}
	if got := strings.Join(a.Teams("prod"), " "); got != "shop/leads" {
		t.Errorf("teams %q", got)
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	person := func(login string) review.Person { return review.Person{Login: login, Writes: true} }
	given := []review.Approval{
		{By: person("bob"), Digest: "d1"},
		{By: person("BOB"), Digest: "d1"},
		{By: person("kim"), Digest: "d1"},
		{By: person("ann"), Digest: "d2"},
		{By: review.Person{Login: "lea", Teams: []string{"shop/leads"}}, Digest: "d1"},
	}
	got := rules().Tally("prod", "d1", review.Pull{Author: "mei"}, given)
	if !got.Done() || got.Have != 2 || got.Need != 2 || strings.Join(got.By, " ") != "bob lea" {
		t.Errorf("%+v", got)
	}
	if len(got.Not) != 1 || got.Not[0].Login != "kim" || got.Not[0].Why != "kim may not approve plans of prod: Ann, bob or shop/Leads may" {
		t.Errorf("left out: %+v", got.Not)
	}
	if got := rules().Tally("prod", "d1", review.Pull{Author: "bob"}, given); got.Done() || got.Have != 1 || len(got.Not) != 2 {
		t.Errorf("an author's counts: %+v", got)
	}
	if got := rules().Tally("prod", "d3", review.Pull{}, given); got.Have != 0 || got.Done() {
		t.Errorf("another digest's count: %+v", got)
	}
	if got := rules().Tally("prod", "", review.Pull{}, []review.Approval{{By: person("bob")}}); got.Have != 0 {
		t.Errorf("those of no plan count: %+v", got)
	}
	if got := review.Access(nil).Tally("prod", "d1", review.Pull{Author: "bob"}, given); !got.Done() || got.Need != 1 || got.Have != 1 || len(got.By) != 2 {
		t.Errorf("without rules: %+v", got)
	}
	if (review.Tally{}).Done() {
		t.Error("nothing asked for is done")
	}
}

// TestAccessLaws: whatever the rules, a stranger gets nothing but help, nobody's
// approval counts twice or for another digest, and a refusal says something.
func TestAccessLaws(t *testing.T) {
	t.Parallel()
	names := rapid.SampledFrom([]string{"ann", "@Ann", "bob", "org/a", "@org/A", "grp/", review.Anybody})
	logins := rapid.SampledFrom([]string{"ann", "Bob", "kim", "zed"})
	teams := rapid.SampledFrom([]string{"org/a", "grp"})
	rapid.Check(t, func(t *rapid.T) {
		var a review.Access
		for range rapid.IntRange(0, 3).Draw(t, "rules") {
			a = append(a, review.Rule{
				Envs: rapid.SampledFrom([]string{"prod", "p*", "*", "[", "x"}).Draw(t, "glob"), Approvers: rapid.SliceOf(names).Draw(t, "approvers"),
				Appliers: rapid.SliceOf(names).Draw(t, "appliers"), Approvals: rapid.IntRange(0, 3).Draw(t, "approvals"), AuthorCounts: rapid.Bool().Draw(t, "author"),
			})
		}
		person := func() review.Person {
			return review.Person{Login: logins.Draw(t, "login"), Teams: rapid.SliceOf(teams).Draw(t, "teams"), Writes: rapid.Bool().Draw(t, "writes")}
		}
		pull := review.Pull{Author: logins.Draw(t, "opened"), Authors: rapid.SliceOf(logins).Draw(t, "authors"), Fork: rapid.Bool().Draw(t, "fork")}
		for _, u := range review.Usages() {
			stranger := a.Decide(review.Ask{Verb: u.Verb, Env: "prod", Who: review.Person{Login: "mallory"}, Pull: review.Pull{Author: "mallory"}})
			if stranger.May != (u.Verb == review.Help) {
				t.Fatalf("a stranger: %s %+v", u.Verb, stranger)
			}
			d := a.Decide(review.Ask{Verb: u.Verb, Env: "prod", Who: person(), Pull: pull})
			if d.May == (d.Why != "") || strings.ContainsAny(d.Why, "@\n") {
				t.Fatalf("%s: %+v", u.Verb, d)
			}
		}
		var given []review.Approval
		for range rapid.IntRange(0, 6).Draw(t, "approvals") {
			given = append(given, review.Approval{By: person(), Digest: rapid.SampledFrom([]string{"d1", "d2"}).Draw(t, "digest")})
		}
		got := a.Tally("prod", "d1", pull, given)
		seen := map[string]bool{}
		for _, by := range got.By {
			by = strings.ToLower(by)
			if seen[by] {
				t.Fatalf("%s counts twice", by)
			}
			seen[by] = true
		}
		if got.Have > got.Need || got.Have > len(got.By) || got.Need < 1 || got.Done() && len(got.By) < got.Need {
			t.Fatalf("%+v", got)
		}
	})
}
