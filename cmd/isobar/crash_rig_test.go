package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"isobar.dev/engine/lab/fault"
	"isobar.dev/engine/lab/moto"
	"isobar.dev/engine/lab/vcsim"
	"isobar.dev/engine/spec"
)

const (
	crashRegion = "eu-west-1"
	crashBatch  = 16 // sites that share one simulated vCenter
)

// crashLab has the clouds that all cut points share.
type crashLab struct {
	dir     string
	bin     string // the program under test
	image   string // an image that instances may start from
	cloud   *moto.Server
	mu      sync.Mutex
	centers []*vcsim.Server
	sites   int
}

// newCrashLab starts the clouds for the program bin.
func newCrashLab(t *testing.T, bin string) *crashLab {
	t.Helper()
	l := &crashLab{dir: t.TempDir(), bin: bin}
	var err error
	if l.cloud, err = moto.Start(context.WithoutCancel(t.Context()), l.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.cloud.Close)
	images, err := l.cloud.EC2(t.Context(), crashRegion, "DescribeImages", map[string]string{"Owner.1": "amazon"})
	if err != nil {
		t.Fatal(err)
	}
	l.image = images.Get("imagesSet", "item", "imageId")
	return l
}

// site is one cut point's own piece of both clouds: an account at AWS, a folder
// at a vCenter, and the proxies before them, which count the requests that
// change something over both.
type site struct {
	name   string // names what is unique in the world: "crash-007"
	dir    string
	cloud  *moto.Server // as the account sees it
	center *vcsim.Server
	aws    *fault.Proxy
	vs     *fault.Proxy
	env    []string
	vsURL  string

	seen atomic.Int64
	cut  atomic.Value // string: the action that was cut

	mu    sync.Mutex
	pid   int
	ended chan struct{} // of the process that runs
}

// site makes the next one.
func (l *crashLab) site(t *testing.T) *site {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sites%crashBatch == 0 {
		dir := filepath.Join(l.dir, fmt.Sprintf("center-%d", len(l.centers)))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		c, err := vcsim.Start(context.WithoutCancel(t.Context()), dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		l.centers = append(l.centers, c)
	}
	l.sites++
	account := fmt.Sprintf("1%011d", l.sites)
	s := &site{
		name: fmt.Sprintf("crash-%03d", l.sites), dir: filepath.Join(l.dir, account),
		cloud: l.cloud.In(account), center: l.centers[len(l.centers)-1],
	}
	for _, dir := range []string{s.dir, filepath.Join(s.dir, "home")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if s.aws, err = fault.New(l.cloud.URL()); err == nil {
		s.vs, err = fault.New(strings.TrimSuffix(s.center.URL(), "/sdk"))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.aws.Close)
	t.Cleanup(s.vs.Close)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set(moto.AccountHeader, account)
		s.aws.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	secure := httptest.NewUnstartedServer(s.vs)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // a client that is killed is no news
	secure.StartTLS()
	t.Cleanup(secure.Close)
	s.vsURL = secure.URL + "/sdk"
	s.env = append(append(l.cloud.Env(), s.center.Env()...), "AWS_ENDPOINT_URL="+front.URL, "AWS_REGION="+crashRegion,
		"HOME="+filepath.Join(s.dir, "home"), "CI=1", "USER=mei", "SCRIPT_RAW=1", "GORACE="+os.Getenv("GORACE"),
		"GIT_AUTHOR_NAME=mei", "GIT_AUTHOR_EMAIL=mei@example.com", "GIT_COMMITTER_NAME=mei", "GIT_COMMITTER_EMAIL=mei@example.com", "GIT_CONFIG_NOSYSTEM=1")
	return s
}

// cutAt kills what runs at the nth request that changes something, counted over
// both clouds from 1: before the cloud sees it, or when the cloud has done it
// and nobody was told. 0 only counts.
func (s *site) cutAt(n int, before bool) {
	match := func(c fault.Call) bool {
		if !c.Mutates() || s.seen.Add(1) != int64(n) {
			return false
		}
		s.cut.Store(c.Action)
		return true
	}
	do := fault.Fault{After: func(fault.Call) { s.kill() }, Lose: true}
	if before {
		do = fault.Fault{Before: func(fault.Call) { s.kill() }, Cut: true}
	}
	s.aws.Inject(fault.Rule{Match: match, Do: do})
	s.vs.Inject(fault.Rule{Match: match, Do: do})
}

// kill ends the process that runs and all of its group by SIGKILL, and waits
// until it is gone.
func (s *site) kill() {
	s.mu.Lock()
	pid, ended := s.pid, s.ended
	s.mu.Unlock()
	if pid != 0 {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // it may have ended by itself
		<-ended
	}
}

// killed is the exit code of a process that a signal ended.
const killed = -1

// start runs a program in a directory of the site as a group of its own. What
// wait gives is its exit code and all that it said.
func (s *site) start(t *testing.T, dir, name string, args ...string) (wait func() (int, string)) {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	var out bytes.Buffer
	c.Dir, c.Env, c.Stdout, c.Stderr = dir, append(os.Environ(), s.env...), &out, &out
	c.SysProcAttr, c.WaitDelay = &syscall.SysProcAttr{Setpgid: true}, 10*time.Second
	ended := make(chan struct{})
	s.mu.Lock()
	err := c.Start()
	if err == nil {
		s.pid, s.ended = c.Process.Pid, ended
	}
	s.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = c.Wait() // the exit code says it
		s.mu.Lock()
		s.pid = 0
		s.mu.Unlock()
		close(ended)
	}()
	return func() (int, string) {
		<-ended
		return c.ProcessState.ExitCode(), out.String()
	}
}

// run runs a program to its end.
func (s *site) run(t *testing.T, dir, name string, args ...string) (int, string) {
	t.Helper()
	return s.start(t, dir, name, args...)()
}

// repo makes the site's repository with one environment, crash.
func (s *site) repo(t *testing.T, text string) string {
	t.Helper()
	dir := filepath.Join(s.dir, "repo")
	_, err := spec.Init(dir, rand.Reader)
	for _, err := range []error{
		err,
		os.RemoveAll(filepath.Join(dir, "environments", "dev")),
		os.RemoveAll(filepath.Join(dir, "policies")),
		os.MkdirAll(filepath.Join(dir, "environments", "crash"), 0o700),
		os.WriteFile(filepath.Join(dir, "environments", "crash", "crash.cue"), []byte(text), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// thing is an object that a cloud has, as the cloud itself tells of it.
type thing struct {
	ids   []string // any of which a tool may know it by
	key   string   // what it is meant to be; two of one key are duplicates
	facts string   // what is set on it, without ids
}

// things lists what was made at the site's account: all that AWS has not by
// itself, and the volumes that are no instance's root.
func (s *site) things(t *testing.T) []thing {
	t.Helper()
	ask := func(action string, path ...string) []*moto.Node {
		out, err := s.cloud.EC2(t.Context(), crashRegion, action, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out.All(path...)
	}
	var out []thing
	names := map[string]string{"": "none"} // ids to keys
	add := func(id, key string, facts ...any) {
		names[id] = key
		out = append(out, thing{[]string{id}, key, strings.TrimSpace(fmt.Sprintln(facts...))})
	}
	own := map[string]bool{} // VPCs
	for _, n := range ask("DescribeVpcs", "vpcSet", "item") {
		if n.Get("isDefault") != "true" {
			own[n.Get("vpcId")] = true
			add(n.Get("vpcId"), "vpc "+n.Get("cidrBlock"))
		}
	}
	for _, n := range ask("DescribeSubnets", "subnetSet", "item") {
		if own[n.Get("vpcId")] {
			add(n.Get("subnetId"), "subnet "+n.Get("cidrBlock"), names[n.Get("vpcId")], n.Get("availabilityZone"))
		}
	}
	for _, n := range ask("DescribeInternetGateways", "internetGatewaySet", "item") {
		add(n.Get("internetGatewayId"), "internet gateway", names[n.Get("attachmentSet", "item", "vpcId")])
	}
	for _, n := range ask("DescribeRouteTables", "routeTableSet", "item") {
		if own[n.Get("vpcId")] && n.Get("associationSet", "item", "main") != "true" {
			add(n.Get("routeTableId"), "route table", names[n.Get("vpcId")], len(n.All("routeSet", "item")), "routes", len(n.All("associationSet", "item")), "subnets")
		}
	}
	for _, n := range ask("DescribeSecurityGroups", "securityGroupInfo", "item") {
		if own[n.Get("vpcId")] && n.Get("groupName") != "default" {
			add(n.Get("groupId"), "security group "+n.Get("groupName"), names[n.Get("vpcId")],
				values(&moto.Node{Kids: n.All("ipPermissions", "item", "fromPort")}, "in"), len(n.All("ipPermissionsEgress", "item")), "out")
		}
	}
	for _, n := range ask("DescribeKeyPairs", "keySet", "item") {
		add(n.Get("keyPairId"), "key pair "+n.Get("keyName"))
		out[len(out)-1].ids = append(out[len(out)-1].ids, n.Get("keyName"))
	}
	for _, n := range ask("DescribeInstances", "reservationSet", "item", "instancesSet", "item") {
		if n.Get("instanceState", "name") != "terminated" {
			add(n.Get("instanceId"), "instance "+tagName(n), n.Get("instanceState", "name"), n.Get("instanceType"), n.Get("keyName"), names[n.Get("subnetId")], len(n.All("groupSet", "item")), "groups")
		}
	}
	for _, n := range ask("DescribeVolumes", "volumeSet", "item") {
		at := n.Get("attachmentSet", "item", "device")
		if at == "" || at == "/dev/sdf" {
			add(n.Get("volumeId"), "volume "+tagName(n), n.Get("size"), "GiB", at, names[n.Get("attachmentSet", "item", "instanceId")])
		}
	}
	return append(out, s.buckets(t)...)
}

func tagName(n *moto.Node) string {
	for _, tag := range n.All("tagSet", "item") {
		if tag.Get("key") == "Name" {
			return tag.Get("value")
		}
	}
	return "without a name"
}

func (s *site) buckets(t *testing.T) []thing {
	t.Helper()
	read := func(path string) *moto.Node {
		text, err := s.cloud.S3(t.Context(), crashRegion, http.MethodGet, path, "")
		if err != nil && text == "" {
			t.Fatal(err)
		}
		out := &moto.Node{}
		if err := xml.Unmarshal([]byte(text), out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	var out []thing
	for _, n := range read("/").All("Buckets", "Bucket", "Name") {
		versions, block := values(read("/"+n.Text+"?versioning"), "versioning"), values(read("/"+n.Text+"?publicAccessBlock"), "block")
		out = append(out, thing{[]string{n.Text}, "bucket " + strings.TrimPrefix(n.Text, s.name+"-"), strings.TrimSpace(fmt.Sprintln(versions, block))})
	}
	return out
}

var subnetID = regexp.MustCompile(`subnet-[0-9a-f]{8,17}`)

// machines lists what was made at the vCenter by the site.
func (s *site) machines(t *testing.T, all map[string]vcsim.Machine) []thing {
	t.Helper()
	var out []thing
	place := func(key, path string, facts ...any) {
		id, _, err := s.center.Describe(t.Context(), path)
		switch {
		case err == nil:
			out = append(out, thing{[]string{id}, key, strings.TrimSpace(fmt.Sprintln(facts...))})
		case !strings.HasPrefix(err.Error(), "0 objects"): // several of one path
			out = append(out, thing{key: key, facts: err.Error()}, thing{key: key, facts: err.Error()})
		}
	}
	place("folder", "/DC0/vm/"+s.name)
	place("resource pool", "/DC0/host/"+vcsim.Pool+"/"+s.name)
	for name, m := range all {
		if strings.HasPrefix(name, s.name+"-") {
			place("machine "+strings.TrimPrefix(name, s.name+"-"), m.Path, m.CPUs, m.MemoryMB, "on", m.On, m.Disks, "disks", m.Networks, "networks",
				strings.ReplaceAll(m.Path, s.name, "SITE"), subnetID.ReplaceAllString(strings.ReplaceAll(m.Annotation, s.name, "SITE"), "SUBNET"))
		}
	}
	return out
}
