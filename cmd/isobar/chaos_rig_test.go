package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"isobar.dev/engine/lab/fault"
	"isobar.dev/engine/lab/gitd"
	"isobar.dev/engine/lab/moto"
	"isobar.dev/engine/lab/postgres"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
)

// chaosAccount is the account at moto.
const chaosAccount = "200000000001"

// chaosSlow is how long an answer to a call that changes something takes: time to
// be killed, stopped or cut off from the store in.
const chaosSlow = 150 * time.Millisecond

// chaosLab is two daemons on one store, their repository and their cloud.
type chaosLab struct {
	dir, bin string
	env      []string
	cloud    *moto.Server
	proxy    *fault.Proxy
	pg       *postgres.Server
	url      string // of the store
	repo     *gitd.Clone
	envs     []chaosEnv
	daemons  []*chaosDaemon
	kills    int

	mu        sync.Mutex
	processes map[string]string // by process id, the name that its calls bear
	unasked   []string          // ends that nobody asked for
}

// chaosDaemon is a daemon that is started again when it was killed. Its fields
// are the test's own goroutine's.
type chaosDaemon struct {
	n       int
	starts  int
	pid     int
	stopped bool
	ended   chan struct{} // of its process
	asked   chan struct{} // closed before it is killed or told to end
	code    *int          // its exit code, once it has ended
	out     *overheard    // what it says
}

// overheard is what a process has said so far. Safe for concurrent use.
type overheard struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *overheard) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *overheard) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

const chaosSchema = "chaos"

func newChaosLab(t *testing.T, bin string) *chaosLab {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	l := &chaosLab{dir: t.TempDir(), bin: bin, processes: map[string]string{}}
	server, err := moto.Start(ctx, l.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	l.cloud = server.In(chaosAccount)
	if l.proxy, err = fault.New(server.URL()); err == nil {
		t.Cleanup(l.proxy.Close)
		l.pg, err = postgres.Start(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.pg.Close)
	l.proxy.Inject(fault.Rule{Match: fault.Call.Mutates, Do: fault.Fault{After: func(fault.Call) { time.Sleep(chaosSlow) }}})
	if l.url, err = l.pg.Schema(ctx, chaosSchema); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(l.dir, "home"), 0o700); err != nil {
		t.Fatal(err)
	}
	l.env = append(server.Env(), "HOME="+filepath.Join(l.dir, "home"), "CI=1", "USER=mei", "SCRIPT_RAW=1", "GORACE="+os.Getenv("GORACE"))
	l.watchLeases(t)
	l.newRepo(t)
	return l
}

// watchLeases has the database note each change of a lease's holder, in the
// transaction that makes it: the store keeps just the last.
func (l *chaosLab) watchLeases(t *testing.T) {
	t.Helper()
	st, err := store.OpenPostgres(t.Context(), l.url) // makes the tables
	if err == nil {
		err = st.Close()
	}
	if err == nil {
		err = l.pg.Exec(t.Context(), strings.ReplaceAll(`
CREATE TABLE SCHEMA.lab_leases (n BIGSERIAL PRIMARY KEY, at BIGINT, env TEXT, owner TEXT, epoch BIGINT);
CREATE FUNCTION SCHEMA.lab_lease() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF TG_OP = 'INSERT' OR NEW.owner <> OLD.owner OR NEW.epoch <> OLD.epoch THEN
INSERT INTO SCHEMA.lab_leases (at, env, owner, epoch) VALUES ((extract(epoch FROM clock_timestamp()) * 1000000)::bigint, NEW.env, NEW.owner, NEW.epoch);
END IF; RETURN NEW; END $$;
CREATE TRIGGER lab_lease AFTER INSERT OR UPDATE ON SCHEMA.leases FOR EACH ROW EXECUTE FUNCTION SCHEMA.lab_lease()`, "SCHEMA", chaosSchema))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// tenures gives who held which epoch, by the name of its process at the proxy.
func (l *chaosLab) tenures(t *testing.T) map[epochOf]tenure {
	t.Helper()
	rows, err := l.pg.Ask(t.Context(), "SELECT at, env, owner, epoch FROM "+chaosSchema+".lab_leases ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	out, held := map[epochOf]tenure{}, map[string]epochOf{}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range rows {
		micros, err := strconv.ParseInt(r[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		epoch, err := strconv.ParseInt(r[3], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		at, env := time.UnixMicro(micros), r[1]
		if was, ok := held[env]; ok {
			ten := out[was]
			ten.until = at
			out[was] = ten
			delete(held, env)
		}
		if owner := strings.Split(r[2], "/"); len(owner) == 3 && !strings.HasPrefix(env, "/") {
			held[env] = epochOf{env, epoch}
			out[held[env]] = tenure{process: l.processes[owner[1]], from: at}
		}
	}
	return out
}

func (l *chaosLab) newRepo(t *testing.T) {
	t.Helper()
	dir := filepath.Join(l.dir, "repo")
	_, err := spec.Init(dir, rand.Reader)
	if err == nil {
		l.repo, err = gitd.NewLocal(t.Context(), dir)
	}
	for _, file := range []string{"environments/dev", "policies/owner.rego"} {
		if err == nil {
			err = l.repo.Remove(file)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// commit puts environments into the repository as they are wanted now.
func (l *chaosLab) commit(t *testing.T, all ...chaosEnv) {
	t.Helper()
	names := make([]string, len(all))
	for i, e := range all {
		names[i] = e.name()
		if err := l.repo.Write("environments/"+e.name()+"/"+e.name()+".cue", e.text()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.repo.Commit(t.Context(), "Change "+strings.Join(names, ", ")); err != nil {
		t.Fatal(err)
	}
}

// start starts a daemon that does not run. Each process has an address of its own
// at the proxy, by which its calls are told.
func (l *chaosLab) start(t *testing.T, d *chaosDaemon) {
	t.Helper()
	if d.running() {
		return
	}
	d.starts++
	name := fmt.Sprintf("daemon %d.%d", d.n, d.starts)
	caller := fault.Caller(l.proxy, name)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set(moto.AccountHeader, chaosAccount)
		caller.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	dir := filepath.Join(l.dir, fmt.Sprintf("daemon-%d", d.n))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(context.WithoutCancel(t.Context()), l.bin, "serve", "--repo", l.repo.Dir, "--store", l.url, "--listen", "",
		"--poll", "1s", "--interval", "20s", "--backoff", "1s")
	out := &overheard{}
	c.Dir, c.Stdout, c.Stderr = dir, out, out
	c.Env = append(append(os.Environ(), l.env...), "AWS_ENDPOINT_URL="+front.URL, "STATE_DIRECTORY="+dir)
	c.SysProcAttr, c.WaitDelay = &syscall.SysProcAttr{Setpgid: true}, 10*time.Second
	l.mu.Lock()
	err := c.Start()
	if err == nil {
		l.processes[strconv.Itoa(c.Process.Pid)] = name
	}
	l.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	ended, asked, code := make(chan struct{}), make(chan struct{}), new(int)
	d.pid, d.stopped, d.ended, d.asked, d.code, d.out = c.Process.Pid, false, ended, asked, code, out
	go func() {
		_ = c.Wait() // the exit code says it
		*code = c.ProcessState.ExitCode()
		l.heard(name, out.String(), *code, asked)
		close(ended)
	}()
}

// heard looks at what a process said that has ended.
func (l *chaosLab) heard(name, out string, code int, asked <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(out) {
		if strings.Contains(line, "isobar's own fault") || strings.Contains(line, "DATA RACE") {
			l.unasked = append(l.unasked, name+": "+line)
		}
	}
	select {
	case <-asked:
	default:
		l.unasked = append(l.unasked, fmt.Sprintf("%s ended by itself with exit code %d:\n%s", name, code, ending(out)))
	}
}

func (d *chaosDaemon) running() bool {
	if d.pid == 0 {
		return false
	}
	select {
	case <-d.ended:
		return false
	default:
		return true
	}
}

// signal sends a signal to a daemon that runs, and to its children.
func (d *chaosDaemon) signal(s syscall.Signal) {
	if d.running() {
		_ = syscall.Kill(-d.pid, s) // it may end just now
	}
}

// kill ends it by SIGKILL.
func (d *chaosDaemon) kill() {
	if d.running() {
		close(d.asked)
		d.signal(syscall.SIGKILL)
		<-d.ended
	}
}

// end lets it come to rest by itself.
func (d *chaosDaemon) end(t *testing.T) {
	t.Helper()
	if !d.running() {
		t.Errorf("daemon %d does not run", d.n)
		return
	}
	close(d.asked)
	_ = syscall.Kill(d.pid, syscall.SIGINT) // its children end with their work
	late := time.AfterFunc(patience, func() { d.signal(syscall.SIGKILL) })
	defer late.Stop()
	if <-d.ended; *d.code != 0 {
		t.Errorf("daemon %d: exit code %d", d.n, *d.code)
	}
}

// isobar runs a verb on the store, past the proxy.
func (l *chaosLab) isobar(t *testing.T, args ...string) (int, []byte) {
	t.Helper()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set(moto.AccountHeader, chaosAccount)
		l.proxy.ServeHTTP(w, r)
	}))
	defer front.Close()
	c := exec.CommandContext(t.Context(), l.bin, append(args, "--store", l.url)...)
	var errs bytes.Buffer
	c.Dir, c.Stderr = l.repo.Dir, &errs
	c.Env = append(append(os.Environ(), l.env...), "AWS_ENDPOINT_URL="+front.URL, "STATE_DIRECTORY="+l.dir)
	out, err := c.Output()
	if err != nil && errs.Len() > 0 {
		t.Logf("isobar %s: %v\n%s", strings.Join(args, " "), err, ending(errs.String()))
	}
	return c.ProcessState.ExitCode(), out
}
