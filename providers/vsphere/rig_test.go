package vsphere_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"isobar.dev/engine/lab/vcsim"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/providers/vsphere"
)

// center is the one vCenter of this test binary. Tests keep apart by estate
// and by folder.
var center *vcsim.Server

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == vcsim.ChildWord {
		os.Exit(vcsim.Child(os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "isobar-vsphere")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // a leftover directory fails nothing
	if center, err = vcsim.Start(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, kv := range center.Env() {
		k, v, _ := strings.Cut(kv, "=")
		if err := os.Setenv(k, v); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := m.Run()
	center.Close()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// line is a way to the vCenter on which calls can be counted, answers lost and
// requests changed.
type line struct {
	base   *http.Transport
	calls  atomic.Int64
	before func(op, body string) (string, error) // what is sent instead; an error: nothing is
	after  func(op string) error                 // an error: the answer is lost
}

func newLine(t *testing.T) *line {
	t.Helper()
	l := &line{base: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // a simulator's certificate is its own
	t.Cleanup(l.base.CloseIdleConnections)
	return l
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	body := string(b)
	op := opOf(body)
	if l.before != nil {
		if body, err = l.before(op, body); err != nil {
			return nil, err
		}
	}
	l.calls.Add(1)
	sent := r.Clone(r.Context())
	sent.Body, sent.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	resp, err := l.base.RoundTrip(sent)
	if err == nil && l.after != nil {
		if lost := l.after(op); lost != nil {
			_ = resp.Body.Close()
			return nil, lost
		}
	}
	return resp, err
}

// opOf gives the name of a request's call.
func opOf(body string) string {
	_, rest, _ := strings.Cut(body, "<Body>")
	if rest == "" {
		_, rest, _ = strings.Cut(body, "Body>")
	}
	rest = strings.TrimPrefix(strings.TrimSpace(rest), "<")
	end := strings.IndexAny(rest, " >")
	if end < 0 {
		return ""
	}
	return rest[:end]
}

// rig is a session with a line and an estate of its own.
type rig struct {
	provider.Session
	line   *line
	estate string
}

func settings() resource.Map {
	return resource.Map{"url": resource.String(center.URL()), "insecure": resource.Bool(true)}
}

func config(l *line, estate string) provider.Config {
	return provider.Config{
		Alias: "vsphere", Estate: estate, Settings: settings(),
		HTTP: &http.Client{Transport: provider.FenceTransport(l)},
	}
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{line: newLine(t), estate: "estate-" + uuid.NewString()}
	s, err := vsphere.Type().Open(t.Context(), config(r.line, r.estate))
	if err != nil {
		t.Fatal(err)
	}
	r.Session = s
	r.line.calls.Store(0)
	return r
}

func address(kind string) resource.Address {
	return resource.Address{Env: "prod", Provider: "vsphere", Kind: kind, Name: "x" + uuid.NewString()[:8]}
}

func (r *rig) mark(a resource.Address) resource.Mark {
	return resource.Mark{Estate: r.estate, Env: a.Env, Address: a, Token: uuid.Must(uuid.NewV7()).String()}
}

// machine gives the least fields of a machine.
func machine() resource.Map {
	return resource.Map{
		"name": resource.String("m-" + uuid.NewString()[:8]), "datastore": resource.String(vcsim.Datastore), "guestId": resource.String("otherGuest64"),
		"firmware": resource.String("bios"), "numCPUs": resource.Int(1), "memoryMB": resource.Int(64),
	}
}

// create makes an object and waits for it.
func (r *rig) create(t *testing.T, kind string, fields resource.Map) resource.Object {
	t.Helper()
	a := address(kind)
	p, err := r.Create(t.Context(), resource.Object{Address: a, Fields: fields}, r.mark(a))
	if err != nil {
		t.Fatal(err)
	}
	return r.one(t, kind, r.done(t, p).ID)
}

// done waits for a call's work.
func (r *rig) done(t *testing.T, p provider.Progress) resource.Object {
	t.Helper()
	o, err := r.end(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (r *rig) end(ctx context.Context, p provider.Progress) (resource.Object, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for p.Handle != "" {
		got := r.Poll(ctx, []resource.Handle{p.Handle})[0]
		if got.Done || got.Err != nil {
			return got.Object, got.Err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return resource.Object{}, ctx.Err()
		}
	}
	return p.Object, nil
}

func (r *rig) read(t *testing.T, kind string, by resource.Selector) []resource.Object {
	t.Helper()
	a := r.Read(t.Context(), []resource.Want{{Kind: kind, By: by}})[0]
	if a.Err != nil {
		t.Fatal(a.Err)
	}
	return a.Objects
}

func (r *rig) one(t *testing.T, kind string, id resource.ID) resource.Object {
	t.Helper()
	got := r.read(t, kind, resource.Selector{IDs: []resource.ID{id}})
	if len(got) != 1 {
		t.Fatalf("%s %s: %d objects", kind, id, len(got))
	}
	got[0].Address = address(kind)
	return got[0]
}

// change sends one field's change and waits for it.
func (r *rig) change(t *testing.T, live resource.Object, path resource.Path, after resource.Value) error {
	t.Helper()
	want := live
	want.Fields = resource.Map{}
	for k, v := range live.Fields {
		want.Fields[k] = v
	}
	before := live.Fields[path[0]]
	if want.Fields[path[0]] = after; len(path) > 1 {
		inner := resource.Map{}
		old, _ := before.(resource.Map)
		key := path[len(path)-1]
		for k, v := range old {
			inner[k] = v
		}
		before = old[key]
		if inner[key] = after; after == nil {
			delete(inner, key)
		}
		want.Fields[path[0]] = inner
	}
	if want.Fields[path[0]] == nil {
		delete(want.Fields, path[0])
	}
	p, err := r.Update(t.Context(), live, want, []resource.Change{{Path: path, Before: before, After: after}})
	if err != nil {
		return err
	}
	_, err = r.end(t.Context(), p)
	return err
}
