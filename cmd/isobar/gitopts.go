package main

import (
	"os"
	"path/filepath"

	"isobar.dev/engine/git"
)

// gitOptions are the repository's address and what the environment says of how
// to get at it.
func gitOptions(f serveFlags, dir string) git.Options {
	o := git.Options{
		URL: f.repo, Branch: f.branch, Dir: dir, User: os.Getenv("ISOBAR_GIT_USER"), Secret: secretFrom("ISOBAR_GIT_TOKEN"),
		SSH: git.SSH{
			Key: os.Getenv("ISOBAR_GIT_SSH_KEY"), Passphrase: secretFrom("ISOBAR_GIT_SSH_PASSPHRASE"),
			Agent: os.Getenv("SSH_AUTH_SOCK"), KnownHosts: os.Getenv("ISOBAR_GIT_KNOWN_HOSTS"),
		},
	}
	if o.SSH.KnownHosts == "" {
		if home, err := os.UserHomeDir(); err == nil {
			o.SSH.KnownHosts = filepath.Join(home, ".ssh", "known_hosts")
		}
	}
	return o
}

// secretFrom reads a variable each time it is asked, nil where there is none.
func secretFrom(name string) func() (string, error) {
	if os.Getenv(name) == "" {
		return nil
	}
	return func() (string, error) { return os.Getenv(name), nil }
}
