package engine_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// TestImage lints the Dockerfile with BuildKit's own parser and rules, and holds it
// to what the image promises: a static binary in an empty image, nobody's root.
func TestImage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range file.Warnings {
		t.Errorf("Dockerfile: %s", w.Short)
	}
	rules := linter.New(&linter.Config{Warn: func(rule, _, _, msg string, at []parser.Range) {
		t.Errorf("Dockerfile:%d: %s: %s", at[0].Start.Line, rule, msg)
	}})
	stages, _, err := instructions.Parse(file.AST, rules)
	if err != nil {
		t.Fatal(err)
	}
	last := stages[len(stages)-1]
	if last.BaseName != "scratch" {
		t.Errorf("the image stands on %s", last.BaseName)
	}
	user, entry := "", []string(nil)
	for _, c := range last.Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.EntrypointCommand:
			entry = c.CmdLine
			if c.PrependShell {
				t.Error("the entry point wants a shell, and the image has none")
			}
		case *instructions.RunCommand:
			t.Errorf("%s runs in the empty image", c)
		}
	}
	if id, _, _ := strings.Cut(user, ":"); id == "" || id == "0" || strings.Trim(id, "0123456789") != "" {
		t.Errorf("it runs as %q: Kubernetes' runAsNonRoot wants a number that is not root's", user)
	}
	if !slices.Equal(entry, []string{"/isobar"}) {
		t.Errorf("the entry point is %v", entry)
	}
	static := slices.ContainsFunc(stages[0].Commands, func(c instructions.Command) bool {
		run, ok := c.(*instructions.RunCommand)
		return ok && strings.Contains(strings.Join(run.CmdLine, " "), "CGO_ENABLED=0")
	})
	if !static {
		t.Error("the binary is not linked statically")
	}
}
