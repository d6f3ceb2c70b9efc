package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/policy"
)

// A rule's words are short enough for a line, valid and visible, whatever it says.
func TestWordsAreBounded(t *testing.T) {
	t.Parallel()
	e := compile(t, `package main
deny_flood contains {"msg": input.isobar.commit, "id": input.isobar.actor, "mend": input.isobar.commit} if true
`)
	rapid.Check(t, func(rt *rapid.T) {
		in := group(t)
		in.Commit = strings.Repeat(rapid.String().Draw(rt, "word"), rapid.IntRange(0, 300).Draw(rt, "times"))
		in.Actor = rapid.String().Draw(rt, "id")
		for _, it := range decide(t, e, in).Items {
			for what, c := range map[string]struct {
				text  string
				limit int
			}{"message": {it.Message, 700}, "mend": {it.Mend, 601}, "id": {it.ID, 65}} {
				// an escape stands for one character of the rule's
				if n := utf8.RuneCountInString(c.text); n > 10*c.limit {
					rt.Fatalf("%s of %d characters", what, n)
				}
				if strings.ContainsFunc(c.text, func(r rune) bool { return !unicode.IsGraphic(r) }) || !utf8.ValidString(c.text) {
					rt.Fatalf("%s %q", what, c.text)
				}
			}
		}
	})
}

func TestWords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ rule, want string }{
		"cut, and the rule named":    {`deny_flood contains concat("", [x | some _ in numbers.range(1, 5000); x := "é"]) if true`, strings.Repeat("é", 600) + "… (deny_flood says 5000 characters; the rest is cut)"},
		"as long as may be":          {`deny_flood contains concat("", [x | some _ in numbers.range(1, 600); x := "é"]) if true`, strings.Repeat("é", 600)},
		"control characters":         {`deny_x contains "a\u001b[31mb\u202ec\u0000" if true`, `a\x1b[31mb\u202ec\x00`},
		"lines become one":           {`deny_x contains "a\n\tb\r\n" if true`, "a  b"},
		"bytes that are no text":     {`deny_x contains base64.decode("YX+A") if true`, `a\x7f\x80`},
		"other letters and the like": {`deny_x contains "größer als 5 €, 日本" if true`, "größer als 5 €, 日本"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items := decide(t, compile(t, "package main\n"+c.rule+"\n"), group(t)).Items
			if len(items) != 1 || items[0].Message != c.want {
				t.Errorf("got %q", items)
			}
		})
	}
}

// A rule that decides without end is counted, and goes on denying.
func TestDecisionsAreCounted(t *testing.T) {
	t.Parallel()
	rule := `package main
%s_flood contains {"msg": sprintf("no %%d", [n]), "id": "F-1"} if some n in numbers.range(1, 5000)
`
	for verdict, severity := range map[string]diag.Severity{"deny": diag.Error, "warn": diag.Warning} {
		d := decide(t, compile(t, fmt.Sprintf(rule, verdict)), group(t))
		found, more := d.Findings(), 0
		for _, f := range found {
			if f.Severity != severity {
				t.Errorf("%s is %s", f, f.Severity)
			}
			if strings.Contains(f.Message, verdict+"_flood has 4000 more to say of this plan") {
				more++
			}
		}
		if len(found) != 1001 || more != 1 {
			t.Errorf("%d findings, %d of them count", len(found), more)
		}
	}
}

// A waiver or an exception that names no rule is told of, and what is meant.
func TestExceptionsForNoRule(t *testing.T) {
	t.Parallel()
	rules := `package main
# METADATA
# custom: {id: SG-001}
deny_open_ssh contains "x" if true
warn contains "w" if false
`
	said := func(name, mend string) string {
		return fmt.Sprintf("POL-310 warning policies/p0.rego:6:%%d: exception: no rule is called deny_%[1]s, warn_%[1]s or violation_%[1]s, so the exception waives nothing\n  mend: %s\n", name, mend)
	}
	none := "name a rule by what follows deny_ or warn_ in its name, or take the exception out"
	for name, c := range map[string]struct{ exception, compiled, decided string }{
		"a rule":            {`exception contains ["open_ssh", ""] if true`, "", ""},
		"misspelt":          {`exception contains ["open_shh"] if true`, fmt.Sprintf(said("open_shh", `did you mean "open_ssh"?`), 21), ""},
		"the whole name":    {`exception contains ["deny_open_ssh"] if true`, fmt.Sprintf(said("deny_open_ssh", `did you mean "open_ssh"?`), 21), ""},
		"its code":          {`exception contains ["SG-001"] if true`, fmt.Sprintf(said("SG-001", `did you mean "open_ssh"?`), 21), ""},
		"no list":           {`exception contains "volumes" if true`, fmt.Sprintf(said("volumes", none), 20), ""},
		"in the older Rego": {`exception[rules] { rules = ["volumes"] }`, fmt.Sprintf(said("volumes", none), 29), ""},
		"worked out":        {`exception contains [name] if name := concat("_", ["open", "rdp"])`, "", strings.Replace(fmt.Sprintf(said("open_rdp", `did you mean "open_ssh"?`), 1), "exception: ", "", 1)},
		"never reached":     {`exception contains [name] if { false; name := concat("_", ["open", "rdp"]) }`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := rules + c.exception + "\n"
			if strings.Contains(c.exception, "{ rules") {
				src = strings.NewReplacer(" contains \"x\" if true", "[\"x\"]", "warn contains \"w\" if false", "warn[\"w\"] { false }").Replace(src)
			}
			e, found := policy.Compile(t.Context(), []policy.Module{{Path: "policies/p0.rego", Source: src}}, kinds(t))
			if e == nil || lines(found) != c.compiled {
				t.Fatalf("got:\n%swant:\n%s", lines(found), c.compiled)
			}
			var told diag.List
			for _, f := range decide(t, e, group(t)).Findings() {
				if f.Code == diag.PolicyIdle {
					told = append(told, f)
				}
			}
			if got := lines(told); got != c.decided {
				t.Errorf("got:\n%swant:\n%s", got, c.decided)
			}
		})
	}
}
