package view

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files under testdata")

// face is one rendering of a case.
type face struct{ name, text string }

func planFaces(p *Plan) []face {
	drift, _ := p.DriftChat()
	return []face{
		{"text", p.Text(Page{})},
		{"text-detail", p.Text(Page{Detail: true})},
		{"text-72", p.Text(Page{Width: 72})},
		{"text-color", visible(p.Text(Page{Color: true}))},
		{"markdown", Markdown([]*Plan{p, calm()}, false)},
		{"json", string(p.JSON())},
		{"chat", chatText(p.Chat())},
		{"chat-drift", chatText(drift)},
	}
}

func runFaces(r *Run) []face {
	return []face{
		{"text", r.Text(Page{})},
		{"text-60", r.Text(Page{Width: 60})},
		{"markdown", r.Markdown(Page{})},
		{"json", string(r.JSON())},
		{"chat", chatText(r.Chat())},
	}
}

func chatText(c Chat) string {
	lines := []string{setting(c.Head)}
	for _, l := range c.Thread {
		line := "  └ " + strings.ReplaceAll(setting(l.Text), "\n", "\n    ") + "   (" + l.Key + ")"
		if l.Once != "" {
			line += " once"
		}
		lines = append(lines, line)
	}
	return visible(strings.Join(lines, "\n") + "\n")
}

// setting shows how a chat's text is set.
func setting(r Rich) string {
	var b strings.Builder
	for _, s := range r {
		sign := ""
		switch {
		case s.Bold:
			sign = "*"
		case s.Code:
			sign = "`"
		case !s.At.IsZero():
			sign = "@"
		}
		b.WriteString(sign + s.Text + sign)
	}
	return b.String()
}

// visible writes escape codes and zero-width spaces so that a golden shows them.
func visible(s string) string {
	return strings.NewReplacer("\x1b", "ESC", zeroWidth, "ZW").Replace(s)
}

func TestGolden(t *testing.T) {
	t.Parallel()
	fs := findings()
	for name, faces := range map[string][]face{
		"plan_mixed":     planFaces(mixed()),
		"plan_calm":      planFaces(calm()),
		"plan_locked":    planFaces(locked()),
		"plan_hostile":   planFaces(hostile()),
		"plan_late":      planFaces(late()),
		"drift_late":     planFaces(late().Drifted()),
		"plan_marks":     planFaces(remarked()),
		"drift_marks":    planFaces(remarked().Drifted()),
		"plan_over":      planFaces(beyond("auto")),
		"plan_over_cli":  planFaces(beyond("")),
		"run_over":       runFaces(overRunCase()),
		"run_retried":    runFaces(retried()),
		"run_late":       runFaces(lateRun()),
		"run_soon":       runFaces(tooSoon()),
		"run_partial":    runFaces(partial()),
		"run_applied":    runFaces(applied()),
		"run_denied":     runFaces(refused()),
		"run_held":       runFaces(held()),
		"run_none":       runFaces(noneDone()),
		"run_broken":     runFaces(broken()),
		"run_approved":   runFaces(approved()),
		"run_rejected":   runFaces(answered(Rejected, "rejected by ann")),
		"run_superseded": runFaces(answered(Superseded, "superseded by a newer plan")),
		"run_cancelled":  runFaces(cancelled(Halt{By: "bob *<@U1>\x1b[31m*", At: partial().Steps[0].At})),
		"run_overtaken":  runFaces(cancelled(Halt{By: "kim", At: partial().Steps[0].At, Commit: "77ab0d2f", Subject: "x``` @everyone <!channel> \x1b[31m"})),
		"run_withdrawn":  runFaces(withdrawn()),
		"run_stopping":   runFaces(stopping()),
		"run_answered":   runFaces(answered(Approved, "approved by ann *<@U1>\x1b[31m*")),
		"findings": {
			{"text", Findings(fs, "nothing was planned", Page{})},
			{"text-40", Findings(fs, "nothing was planned", Page{Width: 40})},
			{"text-color", visible(Findings(fs, "nothing was planned", Page{Color: true}))},
			{"markdown", FindingsMarkdown(fs, "nothing was planned")},
			{"json", string(FindingsJSON(fs, "nothing was planned"))},
		},
		"status": {
			{"text", StatusText(Overview{status(), true}, Page{})},
			{"text-100", StatusText(Overview{status(), true}, Page{Width: 100})},
			{"markdown", StatusMarkdown(Overview{status(), true})},
			{"deserted-text", StatusText(Overview{Environments: followed(status())}, Page{})},
			{"deserted-markdown", StatusMarkdown(Overview{Environments: followed(status())})},
			{"by-hand", StatusText(Overview{Environments: status()}, Page{})},
			{"never-checked", StatusText(Overview{Environments: []Status{{Env: "prod", Repo: "shop", State: "new", Checked: -1}}}, Page{})},
			{"json", string(StatusJSON(Overview{status(), true}))},
			{"empty", StatusText(Overview{}, Page{})},
			{"runs", RunsText(runLines(), Page{})},
			{"runs-text-100", RunsText(runLines(), Page{Width: 100})},
			{"runs-markdown", RunsMarkdown(runLines())},
			{"runs-json", string(RunsJSON(runLines()))},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkGolden(t, filepath.Join("testdata", name+".txtar"), faces)
		})
	}
}

func checkGolden(t *testing.T, file string, faces []face) {
	t.Helper()
	var got txtar.Archive
	for _, f := range faces {
		text := visible(f.text)
		if text != "" && !strings.HasSuffix(text, "\n") {
			t.Errorf("%s does not end with a line break", f.name)
		}
		got.Files = append(got.Files, txtar.File{Name: f.name, Data: []byte(text)})
	}
	data := txtar.Format(&got)
	if *update {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file) //nolint:gosec // a fixed name under testdata
	if err != nil {
		t.Fatal(err)
	}
	if string(want) == string(data) {
		return
	}
	ws := txtar.Parse(want)
	for i, f := range got.Files {
		if i >= len(ws.Files) || ws.Files[i].Name != f.Name || string(ws.Files[i].Data) != string(f.Data) {
			t.Errorf("%s: %s differs (go test ./engine/view -update rewrites it); got:\n%s", file, f.Name, f.Data)
		}
	}
}
