package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/secret"
	"isobar.dev/engine/store"
)

// keyPath is the file of the key that tells secrets' values apart, beside the
// store that keeps what it made of them.
func keyPath(store string) string { return store + ".key" }

// keeper reads the secrets of environments whose ledgers are in a store. Those
// who share one must have the same key.
func keeper(ctx context.Context, at place, st store.Store, allow secret.Allowance) func(map[string]resource.SecretSource) provider.Secrets {
	ctx = context.WithoutCancel(ctx) // the key is read late
	o := secret.Options{Allow: allow, KeyFile: keyPath(at.beside), LookupEnv: os.LookupEnv}
	if sql, is := st.(*store.SQL); is && at.shared() {
		o.Agree = func(fingerprint string) error {
			kept, err := sql.Agree(ctx, "secrets key", fingerprint)
			if err == nil && kept != fingerprint {
				err = fmt.Errorf("%s is not the key that the others on this store have: each would take every secret of the other for changed", o.KeyFile)
			}
			return err
		}
	}
	k := secret.New(o)
	return func(sources map[string]resource.SecretSource) provider.Secrets {
		if len(sources) > 0 {
			_ = at.ready() // without it the key can't be made, and that is told
		}
		return k.Bind(sources)
	}
}

// ownAllowance is what a one-shot command lets environments read: what the
// person who runs it may read.
func ownAllowance() secret.Allowance {
	a := secret.Default()
	a.Any = true
	return a
}

// secretFlags say what a daemon lets environments read.
func secretFlags(c *cobra.Command, a *secret.Allowance) {
	*a = secret.Default()
	c.Flags().StringArrayVar(&a.EnvPrefixes, "secret-env", a.EnvPrefixes, "environments may read environment variables that start with `PREFIX`, empty for none; may be given again")
	c.Flags().StringArrayVar(&a.Dirs, "secret-dir", a.Dirs, "environments may read files within `DIR`, empty for none; may be given again")
}

// settled is an allowance as flags gave it, with directories by their absolute
// paths.
func settled(a secret.Allowance) (secret.Allowance, error) {
	out := secret.Allowance{Any: a.Any}
	for _, p := range a.EnvPrefixes {
		if p != "" {
			out.EnvPrefixes = append(out.EnvPrefixes, p)
		}
	}
	for _, dir := range a.Dirs {
		if dir == "" {
			continue
		}
		abs, err := filepath.Abs(dir)
		if err != nil {
			return secret.Allowance{}, err
		}
		out.Dirs = append(out.Dirs, abs)
	}
	return out, nil
}
