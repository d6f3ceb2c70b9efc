package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
)

// Rulebook judges plans by built-in packs and a repository's policies/.
// Compiled rules are kept by their content. Safe for concurrent use.
type Rulebook struct {
	Packs    map[string][]policy.Module // by pack name
	Shared   []policy.Module            // what any rule may import, whichever packs are chosen
	Deadline time.Duration              // of one judgement; 0 is policy's default
	Today    func() time.Time           // for waivers that end

	mu       sync.Mutex
	compiled map[string]rules
}

// rules are compiled, with what is to be said of them whatever the plan.
type rules struct {
	*policy.Engine
	warnings diag.List
}

// keptEngines bounds the compiled rules that are kept.
const keptEngines = 32

// Judge holds a plan against the rules that its environment chose. The error is
// a diag.List where a rule can't be used: then nothing may be applied.
func (b *Rulebook) Judge(ctx context.Context, tree fs.FS, env spec.Environment, in policy.Input) (diag.List, error) {
	mods, err := b.modules(tree, env.Policy.Packs)
	if err != nil {
		return nil, err
	}
	eng, err := b.engine(ctx, mods, in.Kinds)
	if err != nil {
		return nil, err
	}
	d, err := eng.Evaluate(ctx, policy.NewDocument(in))
	if err != nil {
		return nil, err
	}
	today := b.Today().UTC().Format(time.DateOnly)
	for i := range d.Items {
		waive(&d.Items[i], env.Policy.Waivers, today)
	}
	return slices.Concat(d.Findings(), eng.warnings, idleWaivers(eng.Engine, env.Policy.Waivers, in.Kinds)), nil
}

// modules gathers what rules share, the packs' rules and the repository's own,
// without tests. Packs that are not chosen stand aside.
func (b *Rulebook) modules(tree fs.FS, packs []string) ([]policy.Module, error) {
	out := slices.Clone(b.Shared)
	for name, mods := range b.Packs {
		for _, m := range mods {
			m.Aside = packs != nil && !slices.Contains(packs, name)
			out = append(out, m)
		}
	}
	var unknown diag.List
	for _, name := range packs {
		if _, ok := b.Packs[name]; !ok {
			unknown = append(unknown, diag.Finding{Severity: diag.Error, Code: "POL-310", Message: "there is no policy pack " + name, Mend: "take it out of policy: packs"})
		}
	}
	if len(unknown) > 0 {
		return nil, unknown
	}
	own, err := RepoModules(tree)
	out = append(out, own...)
	out = slices.DeleteFunc(out, func(m policy.Module) bool { return strings.HasSuffix(m.Path, "_test.rego") })
	slices.SortFunc(out, func(x, y policy.Module) int { return strings.Compare(x.Path, y.Path) })
	return out, err
}

// RepoModules reads a repository's own rules, their tests and their data:
// policies/, as RuleFiles reads a directory.
func RepoModules(tree fs.FS) ([]policy.Module, error) { return RuleFiles(tree, "policies", "policies") }

// RuleFiles reads the files of rules in a directory and in those below it: Rego
// and data (policy.IsData), save what lies under a name that begins with a dot.
// Their names start with shown. A directory that is not there holds none.
func RuleFiles(tree fs.FS, dir, shown string) ([]policy.Module, error) {
	var out []policy.Module
	err := fs.WalkDir(tree, dir, func(name string, e fs.DirEntry, err error) error {
		below := strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == dir:
			return fs.SkipAll
		case err != nil:
			return err
		case name == dir && !e.IsDir():
			return diag.List{{Code: diag.PolicyUnreadable, Severity: diag.Error, Where: diag.Place{File: shown}, Message: "it is no directory", Mend: "make a directory of it that holds the rules"}}
		case below != "" && strings.HasPrefix(e.Name(), ".") && e.IsDir():
			return fs.SkipDir
		case e.IsDir() || strings.HasPrefix(e.Name(), ".") || path.Ext(name) != ".rego" && !policy.IsData(name):
			return nil
		}
		src, err := fs.ReadFile(tree, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a link that leads nowhere is a file without rules
			return err
		}
		m := policy.Module{Path: path.Join(shown, below), Source: string(src)}
		if policy.IsData(name) {
			m.Below = strings.TrimPrefix(path.Dir(below), ".")
		}
		out = append(out, m)
		return nil
	})
	return out, err
}

// engine compiles modules, or gives them as compiled before.
func (b *Rulebook) engine(ctx context.Context, mods []policy.Module, kinds resource.Descriptors) (rules, error) {
	h := sha256.New()
	for _, m := range mods {
		fmt.Fprintf(h, "%s\x00%s\x00%s\x00%t\x00", m.Path, m.Source, m.Below, m.Aside)
	}
	key := hex.EncodeToString(h.Sum(nil))
	b.mu.Lock()
	known, ok := b.compiled[key]
	b.mu.Unlock()
	if ok {
		return known, nil
	}
	eng, findings := policy.Compile(ctx, mods, kinds)
	if err := findings.Err(); err != nil {
		return rules{}, err
	}
	eng.Deadline = b.Deadline
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.compiled == nil || len(b.compiled) >= keptEngines {
		b.compiled = map[string]rules{}
	}
	b.compiled[key] = rules{eng, findings}
	return b.compiled[key], nil
}
