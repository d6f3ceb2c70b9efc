package view

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/review"
)

// githubLimit is what GitHub takes of a comment.
const githubLimit = 65536

func TestPreviewGolden(t *testing.T) {
	t.Parallel()
	for name, p := range previews() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checks := ""
			for _, c := range p.All() {
				checks += c.Context + "  " + string(c.State) + "  " + c.Text + "\n"
			}
			checkGolden(t, filepath.Join("testdata", "preview_"+name+".txtar"), []face{
				{"comment", PreviewMarkdown(p, githubLimit)}, {"statuses", checks},
			})
		})
	}
	bad := evil().Spec[0].Message
	answer := review.Mark{Kind: "answer", Estate: "3f0c9a52e1", Pull: 42, Of: "811"}
	_, wrong := review.Parse("isobar aply prod\nisobar waive " + strings.ReplaceAll(bad, "\n", " "))
	commands, _ := review.Parse("isobar approve 9c1e-44b0")
	checkGolden(t, filepath.Join("testdata", "preview_answers.txtar"), []face{
		{"help", HelpMarkdown(answer, nil)},
		{"mistakes", HelpMarkdown(answer, wrong)},
		{"refused", RefusedMarkdown(answer, commands[0], []string{"kim may not approve plans of prod: ann or bob may", bad})},
	})
}

// TestCutGolden: a comment that is cut names the command that shows all of it.
func TestCutGolden(t *testing.T) {
	t.Parallel()
	var many []PreviewEnv
	for i := range 30 {
		p := inEnv(fmt.Sprintf("env-%02d", i), stepsFor(some(15)))
		p.Plan.Digest = fmt.Sprintf("%02d1e44b0aa", i)
		many = append(many, PreviewEnv{Env: p.Plan.Env, Plan: p, Base: map[string]string{}})
	}
	done := preview(PreviewEnv{Env: "prod", Plan: stepsFor(reviewed()), Run: applied()})
	done.Merged = "b0b0b0b0b0"
	for i := range 60 {
		done.Envs[0].Run.Steps = append(done.Envs[0].Run.Steps, done.Envs[0].Run.Steps[i%2])
	}
	checkGolden(t, filepath.Join("testdata", "cut.txtar"), []face{
		{"lines", PreviewMarkdown(preview(many[0]), LeastPreview)},
		{"environments", PreviewMarkdown(preview(many[:8]...), LeastPreview)},
		{"many", PreviewMarkdown(preview(many...), 2*LeastPreview)},
		{"merged", PreviewMarkdown(done, LeastPreview)},
	})
}

// TestShownLater: a plan that was kept is read later as it was, within a block of
// Markdown that it can't leave.
func TestShownLater(t *testing.T) {
	t.Parallel()
	p := some(3)
	kept := func(pg Page) (out PlanJSON) {
		t.Helper()
		if err := json.Unmarshal(p.Kept(pg), &out); err != nil {
			t.Fatal(err)
		}
		out.Shown = told()
		return out
	}
	short := kept(Page{})
	checkGolden(t, filepath.Join("testdata", "shown.txtar"), []face{{"text", short.ShownText()}, {"markdown", short.ShownMarkdown()}})
	p = some(200)
	short = kept(Page{})
	all := kept(Page{Detail: true})
	for _, c := range p.Plan.Changes {
		if !strings.Contains(all.ShownText(), c.Address.Local()) {
			t.Errorf("%s is not shown", c.Address)
		}
	}
	if strings.Contains(all.ShownText(), "--full") || len(all.ShownText()) <= len(short.ShownText()) {
		t.Error("the whole plan is no longer than the other")
	}
	p = hostile()
	s := kept(Page{Detail: true})
	text := s.ShownMarkdown()
	_, body, _ := strings.Cut(text, "\n\n")
	ticks := body[:len(body)-len(strings.TrimLeft(body, "`"))]
	if inner := strings.TrimSuffix(strings.TrimPrefix(body, ticks), ticks+"\n"); longestRun(inner) >= len(ticks) {
		t.Errorf("the block is left:\n%s", text)
	}
}

// TestPreviewsAreWhole: whatever the situation and the limit, a comment keeps
// its limit, starts with its mark, closes what it opens, pings nobody, and shows
// nothing invisible.
func TestPreviewsAreWhole(t *testing.T) {
	t.Parallel()
	for name, p := range previews() {
		for limit := LeastPreview; limit < 20000; limit += limit / 2 {
			whole(t, name, PreviewMarkdown(p, limit), limit)
		}
	}
}

func whole(t testing.TB, name, s string, limit int) {
	t.Helper()
	mark, rest, _ := strings.Cut(s, "\n")
	if _, ok := review.Marked(s); !ok || !strings.HasSuffix(mark, " -->") || strings.Contains(mark, "evil") && strings.Contains(mark, "http:") {
		t.Fatalf("%s begins with %q", name, mark)
	}
	if len(s) > limit || !utf8.ValidString(s) {
		t.Fatalf("%s: %d bytes of %d, or no text", name, len(s), limit)
	}
	open, fence := 0, ""
	for l := range strings.Lines(rest) {
		l = strings.TrimSuffix(l, "\n")
		ticks := l[:len(l)-len(strings.TrimLeft(l, "`"))]
		switch {
		case fence != "":
			if l == fence {
				fence = ""
			}
			continue
		case len(ticks) >= 3 && !strings.Contains(l[len(ticks):], "`"):
			fence = ticks
			continue
		}
		bare := codeSpans(l)
		open += strings.Count(bare, "<details>") - strings.Count(bare, "</details>")
		if strings.Contains(bare, "@everyone") || strings.Contains(bare, "<!--") || strings.Contains(bare, "](http://evil") || strings.Contains(bare, "javascript") {
			t.Fatalf("%s: %q breaks out", name, l)
		}
	}
	if open != 0 || fence != "" {
		t.Fatalf("%s leaves %d folds and the fence %q open:\n%s", name, open, fence, s)
	}
	for _, r := range s {
		if r != '\n' && string(r) != zeroWidth && !unicode.IsPrint(r) {
			t.Fatalf("%s: an unprintable %U", name, r)
		}
	}
}

// codeSpans takes the code spans out of a line.
func codeSpans(l string) string {
	var b strings.Builder
	for l != "" {
		if l[0] == '\\' && len(l) > 1 {
			l = l[2:]
			continue
		}
		if l[0] != '`' {
			b.WriteByte(l[0])
			l = l[1:]
			continue
		}
		n := len(l) - len(strings.TrimLeft(l, "`"))
		end := -1
		for i := n; i < len(l); {
			m := len(l[i:]) - len(strings.TrimLeft(l[i:], "`"))
			if m == n {
				end = i + m
				break
			}
			i += max(m, 1)
		}
		if end < 0 {
			b.WriteString(l[:n])
			l = l[n:]
			continue
		}
		l = l[end:]
	}
	return b.String()
}

// TestRiskIsCutLast: while anything of what is deleted or replaced is cut, nothing
// of what is created is shown, in whichever environment it is; and what is cut is
// counted.
func TestRiskIsCutLast(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var envs []PreviewEnv
		deletes, creates := 0, 0
		for i := range rapid.IntRange(1, 30).Draw(t, "environments") {
			env := fmt.Sprintf("env_%d", i)
			p := inEnv(env, some(rapid.IntRange(0, 60).Draw(t, "creates")))
			creates += len(p.Plan.Changes)
			for j := range rapid.IntRange(0, 20).Draw(t, "deletes") {
				deletes++
				p.Plan.Changes = append(p.Plan.Changes, plan.Change{Address: resource.Address{Env: env, Provider: "aws", Kind: "key", Name: fmt.Sprintf("gone%d", j)}, Action: plan.Delete, ID: "key-1"})
			}
			envs = append(envs, PreviewEnv{Env: env, Plan: stepsFor(p)})
		}
		limit := rapid.IntRange(LeastPreview, 30000).Draw(t, "limit")
		s := PreviewMarkdown(preview(envs...), limit)
		if len(s) > limit {
			t.Fatalf("%d bytes of %d", len(s), limit)
		}
		gone, made := strings.Count(s, "\n-   aws.key/gone"), strings.Count(s, "\n+   aws.volume/")
		if gone < deletes && made > 0 {
			t.Fatalf("%d of %d deletes are shown, and %d creates:\n%s", gone, deletes, made, s)
		}
		if gone+made < deletes+creates && !strings.Contains(s, "…") {
			t.Fatalf("%d of %d are shown, and nothing says so:\n%s", gone+made, deletes+creates, s)
		}
	})
}

// TestManyEnvironments: a change to all of a large estate fits a comment.
func TestManyEnvironments(t *testing.T) {
	t.Parallel()
	var envs []PreviewEnv
	for i := range 2000 {
		env := fmt.Sprintf("env_%d", i)
		envs = append(envs, PreviewEnv{Env: env, Plan: inEnv(env, some(1))})
	}
	p := preview(envs...)
	p.Whole = "https://isobar.example/plans/42?a=(b)"
	s := PreviewMarkdown(p, githubLimit)
	whole(t, "many", s, githubLimit)
	for _, want := range []string{"| and 1,900 more |", "more environments](https://isobar.example/plans/42?a=%28b%29)", "env\\_0, env\\_1, env\\_10, env\\_100, 1996 more · 2,000 changes"} {
		if !strings.Contains(s, want) {
			t.Errorf("it lacks %q:\n%.600s\n…\n%s", want, s, s[len(s)-600:])
		}
	}
}

func TestChecksAreShort(t *testing.T) {
	t.Parallel()
	for name, p := range previews() {
		for i := range p.Envs {
			for _, c := range p.Checks(&p.Envs[i]) {
				if n := utf8.RuneCountInString(c.Text); n > CheckText || n == 0 || strings.ContainsRune(c.Text, '\n') {
					t.Errorf("%s: %d characters: %q", name, n, c.Text)
				}
				run := p.Envs[i].Run
				if strings.HasPrefix(c.Context, "isobar/apply") && c.State == CheckPassed && run != nil && (run.State != Applied && run.State != InSync || len(run.Lost) > 0) {
					t.Errorf("%s passes: %+v", name, c)
				}
			}
		}
	}
}

func TestTouches(t *testing.T) {
	t.Parallel()
	p := reviewed().Plan
	got := Touches(&p)
	if len(got) != 5 || got["aws.key/old"].Sum == "" || got["aws.key/old"].Sum == got["aws.bucket/logs"].Sum {
		t.Errorf("%v", got)
	}
}
