package spec

import (
	"errors"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/diag"
)

// FuzzLoader evaluates any text as an environment, in a limited child. Whatever
// it is, the answer is an environment or findings that can be shown.
func FuzzLoader(f *testing.F) {
	f.Add(good)
	for _, b := range badInputs() {
		f.Add(head + b.body + "\n")
	}
	f.Add("package prod\nname: \"prod\"\nlet X = [X]\n_a: X\n")
	f.Add("\xef\xbb\xbfpackage prod\r\nname: \"prod\"\r\n")
	f.Add("package prod\naws: vpc: main: V={cidrBlock: V.#out.cidrBlock}\naws: x: [...]\naws: vpc: [1]\n")
	l := newLoader(f, Limits{HeapBytes: 128 << 20, CPU: 2 * time.Second, Wall: 10 * time.Second})
	f.Fuzz(func(t *testing.T, src string) {
		tree := repo(map[string]string{"prod": src})
		env, err := l.Environment(t.Context(), tree, "prod")
		var found diag.List
		switch {
		case err == nil:
			for _, d := range env.Desired {
				if !d.Address.Valid() || d.Fields == nil {
					t.Errorf("desired: %+v", d)
				}
			}
		case !errors.As(err, &found) || found.Errors() == 0:
			t.Errorf("got %v, want findings", err)
		}
		for _, f := range append(found, env.Warnings...) {
			if f.Message == "" || f.Code == "" || f.Where.File == "" && f.Code != codeNoEnv ||
				strings.Contains(f.Where.File, schemaDir) || f.Excerpt != "" && f.Where.Col-1+f.Width > len(f.Excerpt)+1 {
				t.Errorf("finding %+v", f)
			}
		}
	})
}

// FuzzClosure reads any text where the daemon itself reads: imports, package
// clauses and the module's path.
func FuzzClosure(f *testing.F) {
	f.Add("module: \"a.example/b@v0\"\n", good)
	f.Add("{module: \"x\"}", "@extern(embed)\npackage prod\nimport (\n\"estate.example/infra\"\n\"a.example/b/../c\"\n)\n")
	f.Add("module: module: \"", "package prod\nimport \"a.example/b/c:d\"; import x \"\"")
	f.Add("module: \"estate.example/infra@v0\"\n", "package prod\nimport \"estate.example/infra//c\"\n")
	f.Add("module: \"estate.example/infra@v0\"\n", "package prod\nimport \"estate.example/infra/../../c\"\n")
	f.Fuzz(func(t *testing.T, module, src string) {
		tree := repo(map[string]string{"cue.mod/module.cue": module, "prod": src, "c/c.cue": src, "c.cue": src})
		c := newClosure(tree, DefaultLimits())
		c.pkg("environments/prod", "prod")
		for name := range c.files {
			if !strings.HasSuffix(name, ".cue") {
				t.Errorf("served %s", name)
			}
		}
		if n := len(illustrate(c.found, tree)); n != len(c.found) {
			t.Errorf("%d findings of %d", n, len(c.found))
		}
	})
}
