package main

import (
	"context"
	"os"
	"runtime/debug"
	"time"

	"github.com/google/uuid"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/observe"
	"isobar.dev/engine/policy"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/policies"
	"isobar.dev/providers/all"
	"isobar.dev/schemas"
)

// packName is the name of the rule pack that comes with isobar.
const packName = "starter"

// version is what the binary says of itself: its module version or commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 7 {
			return "dev-" + s.Value[:7]
		}
	}
	return "dev"
}

// newID gives a UUIDv7, which sorts by time.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// catalogue joins the providers with their descriptors.
func catalogue() (provider.Catalogue, error) {
	d, err := schemas.Descriptors()
	if err != nil {
		return provider.Catalogue{}, err
	}
	c := provider.Catalogue{Types: all.Types(), Descriptors: d}
	return c, c.Check()
}

// modules turns files of the built-in rules into modules.
func modules(read func() ([]policies.File, error)) ([]policy.Module, error) {
	files, err := read()
	mods := make([]policy.Module, len(files))
	for i, f := range files {
		mods[i] = policy.Module{Path: f.Path, Source: f.Source}
	}
	return mods, err
}

// rulebook holds the built-in pack and what all rules share.
func rulebook() (*reconcile.Rulebook, error) {
	rules, err := modules(policies.Rules)
	if err != nil {
		return nil, err
	}
	shared, err := modules(policies.Shared)
	if err != nil {
		return nil, err
	}
	return &reconcile.Rulebook{Packs: map[string][]policy.Module{packName: rules}, Shared: shared, Today: time.Now}, nil
}

// newRunner wires a runner over a store, whose name holder is (0 for one that
// nothing comes of). trace is told of each provider call; it may be nil. secrets
// gives what specs bind; nil reads none.
func newRunner(st store.Store, holder ledger.Holder, trace func(context.Context, provider.Span), secrets func(map[string]resource.SecretSource) provider.Secrets) (*reconcile.Runner, error) {
	cat, err := catalogue()
	if err != nil {
		return nil, err
	}
	loader, err := spec.New(spec.Options{Env: childEnv()})
	if err != nil {
		return nil, err
	}
	rules, err := rulebook()
	if err != nil {
		return nil, err
	}
	return &reconcile.Runner{
		Specs: &reconcile.Evaluated{Specs: loader, Kept: st, Now: time.Now}, Policies: rules, Ledger: st, Words: st, Catalogue: cat,
		Sessions: &reconcile.Sessions{
			Catalogue: cat, // each provider makes its own fenced client, which honours its SDK's settings
			Options:   provider.Options{Budgets: provider.NewBudgets(provider.Rate{}, provider.Clock{}), Hosts: &provider.Hosts{}, Trace: trace},
		},
		Observer: observe.New(cat, time.Now),
		Engine:   &apply.Engine{Kinds: cat, Now: time.Now, NewToken: func() string { return holder.Token(newID()) }, Sleep: sleep},
		Now:      time.Now, Schema: version(), Secrets: secrets, Holder: holder,
	}, nil
}

// childEnv is what evaluations see of the environment: how a binary built with
// the race detector ends, and nothing else.
func childEnv() []string {
	if v, ok := os.LookupEnv("GORACE"); ok {
		return []string{"GORACE=" + v}
	}
	return nil
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
