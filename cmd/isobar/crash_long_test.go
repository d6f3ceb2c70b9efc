package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var crashStride = flag.Int("crash.terraform", 1, "with -crash: kill terraform at each Nth of its requests")

// crashEvery is the long form. While what is in doubt after a cut waits for its
// window, daemons and terraform have their turn.
func crashEvery(t *testing.T) {
	l := newCrashLab(t, shipped(t))
	whole := l.trial(t, 0, false, crashHybrid)
	whole.finish(t)
	r := newReckoning(t, whole)
	if len(r.want) != crashResources {
		t.Fatalf("%d things of %d resources:\n%s", len(r.want), crashResources, strings.Join(r.want, "\n"))
	}
	n := whole.requests()
	trials := make([]*trial, 2*n)
	each(len(trials), func(i int) {
		trials[i] = l.trial(t, i/2+1, i%2 == 0, crashHybrid)
		trials[i].again(t)
	})
	var daemons []*daemonTrial
	for i := 1; i < 2*n; i += n / 4 {
		daemons = append(daemons, l.daemon(t, i/2+1, i%2 == 0))
	}
	var served sync.WaitGroup
	for _, d := range daemons {
		served.Go(func() { d.converge(t) })
	}
	var terraform *reckoning
	served.Go(func() { terraform = l.crashPeer(t) })
	each(len(trials), func(i int) { trials[i].finish(t) })
	served.Wait()
	r.compare(t, trials)

	d := reckoning{want: r.want}
	for _, one := range daemons {
		one.empty, one.last = one.tool.plan(t, one.trial)
		d.compare(t, []*trial{one.trial})
	}
	daemonTable(t, daemons)
	fmt.Println(d.line("crash, daemons"))
	if d.orphans+d.duplicates+d.notEmpty+d.unlike > 0 {
		t.Errorf("%d daemons left a cloud that is not as wanted", d.unlike)
	}
	if terraform != nil {
		fmt.Printf("%s; %d of %d points left an orphan, a duplicate or a plan that is not empty, and at %d of these the next apply exited 0\n", terraform.line("terraform"), terraform.hurt, terraform.points, terraform.silent)
	}
	fmt.Printf("crash: %d requests, killed before and after each; %d of the next runs held something in doubt, and the run after its window did it\n", n, r.held)
	r.close(t)
}

// daemonTrial is a cut point of a daemon.
type daemonTrial struct {
	*trial
	took time.Duration // from its restart until all was in sync; 0 is never
}

// daemon makes a site with the estate in Git, and kills the daemon that follows
// it at the nth request.
func (l *crashLab) daemon(t *testing.T, n int, before bool) *daemonTrial {
	t.Helper()
	s := l.site(t)
	tr := &trial{site: s, n: n, before: before}
	tr.dir = s.repo(t, l.estate(t, s, crashHybrid))
	tr.tool = isobarTool{l.bin, filepath.Join(s.dir, "isobar.db")}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."}, {"commit", "-q", "-m", "Add crash"}} {
		if code, out := s.run(t, tr.dir, "git", args...); code != 0 {
			t.Fatalf("git %v: %s", args, out)
		}
	}
	tr.cutAt(n, before)
	stop := time.AfterFunc(patience, s.kill)
	defer stop.Stop()
	if code, out := l.serve(t, s)(); code != killed || tr.cut.Load() == nil {
		t.Errorf("the daemon of %v was not cut: exit code %d\n%s", tr, code, out)
	}
	return &daemonTrial{trial: tr}
}

func (l *crashLab) serve(t *testing.T, s *site) func() (int, string) {
	t.Helper()
	return s.start(t, s.dir, l.bin, "serve", "--repo", "repo", "--store", "sqlite:isobar.db", "--listen", "", "--poll", "1s", "--interval", "20s", "--backoff", "1s")
}

// converge starts the daemon again and waits until it says that all is in sync;
// then it stops it.
func (d *daemonTrial) converge(t *testing.T) {
	t.Helper()
	bin := d.tool.(isobarTool).bin
	began := time.Now()
	wait := (&crashLab{bin: bin}).serve(t, d.site)
	late := time.NewTimer(crashWindow + 2*patience)
	defer late.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for d.took == 0 {
		out := d.status(t, bin)
		if bytes.Contains(out, []byte(`"state": "in sync"`)) {
			d.took = time.Since(began)
			break
		}
		select {
		case <-tick.C:
			continue
		case <-late.C:
			t.Errorf("the daemon of %v did not converge: %s", d.trial, out)
		}
		break
	}
	d.mu.Lock()
	pid := d.pid
	d.mu.Unlock()
	if pid != 0 { // else it ended by itself, which wait tells
		_ = syscall.Kill(pid, syscall.SIGINT)
	}
	if code, out := wait(); code != 0 {
		t.Errorf("the daemon of %v: exit code %d\n%s", d.trial, code, out)
	}
}

// status asks the daemon once its socket answers: before that the verb would
// open the store itself, and stand in the daemon's way.
func (d *daemonTrial) status(t *testing.T, bin string) []byte {
	t.Helper()
	var dial net.Dialer
	conn, err := dial.DialContext(t.Context(), "unix", filepath.Join(d.site.dir, "isobar.db.sock"))
	if err != nil {
		return nil
	}
	_ = conn.Close() // it was only to see
	c := exec.CommandContext(t.Context(), bin, "status", "--store", "sqlite:isobar.db", "-o", "json")
	c.Dir, c.Env = d.site.dir, append(os.Environ(), d.env...)
	out, _ := c.Output() // what it says is judged, not how it ends
	return out
}

// daemonTable says how long daemons took after their restart.
func daemonTable(t *testing.T, all []*daemonTrial) {
	t.Helper()
	for _, d := range all {
		t.Logf("daemon killed %v: in sync %v after its restart", d.trial, d.took.Round(time.Second))
	}
}

// crashPeer is the same for terraform and the part on AWS, or nil where it is
// not on PATH. It has no window: what its next run says is the last word, unless
// it fails and is run once more.
func (l *crashLab) crashPeer(t *testing.T) *reckoning {
	t.Helper()
	bin, err := exec.LookPath("terraform")
	if err != nil {
		t.Log("terraform is not on PATH: only isobar's side was run")
		return nil
	}
	first := l.site(t)
	tool := terraformTool{bin, filepath.Join(first.dir, "data"), filepath.Join(first.dir, "repo", ".terraform.lock.hcl")}
	start := func(s *site, n int, before bool) *trial {
		tr := &trial{site: s, n: n, before: before, dir: filepath.Join(s.dir, "repo"), tool: tool}
		s.env = append(s.env, "TF_DATA_DIR="+tool.data)
		tool.prepare(t, tr, l.estate(t, s, crashTerraform))
		tr.begin(t)
		return tr
	}
	whole := start(first, 0, false)
	whole.empty, whole.last = tool.plan(t, whole)
	r := newReckoning(t, whole)
	var trials []*trial
	n := 2 * (whole.requests() / *crashStride)
	trials = make([]*trial, n)
	each(n, func(i int) {
		tr := start(l.site(t), i/2**crashStride+1, i%2 == 0)
		tr.again(t)
		if tr.held {
			tr.due = time.Now()
		}
		tr.finish(t)
		trials[i] = tr
	})
	r.compare(t, trials)
	return r
}

// terraformTool shares one directory of plugins among all sites.
type terraformTool struct{ bin, data, lock string }

func (f terraformTool) prepare(t *testing.T, tr *trial, text string) {
	t.Helper()
	err := os.Mkdir(tr.dir, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(tr.dir, "main.tf"), []byte(text), 0o600)
	}
	if lock, lerr := os.ReadFile(f.lock); err == nil && lerr == nil {
		err = os.WriteFile(filepath.Join(tr.dir, ".terraform.lock.hcl"), lock, 0o600)
	} else if err == nil { // the first
		if code, out := tr.run(t, tr.dir, f.bin, "init", "-input=false", "-no-color"); code != 0 {
			t.Fatalf("terraform init: %s", out)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (f terraformTool) apply(t *testing.T, tr *trial) (int, string) {
	t.Helper()
	return tr.run(t, tr.dir, f.bin, "apply", "-input=false", "-no-color", "-auto-approve")
}

func (f terraformTool) plan(t *testing.T, tr *trial) (bool, string) {
	t.Helper()
	code, out := tr.run(t, tr.dir, f.bin, "plan", "-input=false", "-no-color", "-detailed-exitcode", "-lock=false")
	return code == 0, out
}

func (f terraformTool) owns(t *testing.T, tr *trial) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(tr.dir, "terraform.tfstate"))
	var state struct {
		Resources []struct {
			Instances []struct{ Attributes struct{ ID string } }
		}
	}
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, r := range state.Resources {
		for _, i := range r.Instances {
			out[i.Attributes.ID] = true
		}
	}
	return out
}
