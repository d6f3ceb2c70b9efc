package main

import (
	"context"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strings"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
)

// repo is the repository as a verb reads it.
type repo struct {
	tree   fs.FS
	rules  fs.FS
	commit string // "" where the files are not those of a commit
	estate spec.Estate
}

// openRepo reads the repository and what its estate says.
func (a *app) openRepo(ctx context.Context, specs reconcile.Specs) (repo, error) {
	src, err := a.files(ctx)
	if err != nil {
		return repo{}, err
	}
	r := repo{tree: src.tree, rules: src.rules, commit: src.hash}
	r.estate, err = specs.Estate(ctx, src.tree)
	return r, err
}

// choose gives the environments that a command is about: those named, else all
// of the estate and those that only the store still knows something of.
func (r repo) choose(named []string, known []store.Environment) ([]string, error) {
	all := slices.Clone(r.estate.Environments)
	for _, row := range known {
		if row.Resources > 0 && !slices.Contains(all, row.Name) {
			all = append(all, row.Name)
		}
	}
	slices.Sort(all)
	if len(named) == 0 {
		return all, nil
	}
	var wrong diag.List
	for _, name := range named {
		if !slices.Contains(all, name) {
			mend := "the environments are: " + strings.Join(all, ", ")
			if len(all) == 0 {
				mend = "write one under environments/" + name
			}
			wrong = append(wrong, errorf(diag.CommandEnv, mend, "there is no environment %q", name)...)
		}
	}
	named = slices.Clone(named)
	slices.Sort(named)
	return slices.Compact(named), wrong.Err()
}

// actor is who types.
func actor() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	return "somebody"
}
