package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"isobar.dev/engine/lab/slack"
)

// slackKey is the key of a script's Slack.
type slackKey struct{}

// slack starts a Slack, and sets what the daemon wants to know of it; slack FILE
// PATTERN… writes all that it was ever told there, once that matches.
func slackLab(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		server, err := slack.Start(context.Background(), slack.Options{})
		ts.Check(err)
		ts.Defer(func() { _ = server.Close() })
		*ts.Value(slackKey{}).(**slack.Server) = server
		ts.Setenv("ISOBAR_SLACK_TOKEN", slack.DefaultToken)
		ts.Setenv("ISOBAR_SLACK_API_URL", server.URL())
		return
	}
	server := *ts.Value(slackKey{}).(**slack.Server)
	var all bytes.Buffer
	until(ts, "messages in Slack", func() bool {
		all.Reset()
		for _, m := range server.Messages("C0LAB") {
			b, err := json.Marshal(m)
			ts.Check(err)
			fmt.Fprintf(&all, "%s\n%s\n%q\n", b, m.Text, m.Edits)
		}
		return !slices.ContainsFunc(args[1:], func(p string) bool { return !regexp.MustCompile(p).Match(all.Bytes()) })
	})
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), all.Bytes(), 0o600))
}

// scrape LOG FILE fetches the metrics of the daemon that writes LOG into FILE.
func scrape(ts *testscript.TestScript, _ bool, args []string) {
	at := regexp.MustCompile(`"listen":"([^"]+)"`).FindStringSubmatch(ts.ReadFile(args[0]))
	if at == nil {
		ts.Fatalf("%s does not say where the daemon listens", args[0])
	}
	resp, err := http.Get("http://" + at[1] + "/metrics") //nolint:noctx // a daemon of the script's own
	ts.Check(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o600))
}

// nowhere VALUE PATH… checks that no file at or below the paths holds a value,
// as it is or in base64, wherever in the encoded text it stands; ! nowhere, that
// one does.
func nowhere(ts *testscript.TestScript, neg bool, args []string) {
	forms := [][]byte{[]byte(args[0])}
	for shift := range 3 {
		enc := base64.RawStdEncoding.EncodeToString([]byte("xxx"[:shift] + args[0]))
		forms = append(forms, []byte(enc[[]int{0, 2, 3}[shift]:len(enc)-2]))
	}
	files, found := 0, ""
	root, err := os.OpenRoot(ts.MkAbs("."))
	ts.Check(err)
	defer root.Close()
	for _, path := range args[1:] {
		ts.Check(fs.WalkDir(root.FS(), filepath.Clean(path), func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			files++
			data, err := root.ReadFile(name)
			for _, f := range forms {
				if bytes.Contains(data, f) {
					found = fmt.Sprintf("%s holds %s", name, f)
				}
			}
			return err
		}))
	}
	switch {
	case files == 0:
		ts.Fatalf("there is no file to look into")
	case neg != (found != ""):
		ts.Fatalf("in %d files: %q", files, found)
	}
}

// mode PERM FILE checks who may do what with a file.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}
