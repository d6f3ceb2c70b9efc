package main

import (
	"context"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"isobar.dev/engine/lab/fault"
	"isobar.dev/engine/lab/moto"
	"isobar.dev/engine/lab/slack"
	"isobar.dev/engine/lab/vcsim"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/view"
	"isobar.dev/engine/web"
	"isobar.dev/examples"
)

// TestScript runs testdata/script/*.txtar: the real command against a real
// emulator of AWS and simulator of a vCenter. In a script's files REGION stands
// for the script's own region, VCENTER for the vCenter's address. Output is compared as steady_test.go settles it; -update writes it.
func TestScript(t *testing.T) {
	dir := t.TempDir()
	cloud, err := moto.Start(context.WithoutCancel(t.Context()), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	center, err := vcsim.Start(context.WithoutCancel(t.Context()), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(center.Close)
	t.Run("terminal", func(t *testing.T) { t.Parallel(); testTerminal(t, cloud) })
	pg := newPostgres(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Values[pgKey{}] = pg
			return setScript(e, &stage{cloud: cloud, center: center})
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"newrepo": newRepo, "exit": exits, "await": await, "answers": answers, "awaitfile": awaitFile,
			"ec2": ec2, "s3": s3, "parameter": parameter, "vcenter": vcenter, "hold": hold, "held": held, "release": release, "refuse": refuse, "mislead": mislead, "shape": shape, "plan": waitingPlan,
			"example": example, "sshrepo": sshRepo, "trustssh": trustSSH, "nowhere": nowhere, "mode": mode,
			"slack": slackLab, "forge": forgeLab, "scrape": scrape, "httprepo": httpRepo, "fill": fill, "hangup": hangUp,
			"describe": describe, "lasthash": lastHash, "told": transcript, "shown": shownPlan, "slackis": slackIs, "newest": newest, "postgres": postgresLab,
		},
	})
}

// stage is what one script has of its own.
type stage struct {
	cloud   *moto.Server
	center  *vcsim.Server
	proxy   *fault.Proxy
	region  string
	reached chan struct{}
	let     chan struct{}
	allow   []func() // ends what refuse began
}

type stageKey struct{}

var regions = []string{
	"us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1",
	"ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "ap-northeast-2", "sa-east-1", "ca-central-1",
}

// regionOf is where a script works: all of them share one cloud.
func regionOf(script string) string {
	sum := sha256.Sum256([]byte("script-" + script))
	return regions[int(sum[0])%len(regions)]
}

// TestScriptsAreApart: no two scripts that share a region make the same network,
// which each counts there.
func TestScriptsAreApart(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	has := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		script := strings.TrimSuffix(filepath.Base(file), ".txtar")
		for _, block := range regexp.MustCompile(`\b10\.\d+\.0\.0/16`).FindAllString(string(text), -1) {
			at := regionOf(script) + " " + block
			if other, ok := has[at]; ok && other != script {
				t.Errorf("%s and %s both have %s: take another block", other, script, at)
			}
			has[at] = script
		}
	}
}

// setScript gives a script its region, its way to the cloud and an environment
// that is the same on every machine.
func setScript(e *testscript.Env, st *stage) error {
	proxy, err := fault.Start(context.Background(), st.cloud.URL())
	if err != nil {
		return err
	}
	e.Defer(proxy.Close)
	st.proxy, st.region, st.reached, st.let = proxy, regionOf(strings.TrimPrefix(filepath.Base(e.WorkDir), "script-")), make(chan struct{}), make(chan struct{})
	e.Values[stageKey{}], e.Values[sshKey{}], e.Values[slackKey{}] = st, &sshStage{}, new(*slack.Server)
	e.Values[forgeKey{}] = &forgeStage{}
	e.Vars = append(append(e.Vars, st.cloud.Env()...), st.center.Env()...)
	e.Vars = append(e.Vars, "REGION="+st.region, "AWS_ENDPOINT_URL="+proxy.URL(), "MOTO="+st.cloud.URL(), "HOME="+e.WorkDir, "USER=mei", "CI=1", "GORACE="+os.Getenv("GORACE"),
		"GIT_AUTHOR_NAME=mei", "GIT_AUTHOR_EMAIL=mei@example.com", "GIT_COMMITTER_NAME=mei", "GIT_COMMITTER_EMAIL=mei@example.com",
		"GIT_CONFIG_NOSYSTEM=1")
	root, err := os.OpenRoot(e.WorkDir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := root.ReadFile(path)
		if err != nil {
			return err
		}
		text := strings.NewReplacer("REGION", st.region, "VCENTER", st.center.URL()).Replace(string(data))
		return root.WriteFile(path, []byte(text), 0o600)
	})
}

func stageOf(ts *testscript.TestScript) *stage { return ts.Value(stageKey{}).(*stage) }

// newrepo DIR makes a repository as init does, without init's example
// environment and policy, around the files that are in DIR already.
func newRepo(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	seed := sha256.Sum256([]byte(ts.Name()))
	_, err := spec.Init(dir, strings.NewReader(string(seed[:])))
	ts.Check(err)
	ts.Check(os.RemoveAll(filepath.Join(dir, "environments", "dev")))
	for _, name := range []string{"name_tag.rego", "name_tag_test.rego"} {
		ts.Check(os.Remove(filepath.Join(dir, "policies", name)))
	}
}

// exit CODE COMMAND… runs a command that must end with this exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			ts.Fatalf("%v", err)
		}
		got = ended.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// example NAME writes an example into the repository at hand, with the lab's
// vCenter, datastore, network and pool, and the script's region.
func example(ts *testscript.TestScript, _ bool, args []string) {
	name, st := args[0], stageOf(ts)
	text, err := examples.Environment(name)
	ts.Check(err)
	text = strings.NewReplacer(
		`vsphere: url: "https://vcenter.example.com"`, `vsphere: {url: "`+st.center.URL()+`", insecure: true}`,
		`"datastore1"`, `"`+vcsim.Datastore+`"`, `network: "`+name+`"`, `network: "`+vcsim.Portgroup+`"`,
		`"Cluster/Resources"`, `"`+vcsim.Pool+`"`, "eu-west-1", st.region,
	).Replace(text)
	dir := ts.MkAbs("environments/" + name)
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(os.WriteFile(filepath.Join(dir, name+".cue"), []byte(text), 0o600))
}

const patience = 2 * time.Minute

// until asks again and again until ok, or fails the script. It waits for twice as
// long as asking took, so that what is waited for has the machine meanwhile.
func until(ts *testscript.TestScript, what string, ok func() bool) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		asked := time.Now()
		if ok() {
			return
		}
		select {
		case <-time.After(max(100*time.Millisecond, 2*time.Since(asked))):
		case <-deadline.C:
			ts.Fatalf("waited %s for %s", patience, what)
		}
	}
}

// await PATTERN COMMAND… runs a command until its output matches.
func await(ts *testscript.TestScript, _ bool, args []string) {
	re := regexp.MustCompile(args[0])
	until(ts, args[0], func() bool {
		_ = ts.Exec(args[1], args[2:]...) // it may fail until it works
		return re.MatchString(ts.ReadFile("stdout"))
	})
}

// answers STORE waits until a daemon that starts over an older store answers:
// before that the verbs read the store itself, and a signal ends it at once.
func answers(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, args[0]+"'s daemon", func() bool {
		_, err := web.NewClient(place{file: ts.MkAbs(args[0])}.socket()).Environments(context.Background())
		return err == nil
	})
}

// awaitfile FILE PATTERN waits until a file's text matches.
func awaitFile(ts *testscript.TestScript, _ bool, args []string) {
	re := regexp.MustCompile(args[1])
	until(ts, args[1], func() bool {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && re.Match(data)
	})
}

// ec2 [VAR=PATH|COUNT:PATH=N] ACTION KEY=VALUE… makes a call as somebody else
// would, past isobar. With VAR=PATH the text at PATH of its answer becomes a
// variable; COUNT:PATH=N wants N elements there.
func ec2(ts *testscript.TestScript, _ bool, args []string) {
	st := stageOf(ts)
	first := ""
	if strings.Contains(args[0], "=") {
		first, args = args[0], args[1:]
	}
	params := map[string]string{}
	for _, kv := range args[1:] {
		k, v, _ := strings.Cut(kv, "=")
		params[k] = v
	}
	out, err := st.cloud.EC2(context.Background(), st.region, args[0], params)
	ts.Check(err)
	name, path, _ := strings.Cut(first, "=")
	switch counted, isCount := strings.CutPrefix(name, "COUNT:"); {
	case first == "":
	case isCount:
		if n := len(out.All(strings.Split(counted, "/")...)); strconv.Itoa(n) != path {
			ts.Fatalf("%d elements at %s, want %s", n, counted, path)
		}
	default:
		text := out.Get(strings.Split(path, "/")...)
		if text == "" {
			ts.Fatalf("nothing at %s", path)
		}
		ts.Setenv(name, text)
	}
}

// [!] s3 [-to FILE] METHOD PATH [BODY|@FILE] makes a call of S3 as somebody
// else would, past isobar, and wants success, or with ! a refusal. Its answer
// goes to a file with -to.
func s3(ts *testscript.TestScript, neg bool, args []string) {
	st := stageOf(ts)
	to, body := "", ""
	if args[0] == "-to" {
		to, args = args[1], args[2:]
	}
	if len(args) > 2 {
		body = args[2]
	}
	if file, ok := strings.CutPrefix(body, "@"); ok {
		body = ts.ReadFile(file)
	}
	got, err := st.cloud.S3(context.Background(), st.region, args[0], args[1], body)
	if neg && err == nil {
		ts.Fatalf("%s %s went well", args[0], args[1])
	}
	if !neg {
		ts.Check(err)
	}
	if to != "" {
		ts.Check(os.WriteFile(ts.MkAbs(to), []byte(got), 0o600))
	}
}

// describe FILE ACTION KEY=VALUE… adds to a file what the cloud shows of objects,
// a line a value, without isobar's marks. An ACTION that begins with / is a path
// of S3.
func describe(ts *testscript.TestScript, _ bool, args []string) {
	st := stageOf(ts)
	params := map[string]string{}
	for _, kv := range args[2:] {
		k, v, _ := strings.Cut(kv, "=")
		params[k] = v
	}
	out := &moto.Node{}
	if strings.HasPrefix(args[1], "/") {
		text, err := st.cloud.S3(context.Background(), st.region, http.MethodGet, args[1], "")
		if text == "" {
			ts.Check(err)
		}
		if xml.Unmarshal([]byte(text), out) != nil {
			out = &moto.Node{Text: text} // a policy
		}
	} else {
		var err error
		out, err = st.cloud.EC2(context.Background(), st.region, args[1], params)
		ts.Check(err)
	}
	file := ts.MkAbs(args[0])
	have, _ := os.ReadFile(file)
	ts.Check(os.WriteFile(file, append(have, strings.Join(values(out, args[1]), "\n")+"\n"...), 0o600))
}

// values writes a node's values with the names that lead to them, in order.
func values(n *moto.Node, path string) []string {
	switch {
	case strings.EqualFold(n.Name, "requestId"), strings.HasPrefix(n.Get("key")+n.Get("Key"), "isobar:"), len(n.Kids) == 0 && n.Text == "":
		return nil
	case len(n.Kids) == 0:
		return []string{path + " = " + n.Text}
	}
	var out []string
	for _, k := range n.Kids {
		out = append(out, values(k, path+"/"+k.Name)...)
	}
	return out
}

// parameter NAME VALUE sets a parameter of Systems Manager, past isobar.
func parameter(ts *testscript.TestScript, _ bool, args []string) {
	st := stageOf(ts)
	ts.Check(st.cloud.PutParameter(context.Background(), st.region, args[0], args[1]))
}

// hold [-after | -lost] ACTION holds the next call of an action before the cloud
// sees it, or the answer once the cloud has done it; what is lost never gets there.
func hold(ts *testscript.TestScript, _ bool, args []string) {
	st := stageOf(ts)
	stop := func(fault.Call) {
		close(st.reached)
		<-st.let
	}
	do := fault.Fault{Before: stop}
	switch args[0] {
	case "-after":
		do, args = fault.Fault{After: stop}, args[1:]
	case "-lost":
		do, args = fault.Fault{Before: stop, Cut: true}, args[1:]
	}
	st.proxy.Inject(fault.Rule{Action: args[0], Times: 1, Do: do})
}

// held waits until the call that hold named has come.
func held(ts *testscript.TestScript, _ bool, _ []string) {
	select {
	case <-stageOf(ts).reached:
	case <-time.After(patience):
		ts.Fatalf("no call came to be held")
	}
}

// release lets the held call go on.
func release(ts *testscript.TestScript, _ bool, _ []string) { close(stageOf(ts).let) }

// refuse [-times N] ACTION CODE MESSAGE… lets the cloud refuse calls from now on,
// or the next N of them; refuse alone ends that.
func refuse(ts *testscript.TestScript, _ bool, args []string) {
	st := stageOf(ts)
	if len(args) == 0 {
		for _, end := range st.allow {
			end()
		}
		st.allow = nil
		return
	}
	rule := fault.Rule{}
	if args[0] == "-times" {
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		rule.Times, args = n, args[2:]
	}
	rule.Action, rule.Do = args[0], fault.Refuse(400, args[1], strings.Join(args[2:], " "))
	st.allow = append(st.allow, st.proxy.Inject(rule))
}

// mislead ACTION [BODY] lets a stranger answer calls with success from now on, in
// the cloud's place; refuse alone ends that.
func mislead(ts *testscript.TestScript, _ bool, args []string) {
	st := stageOf(ts)
	do := fault.Fault{Status: http.StatusOK, Body: strings.Join(args[1:], " "), Header: http.Header{"Content-Type": {"text/html"}}}
	st.allow = append(st.allow, st.proxy.Inject(fault.Rule{Action: args[0], Do: do}))
}

// plan STORE VAR makes the name of the plan that waits in a store a variable.
func waitingPlan(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	at, err := placeOf(args[0])
	ts.Check(err)
	var rows []view.Status
	if at.shared() {
		st, err := at.open(ctx)
		ts.Check(err)
		defer st.Close()
		rows, err = shelf{st, true}.Environments(ctx)
		ts.Check(err)
	} else {
		rows, err = web.NewClient(place{file: ts.MkAbs(at.file)}.socket()).Environments(ctx)
		ts.Check(err)
	}
	for _, row := range rows {
		if name := regexp.MustCompile(`[0-9a-f]{4}-[0-9a-f]{4}`).FindString(row.Note); name != "" {
			ts.Setenv(args[1], name)
			return
		}
	}
	ts.Fatalf("no plan waits: %v", rows)
}

// shown ENV VAR makes the name of the plan of an environment that was shown last,
// as the store of the repository at hand has it, a variable.
func shownPlan(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	st, err := place{file: ts.MkAbs(".isobar/store.db")}.open(ctx)
	ts.Check(err)
	defer st.Close()
	plans, err := st.PlansOf(ctx, args[0], "")
	ts.Check(err)
	if len(plans) == 0 {
		ts.Fatalf("no plan of %s was shown", args[0])
	}
	ts.Setenv(args[1], view.PlanID(plans[0].Digest))
}

// shape FILE PATTERN… checks that every line of a file, sorted, matches the
// pattern at its place: for lines that come in no fixed order.
func shape(ts *testscript.TestScript, _ bool, args []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n")
	slices.Sort(lines)
	if len(lines) != len(args)-1 {
		ts.Fatalf("%d lines, want %d:\n%s", len(lines), len(args)-1, strings.Join(lines, "\n"))
	}
	for i, pattern := range args[1:] {
		if ok, err := regexp.MatchString(pattern, lines[i]); err != nil || !ok {
			ts.Fatalf("line %d is %q, want %s (%v)", i+1, lines[i], pattern, fmt.Sprint(err))
		}
	}
}
