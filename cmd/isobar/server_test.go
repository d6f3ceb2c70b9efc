package main

import (
	"context"
	"os"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"isobar.dev/engine/lab/gitd"
)

// httprepo DIR USER PASSWORD serves the commits of a repository over HTTP, to
// whoever has the password: HTTP_URL is its address, HTTP_DIR the bare repository.
func httpRepo(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithCancel(context.Background())
	ts.Defer(cancel)
	srv, err := gitd.Start(ctx)
	ts.Check(err)
	ts.Defer(func() { ts.Check(srv.Close()) })
	ts.Check(srv.Create(ctx, "estate"))
	ts.Check(ts.Exec("git", "-C", ts.MkAbs(args[0]), "push", "-q", srv.Dir("estate"), "HEAD:refs/heads/main"))
	srv.Protect(args[1], args[2])
	ts.Setenv("HTTP_URL", srv.Address("estate"))
	ts.Setenv("HTTP_DIR", srv.Dir("estate"))
}

// fill FILE… puts variables in the place of $NAME in files.
func fill(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// hangup sends the script's processes SIGHUP.
func hangUp(ts *testscript.TestScript, _ bool, _ []string) {
	for _, c := range ts.BackgroundCmds() {
		ts.Check(c.Process.Signal(syscall.SIGHUP))
	}
}
