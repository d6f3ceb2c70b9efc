package view

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

const planted = "pL4nt3d"

// secretTree draws a value with a planted secret somewhere in it.
func secretTree(t *rapid.T, depth int) resource.Value {
	leaf := resource.String(planted + rapid.StringMatching(`[a-z]{0,3}`).Draw(t, "leaf"))
	if depth == 0 {
		return leaf
	}
	switch rapid.IntRange(0, 2).Draw(t, "shape") {
	case 0:
		return resource.List{resource.Int(1), secretTree(t, depth-1)}
	case 1:
		return resource.Map{"k": secretTree(t, depth-1), planted: resource.Bool(true)}
	}
	return leaf
}

func allFaces(p *Plan) map[string]string {
	drift, _ := p.DriftChat()
	return map[string]string{
		"text": p.Text(Page{Detail: true}), "narrow": p.Text(Page{Width: 40, Color: true}), "json": string(p.JSON()),
		"preview": PreviewMarkdown(preview(PreviewEnv{Env: "prod", Plan: p}), githubLimit), "markdown": Markdown([]*Plan{p}, false), "chat": chatText(p.Chat()), "drift": chatText(drift),
	}
}

// TestNoSecretInAnyFace plants secrets as sensitive fields, as fields that only
// the descriptor calls sensitive, and as the MAC of a Secret.
func TestNoSecretInAnyFace(t *testing.T) {
	t.Parallel()
	kinds := resource.Descriptors{"aws.db": {Kind: "aws.db", Fields: []resource.Field{
		{Name: "password", Type: "string", Sensitive: true},
		{Name: "users", Type: "list", Elem: &resource.Field{Type: "struct", Fields: []resource.Field{
			{Name: "name", Type: "string"}, {Name: "password", Type: "string", WriteOnly: true},
		}}},
	}}}
	actions := []plan.Action{plan.Create, plan.Update, plan.Replace, plan.Delete, plan.Adopt}
	rapid.Check(t, func(t *rapid.T) {
		user := func() resource.Value {
			return resource.List{resource.Map{"name": resource.String("ann"), "password": secretTree(t, 1)}}
		}
		cause := rapid.SampledFrom([]plan.Cause{plan.CauseSpec, plan.CauseDrift, plan.CauseDefault}).Draw(t, "cause")
		c := plan.Change{
			Address: addr("aws.db/main"), Action: rapid.SampledFrom(actions).Draw(t, "action"), ID: "db-1",
			Before: resource.Map{"password": secretTree(t, 2)}, After: resource.Map{"password": secretTree(t, 2)},
			Fields: []plan.FieldChange{
				{Path: resource.Path{"other"}, Before: secretTree(t, 2), After: secretTree(t, 2), Cause: cause, Sensitive: true},
				{Path: resource.Path{"password"}, Before: secretTree(t, 1), After: secretTree(t, 1), Cause: cause},
				{Path: resource.Path{"users"}, Before: user(), After: user(), Cause: cause},
				{Path: resource.Path{"key"}, After: resource.Secret{Name: "db", Version: "v1", MAC: planted}, Cause: cause},
				{Path: resource.Path{"url"}, After: resource.Template{resource.String("u="), resource.Secret{Name: "db", MAC: planted}}, Cause: cause},
			},
		}
		p := &Plan{Kinds: kinds, Plan: plan.Plan{Env: "prod", Digest: "0123456789", Changes: []plan.Change{c}, Steps: []plan.Step{{ID: "x", Want: c.After, Before: c.Before}}}}
		for name, s := range allFaces(p) {
			if strings.Contains(s, planted) {
				t.Fatalf("%s shows a secret:\n%s", name, s)
			}
		}
	})
}

// TestNoColorCodesWhenOff also shows that outside text cannot bring its own.
func TestNoColorCodesWhenOff(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		p := hostile()
		p.Plan.Changes[0].Fields[0].After = resource.String(s + "\x1b[0m")
		p.Plan.Changes[0].Reasons[0].Text = s
		p.Policy[0].Message = s
		for _, out := range []string{p.Text(Page{}), Markdown([]*Plan{p}, false), p.Chat().Head.Plain()} {
			for _, r := range out {
				if r != '\n' && string(r) != zeroWidth && !unicode.IsPrint(r) {
					t.Fatalf("an unprintable %U in:\n%q", r, out)
				}
			}
		}
	})
}

// TestLinesFit: what can be folded is folded to the width.
func TestLinesFit(t *testing.T) {
	t.Parallel()
	for _, line := range strings.Split(mixed().Text(Page{Width: 80}), "\n")[1:] {
		if wide(line) > 80 {
			t.Errorf("%d columns: %q", wide(line), line)
		}
	}
}

// TestOrderDoesNotMatter: the same changes in another order read the same.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	want := mixed().Text(Page{Detail: true})
	rapid.Check(t, func(t *rapid.T) {
		p := mixed()
		p.Plan.Changes = rapid.Permutation(p.Plan.Changes).Draw(t, "changes")
		p.Policy = rapid.Permutation(p.Policy).Draw(t, "policy")
		if got := p.Text(Page{Detail: true}); got != want {
			t.Fatalf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestJSONIsValid(t *testing.T) {
	t.Parallel()
	for _, p := range []*Plan{mixed(), calm(), hostile()} {
		var back PlanJSON
		if err := json.Unmarshal(p.JSON(), &back); err != nil {
			t.Fatal(err)
		}
		if back.Schema != SchemaVersion || len(back.Changes) != len(p.Plan.Changes) {
			t.Errorf("got %+v", back)
		}
	}
}

// TestAKeptRunReadsTheSame: every face of a run that was kept as JSON is the one
// that was told.
func TestAKeptRunReadsTheSame(t *testing.T) {
	t.Parallel()
	same := applied()
	same.Steps = append(same.Steps, Step{ID: "update", Address: addr("aws.subnet/a"), State: StepDone, Same: true})
	for _, told := range []*Run{
		partial(), applied(), same, refused(), held(), noneDone(), broken(), approved(),
		answered(Waiting, ""), answered(Planned, ""), answered(Stopped, ""), answered(Rejected, "rejected by ann"),
		answered(Superseded, ""), answered(Approved, "approved by ann"), lateRun(), tooSoon(), retried(), overRunCase(),
	} {
		var kept RunJSON
		if err := json.Unmarshal(told.JSON(), &kept); err != nil {
			t.Fatal(err)
		}
		back, err := kept.Run()
		if err != nil {
			t.Fatal(err)
		}
		want := runFaces(told)
		for i, f := range runFaces(back) {
			if f != want[i] {
				t.Errorf("%s, %s was told as\n%s\nand is shown as\n%s", told.ID, f.name, want[i].text, f.text)
			}
		}
	}
	bad := RunJSON{Environment: "prod", Held: []HeldJSON{{Address: "?"}}}
	if _, err := bad.Run(); err == nil {
		t.Error("an address that is none was taken")
	}
	bad = RunJSON{Environment: "prod", Steps: []RunStep{{Address: "?"}}}
	if _, err := bad.Run(); err == nil {
		t.Error("an address that is none was taken")
	}
}

// FuzzMarkdown: whatever text comes in, it cannot close its code span or
// block, start markup, or ping.
func FuzzMarkdown(f *testing.F) {
	f.Add("x```\n</details>@all")
	f.Add("| a | b |\n# h")
	f.Add("``` ` `` \\` &lt; http://x #1")
	f.Fuzz(func(t *testing.T, s string) {
		e := Escape(s)
		if strings.ContainsAny(e, "\n\r<>") {
			t.Fatalf("Escape(%q) = %q", s, e)
		}
		for i := range len(e) {
			if strings.IndexByte("`*_[]()|~#!", e[i]) >= 0 && (i == 0 || e[i-1] != '\\') {
				t.Fatalf("Escape(%q) leaves %q bare: %q", s, e[i], e)
			}
			if e[i] == '@' && !strings.HasPrefix(e[i+1:], zeroWidth) {
				t.Fatalf("Escape(%q) can ping: %q", s, e)
			}
		}
		if c := Code(s); c != "" {
			d := len(c) - len(strings.TrimLeft(c, "`"))
			inner := c[d : len(c)-d]
			if strings.ContainsAny(c, "\n\r") || longestRun(inner) >= d || !strings.HasSuffix(c, strings.Repeat("`", d)) {
				t.Fatalf("Code(%q) = %q", s, c)
			}
		}
		b := fence("diff", s)
		d := b[:strings.Index(b, "diff")]
		if longestRun(strings.TrimSuffix(strings.TrimPrefix(b, d), d+"\n")) >= len(d) {
			t.Fatalf("fence(%q) can be closed: %q", s, b)
		}
		for _, r := range said(s).Plain() + coded(s).Plain() {
			if !unicode.IsPrint(r) {
				t.Fatalf("of %q a chat would hold an invisible %U", s, r)
			}
		}
	})
}

func BenchmarkText(b *testing.B) {
	p := mixed()
	one := p.Plan.Changes
	for len(p.Plan.Changes) < 10000 {
		p.Plan.Changes = append(p.Plan.Changes, one...)
	}
	for b.Loop() {
		p.Text(Page{Width: 120})
	}
}

// TestManyCreatesAreFolded: what is created never buries what is deleted, and
// nothing is left out unsaid.
func TestManyCreatesAreFolded(t *testing.T) {
	t.Parallel()
	p := &Plan{Plan: plan.Plan{Env: "prod", Digest: "9c1e44b0aa"}}
	for i := range 300 {
		p.Plan.Changes = append(p.Plan.Changes, plan.Change{
			Address: resource.Address{Env: "prod", Provider: "aws", Kind: "vpc", Name: fmt.Sprintf("n%d", i)}, Action: plan.Create,
			Fields: []plan.FieldChange{
				{Path: resource.Path{"cidrBlock"}, After: resource.String("10.0.0.0/16")}, {Path: resource.Path{"label"}, After: resource.String("x")},
			},
		})
	}
	const note = "fields of what is created are not listed, 600 lines: add --full"
	short, long := p.Text(Page{}), p.Text(Page{Detail: true})
	if n := strings.Count(short, "\n"); n > 310 || !strings.Contains(short, note) || strings.Contains(short, "cidrBlock") {
		t.Errorf("%d lines:\n%.400s", n, short)
	}
	if n := strings.Count(long, "\n"); n < 900 || strings.Contains(long, note) {
		t.Errorf("with detail %d lines", n)
	}
	if md := Markdown([]*Plan{p}, false); !strings.Contains(md, note) {
		t.Error("the Markdown leaves fields out unsaid")
	}
	p.Plan.Changes = p.Plan.Changes[:40] // 80 lines of fields
	if text := p.Text(Page{}); strings.Contains(text, note) || strings.Count(text, "cidrBlock") != 40 {
		t.Errorf("a plan of 40 creates:\n%.400s", text)
	}
}

// TestDeniedDriftSaysSo: what a rule denies is not put back, and what drifted alone is
// shown beside it.
func TestDeniedDriftSaysSo(t *testing.T) {
	t.Parallel()
	text := mixed().Drifted().Text(Page{})
	for _, want := range []string{"policy: 1 denied", "denied by policy: isobar apply prod would put nothing back until the spec is mended"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said in\n%s", want, text)
		}
	}
	p := mixed()
	p.Policy = nil
	if text := p.Drifted().Text(Page{}); !strings.Contains(text, "to put it back: isobar apply prod") {
		t.Errorf("undenied drift is not said to be put back in\n%s", text)
	}
}

// TestTitlesSayTheCommand: what drifted is no plan, and what apply shows is
// apply's.
func TestTitlesSayTheCommand(t *testing.T) {
	t.Parallel()
	apply := mixed()
	apply.Verb = "apply"
	for want, p := range map[string]*Plan{
		"### isobar plan · prod · 6 changes, 1 held, 1 denied\n":    mixed(),
		"### isobar apply · prod · 6 changes, 1 held, 1 denied\n":   apply,
		"### isobar drift · prod · 3 resources drifted, 1 denied\n": mixed().Drifted(),
		"### isobar drift · prod · nothing drifted\n":               (&Plan{Plan: plan.Plan{Env: "prod"}}).Drifted(),
	} {
		got, _, _ := strings.Cut(Markdown([]*Plan{p}, false), "\n")
		if got+"\n" != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
