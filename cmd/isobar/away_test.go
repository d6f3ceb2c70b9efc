package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/store"
)

// TestServerAway starts a daemon while PostgreSQL is down, stops PostgreSQL again
// as soon as the daemon serves, and lets it come back: the daemon says so once
// each time, stays, and does its work.
func TestServerAway(t *testing.T) {
	t.Parallel()
	bin, err := exec.LookPath("isobar")
	if err != nil {
		t.Fatal(err)
	}
	l := newChaosLab(t, bin)
	env := chaosEnv{n: 0, port: 80}
	l.commit(t, env)
	if err := l.pg.Stop(); err != nil {
		t.Fatal(err)
	}
	d := &chaosDaemon{n: 1}
	l.start(t, d)
	t.Cleanup(d.kill)
	d.says(t, "nobody answers at the store's address")
	if err := l.pg.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.says(t, `"msg":"serving"`)
	if err := l.pg.Stop(); err != nil {
		t.Fatal(err)
	}
	d.says(t, `"code":"STORE-610"`, "nothing is started")
	if !d.running() {
		t.Fatalf("it ended:\n%s", d.out.String())
	}
	if err := l.pg.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.says(t, "the store's server answers again")
	st, err := store.OpenPostgres(t.Context(), l.url)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for late := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		row, err := st.Environment(t.Context(), env.name())
		if err == nil && row.State == "in sync" {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("%s is %q (%v)\n%s", env.name(), row.State, err, d.out.String())
		}
	}
	d.end(t)
	for said, want := range map[string]int{"nobody answers at": 1, `"level":"ERROR"`: 1, "server answers again": 1, "repository could not be read": 0} {
		if n := strings.Count(d.out.String(), said); n != want {
			t.Errorf("%q is said %d times, want %d:\n%s", said, n, want, d.out.String())
		}
	}
	if len(l.unasked) > 0 {
		t.Error(l.unasked)
	}
}

// says waits until a daemon has said all of this.
func (d *chaosDaemon) says(t *testing.T, words ...string) {
	t.Helper()
	for late := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		said, missing := d.out.String(), false
		for _, w := range words {
			missing = missing || !strings.Contains(said, w)
		}
		if !missing {
			return
		}
		if !d.running() || time.Now().After(late) {
			t.Fatalf("it does not say %q:\n%s", words, said)
		}
	}
}
