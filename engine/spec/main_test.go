package spec

import (
	"io/fs"
	"os"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ChildWord {
		os.Exit(Child(os.Stdin, os.Stdout))
	}
	goleak.VerifyTestMain(m)
}

// testEnv keeps children of a race build from sleeping at exit.
func testEnv() []string { return []string{"GORACE=atexit_sleep_ms=0"} }

func newLoader(t testing.TB, l Limits) *Loader {
	t.Helper()
	ld, err := New(Options{Env: testEnv(), Limits: l})
	if err != nil {
		t.Fatal(err)
	}
	return ld
}

// repo is a repository with an estate and the given files; "prod" stands for
// environments/prod/prod.cue.
func repo(files map[string]string) fs.FS {
	out := fstest.MapFS{
		"cue.mod/module.cue": {Data: []byte("module: \"estate.example/infra@v0\"\nlanguage: version: \"v0.17.0\"\n")},
		"isobar.cue":         {Data: []byte("package isobar\n\nestate: \"3f0c9a52e1\"\n")},
	}
	for name, text := range files {
		if name == "prod" {
			name = "environments/prod/prod.cue"
		}
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}
