package review_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"isobar.dev/engine/review"
)

// said writes what a comment comes to: a line a command or mistake.
func said(body string) string {
	commands, mistakes := review.Parse(body)
	var out []string
	for _, c := range commands {
		out = append(out, fmt.Sprintf("%d %s", c.Line, c))
	}
	for _, m := range mistakes {
		out = append(out, m.String())
	}
	return strings.Join(out, "\n")
}

func TestParse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, want string }{
		"plan":            {"isobar plan", "1 isobar plan"},
		"environments":    {"isobar plan prod staging prod", "1 isobar plan prod staging"},
		"slash, capitals": {"  /ISObar Plan prod\r\n", "1 isobar plan prod"},
		"among prose":     {"Looks good.\n\nisobar approve 9c1e-44b0\n\nThanks!", "3 isobar approve 9c1e-44b0"},
		"digests":         {"isobar approve 9C1E-44b0 1a2b3c4d5e", "1 isobar approve 9c1e-44b0 1a2b3c4d5e"},
		"as code":         {"isobar approve `9c1e-44b0`", "1 isobar approve 9c1e-44b0"},
		"as on the shell": {"isobar approve prod 9c1e-44b0", "1 isobar approve prod 9c1e-44b0"},
		"reject":          {"isobar reject 9c1e-44b0", "1 isobar reject 9c1e-44b0"},
		"cancel":          {"isobar cancel\nisobar cancel 01HF-x_2", "1 isobar cancel\n2 isobar cancel 01HF-x_2"},
		"help":            {"isobar help apply", "1 isobar help"},
		"apply":           {"/isobar apply prod", "1 isobar apply prod"},
		"waive": {
			`isobar waive SG-004 aws.security_group/web --reason "a public site" --until 2027-01-31`,
			`1 isobar waive SG-004 aws.security_group/web --reason "a public site" --until 2027-01-31`,
		},
		"waive, in other forms": {
			"isobar waive --until=2027-01-31 SG-004 prod/aws.security_group/web —reason “it’s a \"public\" site”",
			`1 isobar waive SG-004 prod/aws.security_group/web --reason "it’s a \"public\" site" --until 2027-01-31`,
		},
		"waive, unquoted": {
			"isobar waive SG-004 --reason it's a public site --until 2027-01-31",
			`1 isobar waive SG-004 --reason "it's a public site" --until 2027-01-31`,
		},
		"single quotes": {`isobar waive A --reason='a "b" c' --until '2027-01-31'`, `1 isobar waive A --reason "a \"b\" c" --until 2027-01-31`},

		"no command":     {"isobars are lines of equal pressure\nthe isobar plan\n- isobar plan\n`isobar plan`", ""},
		"code":           {"```\nisobar plan\n```\n~~~~ sh\nisobar plan\n~~~\nisobar plan\n~~~~\nisobar help", "9 isobar help"},
		"open code":      {"```\nisobar plan", ""},
		"no fence":       {"```isobar` plan```\nisobar help", "2 isobar help"},
		"code in a list": {"1. - ```\n     isobar plan\n     ```\n\nisobar help", "5 isobar help"},
		"a list is over": {"- ```\n  isobar plan\nisobar help", "3 isobar help"},
		"indented code":  {"    isobar plan\n\tisobar plan\n   isobar help", "3 isobar help"},
		"quote":          {"> isobar plan\n  > isobar plan\nisobar plan lazily quoted\n\nisobar help", "5 isobar help"},
		"quoted code":    {"> ```\n\nisobar help", "3 isobar help"},
		"hidden":         {"<!-- \nisobar plan\n--> isobar plan\n<!-- x --> isobar plan\nisobar help <!-- apply\nisobar plan -->\nisobar plan", "5 isobar help\n7 isobar plan"},
		"open hidden":    {"<!--\nisobar plan", ""},
		"two hidden":     {"<!-- a --> <!-- b\nisobar plan\n-->\nisobar help", "4 isobar help"},
		"preformatted":   {"<PRE>\nisobar plan\n</pre>\n<pre>x</pre>\nisobar help", "5 isobar help"},
		"isobar's own":   {"\n<!-- isobar:preview estate=x pull=1 -->\nisobar plan\nisobar frobnicate", ""},

		"nothing":        {"isobar", "line 1: there is no command: isobar help lists them"},
		"misspelt":       {"isobar aply prod", "line 1: there is no command aply: did you mean isobar apply [ENV…]?"},
		"unknown":        {"isobar frobnicate --now", "line 1: there is no command frobnicate: isobar help lists them"},
		"a flag first":   {"isobar --help", "line 1: there is no command --help: isobar help lists them"},
		"prose":          {"isobar plan looks GOOD to me", `line 1: "GOOD" is no environment's name: write isobar plan [ENV…]`},
		"no digest":      {"isobar approve", "line 1: nothing says which plan to approve: name its digest, as the comment above shows it: isobar approve 9c1e-44b0"},
		"environment":    {"isobar approve prod", `line 1: "prod" is no plan's digest, such as 9c1e-44b0: write isobar approve DIGEST…`},
		"short digest":   {"isobar approve 9c1e", `line 1: "9c1e" is no plan's digest, such as 9c1e-44b0: write isobar approve DIGEST…`},
		"two rejections": {"isobar reject 9c1e-44b0 9c1e-44b1", "line 1: one plan is rejected at a time: write isobar reject DIGEST"},
		"two of one":     {"isobar approve prod 9c1e-44b0 9c1e-44b1", "line 1: an environment has one plan, and 2 are named: write isobar approve DIGEST…"},
		"two runs":       {"isobar cancel a b", "line 1: one run is cancelled at a time: write isobar cancel [RUN]"},
		"no run":         {"isobar cancel a/b", `line 1: "a/b" is no run's id: write isobar cancel [RUN]`},
		"unknown flag":   {"isobar apply --force", "line 1: apply has no --force: write isobar apply [ENV…]"},
		"misspelt flag":  {"isobar waive A --reson x --until 2027-01-31", "line 1: waive has no --reson: did you mean --reason?"},
		"open quotation": {`isobar waive A --reason "x`, `line 1: a quotation is not closed: put the text between two ": --reason "a public site"`},
		"twice":          {"isobar waive A --reason x --reason y", "line 1: --reason stands twice: write " + waiveForm},
		"no rule":        {"isobar waive --reason x --until 2027-01-31", "line 1: nothing says which rule to waive: write " + waiveForm},
		"wrong rule":     {"isobar waive 12 --reason x --until 2027-01-31", `line 1: "12" is no rule's code, such as SG-004: write ` + waiveForm},
		"no reason":      {"isobar waive A --reason \"\u200b\" --until 2027-01-31", "line 1: --reason is missing, which says why it is accepted: write " + waiveForm},
		"no day":         {"isobar waive A --reason x", "line 1: --until is missing, the last day that it holds: write " + waiveForm},
		"wrong day":      {"isobar waive A --reason x --until 2027-02-30", `line 1: --until: "2027-02-30" is no day of the calendar: write ` + waiveForm},
		"wrong address":  {"isobar waive A web --reason x --until 2027-01-31", `line 1: "web" is no resource's address, such as aws.security_group/web: write ` + waiveForm},
		"a word more":    {"isobar waive A aws.vpc/a b --reason x --until 2027-01-31", `line 1: "b" is one word too many: write ` + waiveForm},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := said(c.body); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

const waiveForm = `isobar waive RULE [ADDRESS] --reason "TEXT" --until YYYY-MM-DD`

// TestManyCommands: a comment has an end.
func TestManyCommands(t *testing.T) {
	t.Parallel()
	commands, mistakes := review.Parse(strings.Repeat("isobar plan\n", 1000))
	if len(commands) != 20 || len(mistakes) != 1 || mistakes[0].Line != 21 {
		t.Errorf("%d commands, mistakes %v", len(commands), mistakes)
	}
}

// TestUsagesParse: what help shows is what is taken, once its words in capitals
// are filled in.
func TestUsagesParse(t *testing.T) {
	t.Parallel()
	fill := strings.NewReplacer("[ENV…]", "prod", "DIGEST…", "9c1e-44b0 1a2b-3c4d", "DIGEST", "9c1e-44b0", "[RUN]", "r-12", "RULE", "SG-004",
		"[ADDRESS]", "aws.vpc/main", "TEXT", "why not", "YYYY-MM-DD", "2027-01-31")
	for _, u := range review.Usages() {
		commands, mistakes := review.Parse(fill.Replace(u.Form))
		if len(commands) != 1 || len(mistakes) > 0 || commands[0].Verb != u.Verb || u.What == "" {
			t.Errorf("%s: %v, %v", u.Form, commands, mistakes)
		}
	}
}

// command draws any command.
func command(t *rapid.T) review.Command {
	env := rapid.StringMatching(`[a-z][a-z0-9_]{0,6}`)
	digest := rapid.StringMatching(`[0-9a-f]{8}([0-9a-f]{4})?`)
	c := review.Command{Verb: rapid.SampledFrom(review.Usages()).Draw(t, "usage").Verb, Line: 1}
	some := func(from *rapid.Generator[string], least, most int) []string {
		out := rapid.SliceOfNDistinct(from, least, most, rapid.ID).Draw(t, "some")
		if len(out) == 0 {
			return nil
		}
		return out
	}
	switch c.Verb {
	case review.Plan, review.Apply, review.Unpin:
		c.Envs = some(env, 0, 3)
	case review.Approve:
		c.Digests = some(digest, 1, 3)
	case review.Reject:
		c.Digests = some(digest, 1, 1)
	case review.Cancel:
		c.Run = rapid.StringMatching(`([A-Za-z0-9][A-Za-z0-9_-]{0,8})?`).Draw(t, "run")
	case review.Waive:
		c.Rule = rapid.StringMatching(`[A-Z]{2,3}-[0-9]{3}`).Draw(t, "rule")
		if c.Address = rapid.StringMatching(`(aws\.vpc/[a-z0-9][a-z.0-9]{0,3})?`).Draw(t, "address"); c.Address != "" {
			c.Envs = some(env, 0, 1)
		}
		c.Reason = rapid.StringMatching(`[!-~][ -~“”‘’„—é\\"]{0,20}`).Filter(func(s string) bool {
			return s == strings.TrimSpace(s) && !strings.Contains(s, "<!--")
		}).Draw(t, "reason")
		c.Until = rapid.StringMatching(`20[2-9][0-9]-(0[1-9]|1[0-2])-[0-2][1-8]`).Draw(t, "until")
	case review.Help:
	}
	return c
}

// TestRoundTrip: a command that is written is the command that is read.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := command(t)
		got, mistakes := review.Parse(c.String())
		if len(mistakes) > 0 || len(got) != 1 || !reflect.DeepEqual(got[0], c) {
			t.Fatalf("%s\nwas read as %+v, mistakes %v\nwant %+v", c, got, mistakes, c)
		}
	})
}

// TestHiddenCommandsAreNone: a command within a block that is not the
// commenter's own text is none, whatever the block holds.
func TestHiddenCommandsAreNone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		inner := strings.NewReplacer("`", "", "~", "", "-->", "", "</pre>", "", "</PRE>", "").Replace(rapid.StringMatching(`([ -~]{0,12}\n){0,3}`).Draw(t, "before")) + command(t).String()
		if strings.Contains(inner, "-->") || strings.Contains(strings.ToLower(inner), "</pre>") {
			return
		}
		body := "```\n" + inner + "\n```"
		switch rapid.IntRange(0, 3).Draw(t, "block") {
		case 0:
			body = "<!--\n" + inner + "\n-->"
		case 1:
			body = "<pre>\n" + inner + "\n</pre>"
		case 2:
			body = "> " + strings.ReplaceAll(inner, "\n", "\n> ")
		}
		if got, mistakes := review.Parse(body); len(got)+len(mistakes) > 0 {
			t.Fatalf("%q was heard: %v %v", body, got, mistakes)
		}
	})
}

// FuzzParse: whatever a comment holds, each command reads back as it is, and
// each mistake fits one line.
func FuzzParse(f *testing.F) {
	f.Add("isobar plan prod\n/isobar approve 9c1e-44b0")
	f.Add("> isobar apply\n\n```\nisobar cancel\n```\nisobar waive SG-004 aws.vpc/a --reason “x” --until 2027-01-31")
	f.Add("isobar unpin prod\n/isobar unpin")
	f.Add("<!-- isobar\n--> isobar help")
	f.Add("isobar waive A —reason=\"a \\\" \\\\ b\" –until 2027-01-31")
	f.Fuzz(func(t *testing.T, body string) {
		commands, mistakes := review.Parse(body)
		for _, c := range commands {
			if !strings.Contains(strings.ToLower(body), string(c.Verb)) {
				t.Fatalf("%q has no %s", body, c.Verb)
			}
			again, wrong := review.Parse(c.String())
			want := c
			want.Line = 1
			if len(wrong) > 0 || len(again) != 1 || !reflect.DeepEqual(again[0], want) {
				t.Fatalf("%q gave %q, which gives %+v, mistakes %v", body, c, again, wrong)
			}
		}
		for _, m := range mistakes {
			if m.Line < 1 || m.Message == "" || m.Mend == "" || len([]rune(m.Text)) > 121 || strings.ContainsRune(m.String(), '\n') {
				t.Fatalf("%q gave %+v", body, m)
			}
		}
	})
}

func TestAmong(t *testing.T) {
	t.Parallel()
	envs := []string{"staging", "prod"}
	for line, want := range map[string]string{
		"isobar plan prod": "", "isobar plan": "",
		"isobar plan prd":           "this pull request concerns no environment prd: did you mean prod?",
		"isobar plan looks good":    "this pull request concerns no environment looks: it concerns prod and staging",
		"isobar approve x 9c1e44b0": "this pull request concerns no environment x: it concerns prod and staging",
	} {
		commands, _ := review.Parse(line)
		if m := commands[0].Among(envs); (m == nil) != (want == "") || m != nil && m.Message+": "+m.Mend != want {
			t.Errorf("%s: %v, want %q", line, m, want)
		}
	}
	if m := (review.Command{Verb: review.Plan, Envs: []string{"prod"}}).Among(nil); m == nil || m.Mend != "it concerns none" {
		t.Errorf("%v", m)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	commands, _ := review.Parse("isobar approve 9C1E-44B0")
	if c := commands[0]; !c.Names("9c1e44b0a1a2") || c.Names("9c1e44b1a1a2") || c.Names("") {
		t.Error("a digest is named by its beginning")
	}
}

// TestMark: a mark is read as it was written, and nothing in it ends it.
func TestMark(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := review.Mark{
			Kind: rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "kind"), Estate: rapid.StringMatching(`[a-z0-9]([a-z0-9]|-[a-z0-9]){7}`).Draw(t, "estate"),
			Pull: rapid.IntRange(1, 99999).Draw(t, "pull"), Of: rapid.StringMatching(`[0-9]{0,12}`).Draw(t, "of"),
		}
		body := m.String() + "\n### a title\nisobar plan"
		if got, ok := review.Marked("\r\n" + body); !ok || got != m {
			t.Fatalf("%s\nwas read as %+v", body, got)
		}
		if got, wrong := review.Parse(body); len(got)+len(wrong) > 0 {
			t.Fatalf("isobar heard itself: %v %v", got, wrong)
		}
		bad := review.Mark{Kind: rapid.String().Draw(t, "any"), Estate: rapid.String().Draw(t, "any"), Of: rapid.String().Draw(t, "any")}.String()
		if strings.Count(bad, "--") != 2 || !strings.HasSuffix(bad, " -->") || strings.ContainsFunc(bad, unicode.IsControl) {
			t.Fatalf("%q", bad)
		}
	})
	for _, body := range []string{"", "isobar plan", "x <!-- isobar:preview -->", "> <!-- isobar:preview -->"} {
		if m, ok := review.Marked(body); ok {
			t.Errorf("%q has the mark %+v", body, m)
		}
	}
	if _, ok := review.Marked("<!-- isobar:"); !ok {
		t.Error("a broken mark is isobar's all the same")
	}
}
