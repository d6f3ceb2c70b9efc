package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"isobar.dev/engine/policy"
	"isobar.dev/examples"
	"isobar.dev/policies"
	"isobar.dev/schemas"
)

// cueBlock is a block of CUE in Markdown that is a whole environment.
var cueBlock = regexp.MustCompile("(?s)```cue\n(package ([a-z0-9_]+)\n.*?)```")

// TestDocumentedEnvironments validates what readers copy: each kind's example
// and each whole environment in the pages written by hand.
func TestDocumentedEnvironments(t *testing.T) {
	t.Parallel()
	d, err := schemas.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	for kind := range d {
		file := filepath.Join("..", "..", "docs", "reference", "kinds", kind+".cue")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%s has no example: write it, then make gen: %v", kind, err)
			continue
		}
		_, name, _ := strings.Cut(kind, ".")
		if !regexp.MustCompile(`\b` + name + `: [a-z]+:`).Match(text) {
			t.Errorf("%s shows no %s", file, kind)
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			validates(t, "example", string(text))
		})
	}
	providers, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", "providers.cue"))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("providers", func(t *testing.T) {
		t.Parallel()
		validates(t, "example", string(providers))
	})
	names, err := examples.Names()
	if err != nil || len(names) == 0 {
		t.Fatalf("%d examples: %v", len(names), err)
	}
	var all strings.Builder
	for _, name := range names {
		text, err := examples.Environment(name)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(text)
		t.Run("examples "+name, func(t *testing.T) {
			t.Parallel()
			validates(t, name, text)
		})
	}
	for kind := range d {
		_, name, _ := strings.Cut(kind, ".")
		if !strings.Contains(all.String(), "\t"+name+": ") {
			t.Errorf("no example has a %s: add one, and apply it in testdata/script/examples.txtar", kind)
		}
	}
	for page, least := range map[string]int{"README.md": 1, "docs/tutorial/first-hour.md": 2} {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(page)))
		if err != nil {
			t.Fatal(err)
		}
		blocks := cueBlock.FindAllStringSubmatch(string(text), -1)
		if len(blocks) < least {
			t.Errorf("%s has %d environments, want %d", page, len(blocks), least)
		}
		for _, b := range blocks {
			t.Run(page+" "+b[2], func(t *testing.T) {
				t.Parallel()
				validates(t, b[2], b[1])
			})
		}
	}
}

// validates runs isobar validate on a new repository with this environment.
func validates(t *testing.T, name, text string) {
	t.Helper()
	dir := t.TempDir()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"init", dir}, nil, &out, &errs); code != exitOK {
		t.Fatalf("init: %d\n%s", code, &errs)
	}
	env := filepath.Join(dir, "environments", name)
	if err := os.MkdirAll(env, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(env, name+".cue"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if code := run(t.Context(), []string{"-C", dir, "validate", name}, nil, &out, &errs); code != exitOK {
		t.Errorf("validate: %d\n%s%s", code, &out, &errs)
	}
	if !strings.Contains(out.String(), name) {
		t.Errorf("validate said nothing of %s:\n%s", name, &out)
	}
}

// TestEveryRuleIsShown: the scripts, whose output is compared word for word,
// show each rule of the pack on a plan made from CUE.
func TestEveryRuleIsShown(t *testing.T) {
	t.Parallel()
	rules, err := modules(policies.Rules)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := modules(policies.Shared)
	if err != nil {
		t.Fatal(err)
	}
	e, found := policy.Compile(t.Context(), slices.Concat(rules, shared), nil)
	if e == nil {
		t.Fatal(found)
	}
	var shown strings.Builder
	scripts, err := filepath.Glob(filepath.Join("testdata", "script", "policy_*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%d scripts: %v", len(scripts), err)
	}
	for _, name := range scripts {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(text)
	}
	for _, r := range e.Rules() {
		place := fmt.Sprintf("%s:%d", r.At.File, r.At.Line)
		if !regexp.MustCompile(` ` + regexp.QuoteMeta(r.ID) + `: .*` + regexp.QuoteMeta(place) + `\b`).MatchString(shown.String()) {
			t.Errorf("no script shows %s of %s", r.ID, place)
		}
	}
}
