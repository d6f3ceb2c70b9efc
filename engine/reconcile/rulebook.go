package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/spec"
)

// Rulebook judges plans by built-in packs and a repository's policies/*.rego.
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
	eng, err := b.engine(ctx, mods)
	if err != nil {
		return nil, err
	}
	d, err := eng.Evaluate(ctx, policy.NewDocument(in))
	if err != nil {
		return nil, err
	}
	for i := range d.Items {
		b.waive(&d.Items[i], env.Policy.Waivers)
	}
	return append(d.Findings(), eng.warnings...), nil
}

// waive turns a decision that the spec accepts into a note.
func (b *Rulebook) waive(it *policy.Item, waivers []spec.Waiver) {
	if !it.Waivable() {
		return
	}
	today := b.Today().UTC().Format(time.DateOnly)
	for _, w := range waivers {
		if w.Rule != it.ID && w.Rule != it.Rule || w.Address != "" && w.Address != it.Address.Local() || w.Until != "" && w.Until < today {
			continue
		}
		it.Code = "POL-303"
		it.Message += " (waived: " + w.Reason + ")"
		return
	}
}

// modules gathers what rules share, the packs' rules and the repository's own,
// without tests.
func (b *Rulebook) modules(tree fs.FS, packs []string) ([]policy.Module, error) {
	out := slices.Clone(b.Shared)
	for name, mods := range b.Packs {
		if packs == nil || slices.Contains(packs, name) {
			out = append(out, mods...)
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

// RepoModules reads a repository's own rules and their tests: policies/*.rego.
func RepoModules(tree fs.FS) ([]policy.Module, error) {
	names, err := fs.Glob(tree, "policies/*.rego")
	if err != nil {
		return nil, err
	}
	out := make([]policy.Module, 0, len(names))
	for _, name := range names {
		src, err := fs.ReadFile(tree, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		out = append(out, policy.Module{Path: name, Source: string(src)})
	}
	return out, nil
}

// engine compiles modules, or gives them as compiled before.
func (b *Rulebook) engine(ctx context.Context, mods []policy.Module) (rules, error) {
	h := sha256.New()
	for _, m := range mods {
		h.Write([]byte(m.Path + "\x00" + m.Source + "\x00"))
	}
	key := hex.EncodeToString(h.Sum(nil))
	b.mu.Lock()
	known, ok := b.compiled[key]
	b.mu.Unlock()
	if ok {
		return known, nil
	}
	eng, findings := policy.Compile(ctx, mods)
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
