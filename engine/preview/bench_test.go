package preview_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"isobar.dev/engine/forge"
	"isobar.dev/engine/spec"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == spec.ChildWord {
		os.Exit(spec.Child(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// both evaluates an environment's CUE for what it costs, and gives what the lines beside
// it say, for which there are kinds here. The estate and its digests are CUE's own.
type both struct {
	specs
	loader *spec.Loader
	costly atomic.Bool
}

func (b *both) Estate(ctx context.Context, tree fs.FS) (spec.Estate, error) {
	return b.loader.Estate(ctx, tree)
}

func (b *both) Digest(ctx context.Context, tree fs.FS, env string) (string, error) {
	return b.loader.Digest(ctx, tree, env)
}

func (b *both) Environment(ctx context.Context, tree fs.FS, env string) (spec.Environment, error) {
	digest, err := b.Digest(ctx, tree, env)
	if err == nil && b.costly.Load() {
		_, err = b.loader.Environment(ctx, tree, env)
	}
	if err != nil {
		return spec.Environment{}, err
	}
	out, err := b.specs.Environment(ctx, tree, env)
	out.Digest = digest
	return out, err
}

// inCUE is an environment of one network, in CUE and in lines.
func inCUE(files map[string]string, n int, label string) {
	name := fmt.Sprintf("e%04d", n)
	files["envs/"+name+".txt"] = fmt.Sprintf("mode auto\nnetwork main 10.%d.%d.0/24 %s\n", n/250, n%250, label)
	files["environments/"+name+"/main.cue"] = fmt.Sprintf("package %s\n\nimport \"isobar.dev/schemas\"\n\nschemas.#Environment\n\nname: %[1]q\nproviders: aws: region: \"eu-west-1\"\n"+
		"aws: vpc: main: {cidrBlock: \"10.%d.%d.0/24\", tags: owner: %q}\n", name, n/250, n%250, label)
}

// settled reports whether so many environments are in sync.
func (r *rig) settled(envs int) bool {
	rows, err := r.store.Environments(r.Context())
	must(r, err)
	for i := range rows {
		if rows[i].State != "in sync" {
			return false
		}
	}
	return len(rows) == envs
}

// BenchmarkPreview measures the time from a webhook to the comment of a pull request
// that touches 3 of a repository's 2,000 environments: over real Git, a forge, a store
// and CUE, against a world in memory.
func BenchmarkPreview(b *testing.B) {
	const envs, touched = 2000, 3
	loader, err := spec.New(spec.Options{Env: []string{"GORACE=atexit_sleep_ms=0"}})
	must(b, err)
	r := newRig(b, forge.GitHub)
	all := &both{loader: loader}
	r.specs, r.look = all, time.Hour
	files := map[string]string{
		"cue.mod/module.cue": "module: \"estate.example/infra@v0\"\nlanguage: version: \"v0.17.0\"\n",
		"isobar.cue":         "package isobar\n\nestate: \"3f0c9a52e1\"\n",
	}
	for n := range envs {
		inCUE(files, n, "old")
	}
	r.push("main", files)
	r.lab.Hook("", "secret")
	r.serve()
	r.within(10*time.Minute, "all environments in sync", func() bool { return r.settled(envs) })
	all.costly.Store(true)
	round := 0
	for b.Loop() {
		b.StopTimer()
		r.onMain()
		branch, changed := fmt.Sprintf("b%d", round), map[string]string{}
		for n := range touched {
			inCUE(changed, (round*touched+n)%envs, "new")
		}
		r.push(branch, changed)
		number := r.open(branch, "mei")
		told := r.lab.Queued()
		round++
		b.StartTimer()
		r.deliver(told[len(told)-1])
		r.within(patience, "a preview", func() bool {
			body, _ := r.comments(number)
			return strings.Count(body, "<details>") == touched
		})
	}
}
