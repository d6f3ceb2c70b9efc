package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"isobar.dev/engine/lab/gitd"
)

type sshKey struct{}

// sshrepo DIR serves the commits of a repository over SSH: SSH_URL is its
// address, SSH_KEY and SSH_KNOWN are the files of a key that may log in and of
// the server's own.
func sshRepo(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithCancel(context.Background())
	ts.Defer(cancel)
	srv, err := gitd.Start(ctx)
	ts.Check(err)
	ts.Defer(func() { ts.Check(srv.Close()) })
	sshd, err := srv.SSH(ctx)
	ts.Check(err)
	ts.Defer(func() { ts.Check(sshd.Close()) })
	ts.Check(srv.Create(ctx, "estate"))
	ts.Check(ts.Exec("git", "-C", ts.MkAbs(args[0]), "push", "-q", srv.Dir("estate"), "HEAD:refs/heads/main"))
	key, err := sshd.Key(ctx, "ed25519", "", true)
	ts.Check(err)
	known, err := sshd.KnownHosts()
	ts.Check(err)
	ts.Setenv("SSH_URL", sshd.URL("estate"))
	ts.Setenv("SSH_KEY", key)
	ts.Setenv("SSH_KNOWN", known)
	ts.Value(sshKey{}).(*sshStage).sshd = sshd
}

// sshStage is the SSH server of a script that has one.
type sshStage struct{ sshd *gitd.SSH }

// trustssh waits until a login was tried, then writes the server's key to the
// user's own known_hosts.
func trustSSH(ts *testscript.TestScript, _ bool, _ []string) {
	sshd := ts.Value(sshKey{}).(*sshStage).sshd
	until(ts, "a login", func() bool { return sshd.Logins() > 0 })
	data, err := os.ReadFile(ts.Getenv("SSH_KNOWN"))
	ts.Check(err)
	dir := filepath.Join(ts.Getenv("HOME"), ".ssh")
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(os.WriteFile(filepath.Join(dir, "known_hosts"), data, 0o600))
}
