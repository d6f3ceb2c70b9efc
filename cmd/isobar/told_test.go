package main

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"isobar.dev/engine/lab/slack"
	"isobar.dev/engine/view"
	"isobar.dev/engine/web"
)

// transcript is told: told FILE PATTERN… writes what Slack's people read there, settled like what a
// command prints, once that matches.
func transcript(ts *testscript.TestScript, _ bool, args []string) {
	server := *ts.Value(slackKey{}).(**slack.Server)
	text := ""
	until(ts, strings.Join(args[1:], ", ")+" in Slack", func() bool {
		text = server.Transcript()
		return !slices.ContainsFunc(args[1:], func(p string) bool { return !regexp.MustCompile(p).MatchString(text) })
	})
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = regexp.MustCompile("`[0-9a-f]{7}`").ReplaceAllString(line, "`COMMIT`")
		line = regexp.MustCompile(` \(edited \d+ times\)`).ReplaceAllString(line, " (edited)") // by how long it took
		out.WriteString(settle(line))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(out.String()), 0o600))
}

// slackIs OUTAGE begins an outage of the script's Slack: refuse, hang, drop, fail
// or revoke; slackis alone ends it.
func slackIs(ts *testscript.TestScript, _ bool, args []string) {
	server, outage := *ts.Value(slackKey{}).(**slack.Server), slack.Up
	if len(args) > 0 {
		outage = slack.Outage(args[0])
	}
	ts.Check(server.Outage(context.Background(), outage))
}

// newest STORE VAR [STATE] makes the id of the newest run, or the newest in a
// state, at the daemon of a store a
// variable.
func newest(ts *testscript.TestScript, _ bool, args []string) {
	runs, err := web.NewClient(place{file: ts.MkAbs(args[0])}.socket()).Runs(context.Background(), "", 20)
	ts.Check(err)
	at := slices.IndexFunc(runs, func(r view.RunLine) bool { return len(args) < 3 || string(r.State) == args[2] })
	if at < 0 {
		ts.Fatalf("there is no such run")
	}
	ts.Setenv(args[1], runs[at].ID)
}
