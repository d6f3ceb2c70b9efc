package preview_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	labforge "isobar.dev/engine/lab/forge"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/secret"
	"isobar.dev/engine/store"
	"isobar.dev/engine/view"
	"isobar.dev/providers/fake"
)

// heap is what was written to a log or said in a chat. Safe for concurrent use.
type heap struct {
	mu   sync.Mutex
	text strings.Builder
}

func (h *heap) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(p)
}

func (h *heap) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// room is a chat that keeps what is said.
type room struct{ heap }

func (c *room) say(parts ...any) { _, _ = fmt.Fprintf(c, "%+v\n", parts) }

func (c *room) Post(_ context.Context, _, key string, text view.Rich) (string, error) {
	c.say(key, text)
	return "ref-" + key, nil
}

func (c *room) Edit(_ context.Context, _ string, text view.Rich) error {
	c.say(text)
	return nil
}

func (c *room) Reply(_ context.Context, _, key string, text view.Rich) error {
	c.say(key, text)
	return nil
}

// What nobody may see: planted begins the values of secrets, and inSpec is a text that
// stands in the spec itself, which the ledger keeps as it was written.
const (
	planted = "planted-s3cr3t"
	inSpec  = "planted-b0dy"
)

// nowhere fails where one of the values, or what it looks like encoded, stands.
func (r *rig) nowhere(what, text string, values ...string) {
	r.Helper()
	if text == "" {
		r.Errorf("there is no %s to look through", what)
	}
	for _, v := range values {
		bads := []string{v}
		for off := range 3 { // base64 of the value wherever it begins
			coded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", off) + v))
			bads = append(bads, coded[4:len(coded)-4])
		}
		for _, bad := range bads {
			if i := strings.Index(text, bad); i >= 0 {
				r.Errorf("%s has a secret: …%s…", what, text[max(0, i-200):min(len(text), i+60)])
			}
		}
	}
}

// ledger gives all events that the store keeps, as JSON.
func (r *rig) ledger() string {
	r.Helper()
	envs, err := r.store.Environments(r.Context())
	must(r.TB, err)
	out := ""
	for _, e := range envs {
		events, err := r.store.Events(r.Context(), e.Name, 0)
		must(r.TB, err)
		text, err := json.Marshal(events)
		must(r.TB, err)
		out += string(text)
	}
	return out
}

// rows gives all else that the store keeps, as JSON.
func (r *rig) rows() string {
	r.Helper()
	var b strings.Builder
	add := func(v any, err error) {
		r.Helper()
		must(r.TB, err)
		text, err := json.Marshal(v)
		must(r.TB, err)
		b.Write(text)
	}
	envs, err := r.store.Environments(r.Context())
	add(envs, err)
	for _, e := range envs {
		plans, err := r.store.PlansOf(r.Context(), e.Name, "")
		add(plans, err)
		for _, run := range r.runs(e.Name) {
			whole, err := r.store.Run(r.Context(), run.ID)
			add(whole, err)
		}
	}
	pulls, err := r.store.Pulls(r.Context(), "infra")
	add(pulls, err)
	audit, err := r.store.AuditRows(r.Context(), store.AuditFilter{})
	add(audit, err)
	return b.String()
}

// said gives all that was said on a pull, and its head's statuses.
func (r *rig) said(number int) (comments, notes, statuses string) {
	r.Helper()
	p, err := r.lab.Look(r.repo, number)
	must(r.TB, err)
	for _, c := range p.Comments {
		comments += c.Body + "\n"
	}
	for _, n := range p.Notes {
		notes += n.Body + "\n"
	}
	for _, s := range r.lab.Statuses(r.repo, p.Head) {
		statuses += s.Context + " " + s.Text + " " + s.URL + "\n"
	}
	return comments, notes, statuses
}

// TestSecretsNowhere: values of secrets, in specs, ledger and world, and texts that
// the schema calls sensitive, are in nothing that is said or kept, from the preview of a
// pull to the run of its merge, and of a fork's pull.
func TestSecretsNowhere(t *testing.T) {
	over(t, func(r *rig) {
		dir := r.TempDir()
		file := filepath.Join(dir, "disk")
		must(r.TB, os.WriteFile(file, []byte(planted+"-file"), 0o600))
		allow := secret.Default()
		allow.Dirs = []string{dir}
		k := secret.New(secret.Options{Allow: allow, KeyFile: filepath.Join(r.TempDir(), "key"), LookupEnv: func(name string) (string, bool) {
			return planted + "-env-" + name, true
		}})
		log, chat := &heap{}, &room{}
		r.keeper = func(s map[string]resource.SecretSource) provider.Secrets { return k.Bind(s) }
		r.log, r.chat = log, chat
		bound := "secret one file " + file + "\nsecret two env ISOBAR_SECRET_TWO\n"
		applied(r, map[string]string{"envs/prod.txt": first + bound + "disk a one\nmachine m " + inSpec + "\n"})
		for _, o := range r.world.Objects() {
			if o.Address.Kind == "disk" || o.Mark.Address.Kind == "disk" {
				must(r.TB, r.world.Mutate("disk", o.ID, func(f resource.Map) { f["passphrase"] = resource.String(planted + "-outside") }))
			}
		}
		must(r.TB, os.WriteFile(file, []byte(planted+"-rotated"), 0o600))
		text := first + bound + "disk a one\ndisk b two\nmachine m " + inSpec + "-new\n"
		r.push("web", map[string]string{"envs/prod.txt": text, "envs/bad.txt": "netwrk x\n"})
		n := r.open("web", "mei")
		r.shows(n, "fake.disk/a", "fake.disk/b", "(secret)", "passphrase")
		r.push("web", map[string]string{"envs/bad.txt": first})
		fork, err := r.lab.Open(r.repo, labforge.Pull{Title: "Let me", Author: "mallory", From: "mallory/infra", HeadRef: "web", BaseRef: "main"})
		must(r.TB, err)
		r.shows(fork, "From a fork", "fake.disk/b")
		r.say(fork, "mallory", "isobar approve 0000-0000")
		r.shows(n, "approvals: 0 of 1", "isobar approve ")
		refused := 0
		r.world.OnCall(func(c fake.Call) fake.Decision {
			if c.Op == provider.OpCreate && c.Kind == "disk" && refused == 0 {
				refused++
				bad := planted + "-env-ISOBAR_SECRET_TWO"
				return fake.Decision{Before: &resource.Failure{Class: resource.Invalid, Code: "Malformed", Message: "the passphrase " + bad + " (" + base64.StdEncoding.EncodeToString([]byte(bad)) + ") is weak"}}
			}
			return fake.Decision{}
		})
		r.merge(n, "web", "squash")
		asked := map[string]bool{} // what waits may still be from before the merge
		r.eventually("a run that failed", func() bool {
			for _, env := range []string{"bad", "prod"} {
				row, err := r.store.Environment(r.Context(), env)
				if err == nil && row.State == "waiting" && !asked[row.PlanDigest] {
					asked[row.PlanDigest] = true
					r.say(n, "ann", "isobar approve "+row.PlanDigest[:8])
				}
			}
			return strings.Contains(r.rows(), "is weak")
		})
		r.shows(n, "isobar apply")
		comments, notes, statuses := r.said(n)
		r.nowhere("the comments", comments, planted, inSpec)
		r.nowhere("the notes", notes, planted, inSpec)
		r.nowhere("the statuses", statuses, planted, inSpec)
		comments, _, statuses = r.said(fork)
		r.nowhere("the fork's comments", comments, planted, inSpec)
		r.nowhere("the fork's statuses", statuses, planted, inSpec)
		r.nowhere("the log", log.String(), planted, inSpec)
		r.nowhere("the chat", chat.String(), planted, inSpec)
		r.nowhere("the store", r.rows(), planted, inSpec)
		r.nowhere("the ledger", r.ledger(), planted)
		if !strings.Contains(chat.String(), "(secret)") || !strings.Contains(r.rows(), "(secret)") {
			r.Error("nothing says that there are secrets: they may never have been there")
		}
	})
}
