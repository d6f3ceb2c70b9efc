package vsphere_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"isobar.dev/engine/lab/vcsim"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/vsphere"
)

func wantClass(t *testing.T, err error, class resource.Class, words string) {
	t.Helper()
	if resource.ClassOf(err) != class || err != nil && !strings.Contains(err.Error(), words) {
		t.Errorf("got class %q (%v), want %q and the words %q", resource.ClassOf(err), err, class, words)
	}
}

// TestReadCounts reads many machines of an estate, and few, in few calls.
func TestReadCounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := r.create(t, "folder", resource.Map{"name": resource.String("many-" + uuid.NewString()[:8])})
	var ids []resource.ID
	for range 20 {
		ids = append(ids, r.create(t, "vm", with(machine(), resource.Map{"folder": in.Fields["path"]})).ID)
	}
	for _, c := range []struct {
		name  string
		wants []resource.Want
		most  int64
		found int
	}{
		{"an estate and ids", []resource.Want{
			{Kind: "vm", By: resource.Selector{Estate: r.estate}},
			{Kind: "vm", By: resource.Selector{IDs: ids}},
			{Kind: "folder", By: resource.Selector{IDs: []resource.ID{in.ID}}},
		}, 3, 41},
		{"many ids", []resource.Want{{Kind: "vm", By: resource.Selector{IDs: ids}}}, 3, 20},
		{"one id", []resource.Want{{Kind: "vm", By: resource.Selector{IDs: ids[:1]}}}, 2, 1},
		{"a token", []resource.Want{{Kind: "vm", By: resource.Selector{Token: "none"}}}, 3, 0},
	} {
		r.line.calls.Store(0)
		found := 0
		for _, a := range r.Read(t.Context(), c.wants) {
			if a.Err != nil {
				t.Fatal(a.Err)
			}
			found += len(a.Objects)
		}
		if n := r.line.calls.Load(); n > c.most || found != c.found {
			t.Errorf("%s: %d calls gave %d objects, want at most %d and %d", c.name, n, found, c.most, c.found)
		}
	}
}

// TestFewAndManyAgree reads one machine alone and among all: the same fields.
func TestFewAndManyAgree(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := r.create(t, "folder", resource.Map{"name": resource.String("agree-" + uuid.NewString()[:8])})
	live := r.create(t, "vm", with(machine(), resource.Map{
		"folder": in.Fields["path"], "disks": resource.Map{"scsi0:0": disk(16)},
		"networks": resource.Map{"ethernet0": adapter(vcsim.Portgroup, "vmxnet3"), "ethernet1": adapter(vcsim.Network, "vmxnet3")},
	}))
	many := r.read(t, "vm", resource.Selector{Estate: r.estate})
	if len(many) != 1 {
		t.Fatalf("%d machines in the estate", len(many))
	}
	if !resource.Equal(live.Fields, many[0].Fields) {
		t.Errorf("alone %s, among all %s", resource.Encode(live.Fields), resource.Encode(many[0].Fields))
	}
}

// TestCloneExposesItself clones a marked machine: the copy bears no mark.
func TestCloneExposesItself(t *testing.T) {
	// Not parallel: who looks for a machine by name trips over those that other
	// tests delete.
	r := newRig(t)
	live := r.create(t, "vm", machine())
	copied := "copy-" + uuid.NewString()[:8]
	if err := center.Clone(t.Context(), live.Fields.Text("name"), copied); err != nil {
		t.Fatal(err)
	}
	all, err := center.Machines(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if all[copied].Options[resource.MarkToken] != live.Mark.Token {
		t.Fatal("the clone did not take the mark over, so that this proves nothing")
	}
	if got := r.read(t, "vm", resource.Selector{Estate: r.estate}); len(got) != 1 || got[0].ID != live.ID {
		t.Errorf("the estate has %d machines", len(got))
	}
}

// TestLostAnswer loses the answer to a create: it is found again, once, by the
// id that was chosen for it.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	lost := errors.New("connection reset by peer")
	r.line.after = func(op string) error {
		if op == "CreateVM_Task" {
			return lost
		}
		return nil
	}
	a := address("vm")
	m := r.mark(a)
	want := resource.Object{Address: a, Fields: machine()}
	_, err := r.Create(t.Context(), want, m)
	wantClass(t, err, resource.UnknownOutcome, "no answer came")
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		p, err := r.Find(t.Context(), provider.Intent{Want: want, Mark: m, Since: time.Now()})
		if err == nil && p.Object.ID != "" {
			if got := r.one(t, "vm", p.Object.ID); got.Mark != m {
				t.Errorf("its mark is %+v", got.Mark)
			}
			break
		}
		if err != nil && resource.ClassOf(err) != resource.Conflict {
			t.Fatal(err)
		}
		select {
		case <-deadline.C:
			t.Fatal("it was not found")
		default:
		}
	}
	if got := r.read(t, "vm", resource.Selector{Token: m.Token}); len(got) != 1 {
		t.Errorf("%d machines bear the token", len(got))
	}
}

// TestExpiredLogin ends the session's login: the next calls, at once, log in
// again, and a mutating one is done once.
func TestExpiredLogin(t *testing.T) {
	// Not parallel: the logins of all other sessions end too, and they may log in
	// again, but lost pages and views of theirs may not.
	r := newRig(t)
	live := r.create(t, "vm", machine())
	var logins atomic.Int64
	r.line.before = func(op, body string) (string, error) {
		if op == "Login" {
			logins.Add(1)
		}
		return body, nil
	}
	if err := center.EndSessions(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.one(t, "vm", live.ID)
	if err := center.EndSessions(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.change(t, live, resource.Path{"annotation"}, resource.String("after")); err != nil {
		t.Fatal(err)
	}
	if got := r.one(t, "vm", live.ID).Fields.Text("annotation"); got != "after" || logins.Load() != 2 {
		t.Errorf("annotation %q after %d logins", got, logins.Load())
	}
}

// TestForgottenTask polls tasks of which the vCenter knows only one.
func TestForgottenTask(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := address("vm")
	p, err := r.Create(t.Context(), resource.Object{Address: a, Fields: machine()}, r.mark(a))
	if err != nil {
		t.Fatal(err)
	}
	got := r.Poll(t.Context(), []resource.Handle{"task-none", p.Handle, "task-nil/some-id"})
	for _, i := range []int{0, 2} {
		if !got[i].Done {
			t.Errorf("poll %d of a forgotten task is not done: %+v", i, got[i])
		}
		wantClass(t, got[i].Err, resource.UnknownOutcome, "forgotten")
	}
	if got[1].Err != nil {
		t.Errorf("the known task: %v", got[1].Err)
	}
	if r.done(t, p).ID == "" {
		t.Error("a finished create names no machine")
	}
}

// TestPowerCycle changes what a running machine takes only standing still: it
// runs afterwards, and was not stopped for what it takes while it runs.
func TestPowerCycle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	live := r.create(t, "vm", machine())
	if err := r.change(t, live, resource.Path{"powerState"}, resource.String("poweredOn")); err != nil {
		t.Fatal(err)
	}
	var stops atomic.Int64
	r.line.before = func(op, body string) (string, error) {
		if op == "PowerOffVM_Task" {
			stops.Add(1)
		}
		return body, nil
	}
	for _, c := range []struct {
		path  resource.Path
		to    resource.Value
		stops int64
	}{
		{resource.Path{"annotation"}, resource.String("x"), 0},
		{resource.Path{"disks", "scsi0:0"}, disk(16), 0},
		{resource.Path{"disks", "scsi0:0"}, disk(32), 0},
		{resource.Path{"memoryMB"}, resource.Int(128), 1},
		{resource.Path{"guestId"}, resource.String("ubuntu64Guest"), 1},
		{resource.Path{"disks", "scsi0:0"}, nil, 0},
	} {
		stops.Store(0)
		live = r.one(t, "vm", live.ID)
		if err := r.change(t, live, c.path, c.to); err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		now := r.one(t, "vm", live.ID)
		if stops.Load() != c.stops || now.Fields.Text("powerState") != "poweredOn" {
			t.Errorf("%s: stopped %d times, now %s", c.path, stops.Load(), now.Fields.Text("powerState"))
		}
		got := now.Fields[c.path[0]]
		if len(c.path) > 1 {
			got = got.(resource.Map)[c.path[1]]
		}
		if d, isDisk := got.(resource.Map); isDisk {
			delete(d, "uuid") // which the vCenter chose
		}
		if !resource.Equal(got, c.to) {
			t.Errorf("%s is %s", c.path, resource.Encode(got))
		}
	}
}

// TestFailedChangeStartsAgain refuses the change that a machine was stopped
// for: it is started again, and the refusal says so, and for which field that was.
func TestFailedChangeStartsAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	live := r.running(t)
	p, err := r.updated(t, live, resource.Map{"guestId": resource.String("noSuchGuest")})
	wantClass(t, err, resource.Invalid, "configSpec.guestId")
	var f *resource.Failure
	if !errors.As(err, &f) || f.Interrupted != "guestId" || f.Became != "it was stopped for this and started again as it was" || len(p.Object.Fields) > 0 {
		t.Errorf("%+v, left %v", f, p.Object.Fields)
	}
	if now := r.one(t, "vm", live.ID).Fields.Text("powerState"); now != "poweredOn" {
		t.Errorf("it is %s", now)
	}
	// What needs no stop interrupts nothing.
	_, err = r.updated(t, live, resource.Map{"annotation": resource.String("x")})
	if err != nil {
		t.Fatal(err)
	}
}

// TestChangeThatDoesNotStart refuses the start after a change: what was left is told,
// so that it is nobody's drift, and the same update made again only starts the machine.
func TestChangeThatDoesNotStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to          string
		words       string
		interrupted string
	}{
		"refused": {"noSuchGuest", "it was stopped for this and stands still now, since it could not be started again", "guestId"},
		"made":    {"ubuntu64Guest", "it has what was asked for and stands still now", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			live := r.running(t)
			down := true
			r.line.before = func(op, body string) (string, error) {
				if op == "PowerOnVM_Task" && down {
					return strings.Replace(body, live.Fields.Text("moid"), "vm-0", 1), nil
				}
				return body, nil
			}
			p, err := r.updated(t, live, resource.Map{"guestId": resource.String(c.to)})
			var f *resource.Failure
			if !errors.As(err, &f) || f.Interrupted != c.interrupted || !strings.Contains(f.Became, c.words) {
				t.Fatalf("%+v", err)
			}
			if !resource.Equal(p.Object.Fields, resource.Map{"powerState": resource.String("poweredOff")}) {
				t.Fatalf("left %v", p.Object.Fields)
			}
			down = false
			p, err = r.updated(t, live, resource.Map{"guestId": resource.String(c.to)})
			if c.interrupted == "" && err != nil || len(p.Object.Fields) > 0 { // the simulator keeps what it refused, too
				t.Fatalf("made again: %v, left %v", err, p.Object.Fields)
			}
			if now := r.one(t, "vm", live.ID).Fields.Text("powerState"); now != "poweredOn" {
				t.Fatalf("it is %s", now)
			}
		})
	}
}

// running makes a machine that is switched on.
func (r *rig) running(t *testing.T) resource.Object {
	t.Helper()
	live := r.create(t, "vm", machine())
	if err := r.change(t, live, resource.Path{"powerState"}, resource.String("poweredOn")); err != nil {
		t.Fatal(err)
	}
	return r.one(t, "vm", live.ID)
}

// updated sends an update of some fields.
func (r *rig) updated(t *testing.T, live resource.Object, set resource.Map) (provider.Progress, error) {
	t.Helper()
	want := live
	want.Fields = maps.Clone(live.Fields)
	maps.Copy(want.Fields, set)
	var changes []resource.Change
	for _, k := range set.Keys() {
		changes = append(changes, resource.Change{Path: resource.Path{k}, Before: live.Fields[k], After: set[k]})
	}
	p, err := r.Update(t.Context(), live, want, changes)
	if err == nil {
		_, err = r.end(t.Context(), p)
	}
	return p, err
}

// TestMoves takes a machine to another folder, pool and datastore.
func TestMoves(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	live := r.create(t, "vm", machine())
	in := r.create(t, "folder", resource.Map{"name": resource.String("to-" + uuid.NewString()[:8])})
	pool := r.create(t, "resource_pool", resource.Map{
		"name": resource.String("to-" + uuid.NewString()[:8]), "parent": resource.String(vcsim.Pool),
		"cpuAllocation": allocation(0, -1, "normal"), "memoryAllocation": allocation(0, -1, "normal"),
	})
	for field, to := range map[string]resource.Value{
		"folder": in.Fields["path"], "resourcePool": pool.Fields["path"], "datastore": resource.String(vcsim.Spare),
	} {
		if err := r.change(t, live, resource.Path{field}, to); err != nil {
			t.Fatalf("%s: %v", field, err)
		}
		if got := r.one(t, "vm", live.ID).Fields[field]; !resource.Equal(got, to) {
			t.Errorf("%s is %s, not %s", field, resource.Encode(got), resource.Encode(to))
		}
	}
}

// TestFolderWithContent refuses to delete a folder with a machine that a
// vCenter would destroy with it.
func TestFolderWithContent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := r.create(t, "folder", resource.Map{"name": resource.String("full-" + uuid.NewString()[:8])})
	vm := r.create(t, "vm", with(machine(), resource.Map{"folder": in.Fields["path"]}))
	_, err := r.Delete(t.Context(), in, in)
	wantClass(t, err, resource.Conflict, " is not isobar's to delete, "+vm.Fields.Text("name"))
	r.one(t, "vm", vm.ID)
}

// TestTakenName: a name that another object in that place has is told as such,
// with the ways out: asking again brings nothing.
func TestTakenName(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	name := resource.String("taken-" + uuid.NewString()[:8])
	for kind, fields := range map[string]resource.Map{
		"folder":        {"name": name},
		"resource_pool": {"name": name, "parent": resource.String(vcsim.Pool)},
	} {
		r.create(t, kind, fields)
		a := address(kind)
		_, err := r.Create(t.Context(), resource.Object{Address: a, Fields: fields}, r.mark(a))
		wantClass(t, err, resource.Invalid, string(name)+" exists already: choose another name, or bring that one under isobar with isobar import")
		var f *resource.Failure
		if !errors.As(err, &f) || !f.Taken || f.Code != "DuplicateName" {
			t.Errorf("%s: %+v", kind, f)
		}
	}
}

// TestRefusals are the words for what a spec or a server gets wrong.
func TestRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	refused := func(kv resource.Map) error {
		a := address("vm")
		want := resource.Object{Address: a, Fields: with(machine(), kv)}
		_, err := r.Create(t.Context(), want, r.mark(a))
		if said := r.Rehearse(t.Context(), want); fmt.Sprint(said) != fmt.Sprint(err) {
			t.Errorf("rehearsed it says %v", said)
		}
		return err
	}
	wantClass(t, refused(resource.Map{"datastore": resource.String("x")}), resource.Invalid, "there is no datastore x in datacenter DC0: it has LocalDS_0, LocalDS_1")
	wantClass(t, refused(resource.Map{"folder": resource.String("x/y")}), resource.Invalid, "there is no folder x/y")
	wantClass(t, refused(resource.Map{"resourcePool": resource.String("x/y")}), resource.Invalid, "there is no resource pool x/y")
	wantClass(t, refused(resource.Map{"networks": resource.Map{"ethernet0": adapter("x", "vmxnet3")}}), resource.Invalid, "there is no network x")
	all := refused(resource.Map{"folder": resource.String("x"), "datastore": resource.String("y"), "networks": resource.Map{"ethernet0": adapter("z", "vmxnet3"), "ethernet1": adapter("w", "vmxnet3")}})
	for _, what := range []string{"no folder x", "no datastore y", "no network z", "no network w"} {
		wantClass(t, all, resource.Invalid, what)
	}
	open := func(kv resource.Map) error {
		c := config(newLine(t), r.estate)
		c.Settings = with(settings(), kv)
		s, err := vsphere.Type().Open(t.Context(), c)
		if err != nil {
			return err
		}
		a := address("folder")
		_, err = s.Create(t.Context(), resource.Object{Address: a, Fields: resource.Map{"name": resource.String("never")}}, r.mark(a))
		return err
	}
	wantClass(t, open(resource.Map{"datacenter": resource.String("DC9")}), resource.Invalid, "no datacenter DC9, but DC0")
	wantClass(t, open(resource.Map{"url": resource.String("https://127.0.0.1:1")}), resource.Transient, "connect to 127.0.0.1:1: connection refused")
	c := config(nil, r.estate)
	c.HTTP = nil
	c.Settings = with(settings(), resource.Map{"insecure": resource.Bool(false)})
	_, err := vsphere.Type().Open(t.Context(), c)
	wantClass(t, err, resource.Denied, "GOVC_TLS_CA_CERTS")
}

// TestScope says that sessions on one vCenter see the same.
func TestScope(t *testing.T) {
	t.Parallel()
	a, b := newRig(t), newRig(t)
	if a.Scope() != b.Scope() || !strings.HasPrefix(a.Scope(), "vsphere/") || len(a.Scope()) < 20 {
		t.Errorf("the scopes are %q and %q", a.Scope(), b.Scope())
	}
}

// BenchmarkRead reads the machines of an estate among all of a vCenter.
func BenchmarkRead(b *testing.B) {
	s, err := vsphere.Type().Open(context.Background(), provider.Config{Estate: "bench", Settings: settings()})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 100 {
		a := resource.Address{Env: "bench", Provider: "vsphere", Kind: "vm", Name: fmt.Sprint("m", i)}
		m := resource.Mark{Estate: "bench", Env: "bench", Address: a, Token: uuid.Must(uuid.NewV7()).String()}
		if _, err := s.Create(context.Background(), resource.Object{Address: a, Fields: machine()}, m); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if a := s.Read(context.Background(), []resource.Want{{Kind: "vm", By: resource.Selector{Estate: "bench"}}})[0]; a.Err != nil {
			b.Fatal(a.Err)
		}
	}
}
