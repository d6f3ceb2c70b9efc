package forge

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	labforge "isobar.dev/engine/lab/forge"
	"isobar.dev/engine/resource"
)

const hookSecret = "a-webhook's-secret" //nolint:gosec // the lab's own

func secret(s string) func() (string, error) { return func() (string, error) { return s, nil } }

// happenings are the deliveries of a short life of two pulls.
func happenings(t *testing.T, w *world) []labforge.Delivery {
	t.Helper()
	w.lab.Hook("", hookSecret)
	n := w.open(t, labforge.Pull{Title: "web", HeadRef: "web", Head: one})
	other := w.open(t, labforge.Pull{Title: "db", HeadRef: "db", Head: two})
	w.say(t, n, "mei", "isobar plan")
	must(t, w.lab.Change(w.repo, other, func(p *labforge.Pull) { p.Head = one }))
	must(t, w.lab.Merge(w.repo, n, two))
	must(t, w.lab.Push(w.repo, "main"))
	return w.lab.Queued()
}

func TestHear(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		var told []string
		ids := map[string]bool{}
		for _, d := range happenings(t, w) {
			got, err := Hear(w.Name(), d.Header, d.Body, secret("the former one"), secret(hookSecret))
			must(t, err)
			same(t, "id", got.ID, d.ID)
			ids[got.ID] = true
			if got.Event != Pinged {
				same(t, "repository", got.Repo, w.repo)
				told = append(told, fmt.Sprintf("%s %d %s", got.Event, got.Pull, got.Ref))
			}
		}
		want := []string{"pull 1 ", "pull 2 ", "comment 1 ", "pull 2 ", "pull 1 ", "push 0 refs/heads/main"}
		if !slices.Equal(told, want) {
			t.Errorf("heard %q, want %q", told, want)
		}
		if len(ids) < len(want) {
			t.Errorf("%d ids for %d deliveries", len(ids), len(want))
		}
	})
}

// However deliveries are doubled, swapped and lost, what was heard of each is the
// same, and what the forge says afterwards is so too.
func TestHearInAnyOrder(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		all := happenings(t, w)
		first := map[string]Delivery{}
		for _, d := range all {
			got, err := Hear(w.Name(), d.Header, d.Body, secret(hookSecret))
			must(t, err)
			first[got.ID] = got
		}
		rapid.Check(t, func(rt *rapid.T) {
			heard := map[string]Delivery{}
			for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(all)-1), 0, 20).Draw(rt, "order") {
				got, err := Hear(w.Name(), all[i].Header, all[i].Body, secret(hookSecret))
				if err != nil {
					rt.Fatal(err)
				}
				heard[got.ID] = got
			}
			for id, d := range heard {
				if first[id] != d {
					rt.Errorf("heard %v, and first %v", d, first[id])
				}
			}
			if len(heard) > len(first) {
				rt.Error("a doubled delivery has another id")
			}
		})
		p, err := w.Pull(t.Context(), 1)
		must(t, err)
		same(t, "state", p.State, Merged)
	})
}

func TestHearRefuses(t *testing.T) {
	t.Parallel()
	over(t, 0, func(t *testing.T, w *world) {
		all := happenings(t, w)
		d := all[len(all)-1]
		changed := func(f func(h http.Header)) http.Header {
			h := d.Header.Clone()
			f(h)
			return h
		}
		signed := []string{"X-Hub-Signature-256", "X-Gitea-Signature", "X-Gitlab-Token"}
		for name, tc := range map[string]struct {
			header  http.Header
			body    []byte
			secrets []func() (string, error)
			want    resource.Class
		}{
			"another secret":  {d.Header, d.Body, []func() (string, error){secret("guess")}, resource.Denied},
			"no secret":       {d.Header, d.Body, nil, resource.Denied},
			"an empty secret": {changed(func(h http.Header) { h.Set("X-Gitlab-Token", "") }), d.Body, []func() (string, error){secret("")}, resource.Denied},
			"not signed": {changed(func(h http.Header) {
				for _, s := range signed {
					h.Del(s)
				}
			}), d.Body, []func() (string, error){secret(hookSecret)}, resource.Denied},
			"half a signature": {changed(func(h http.Header) {
				for _, s := range signed {
					if v := h.Get(s); v != "" {
						h.Set(s, v[:len(v)/2])
					}
				}
			}), d.Body, []func() (string, error){secret(hookSecret)}, resource.Denied},
			"a form": {changed(func(h http.Header) { h.Set("Content-Type", "application/x-www-form-urlencoded") }), d.Body, []func() (string, error){secret(hookSecret)}, resource.Invalid},
			"no id": {changed(func(h http.Header) {
				for k := range h {
					if strings.Contains(k, "Delivery") || strings.Contains(k, "Uuid") || k == "Idempotency-Key" {
						h.Del(k)
					}
				}
			}), d.Body, []func() (string, error){secret(hookSecret)}, resource.Invalid},
			"too large": {d.Header, make([]byte, MaxBody+1), []func() (string, error){secret(hookSecret)}, resource.Invalid},
		} {
			_, err := Hear(w.Name(), tc.header, tc.body, tc.secrets...)
			if got := resource.ClassOf(err); got != tc.want {
				t.Errorf("%s: got %q of %v, want %q", name, got, err, tc.want)
			}
			if strings.Contains(fmt.Sprint(err), hookSecret) {
				t.Errorf("%s: the error holds the secret: %v", name, err)
			}
		}
		if w.Name() == GitLab { // signs no body by its older way
			return
		}
		_, err := Hear(w.Name(), d.Header, bytes.Replace(d.Body, []byte("main"), []byte("prod"), 1), secret(hookSecret))
		class(t, err, resource.Denied)
	})
}

// Vectors from the references: GitHub's page on validating deliveries, and that of
// Standard Webhooks, by which GitLab signs.
func TestHearVectors(t *testing.T) {
	t.Parallel()
	const sum = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	same(t, "GitHub", hex.EncodeToString(mac([]byte("It's a Secret to Everybody"), []byte("Hello, World!"))), sum)
	h := http.Header{}
	h.Set("Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	h.Set("Webhook-Timestamp", "1614265330")
	h.Set("Webhook-Signature", "v1a,AAAA v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	signed := standard(h, []byte(`{"test": 2432232314}`))
	same(t, "Standard Webhooks", signed("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), 1)
	same(t, "another key", signed("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"), 0)
}

func TestHearSignedByGitLab(t *testing.T) {
	t.Parallel()
	body := []byte(`{"object_kind":"push","ref":"refs/heads/main","project":{"path_with_namespace":"a/b"}}`)
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("Webhook-Id", "7")
	h.Set("Webhook-Timestamp", "1800000000")
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac([]byte(hookSecret), append([]byte("7.1800000000."), body...))))
	got, err := Hear(GitLab, h, body, secret(hookSecret))
	must(t, err)
	same(t, "heard", got, Delivery{ID: "7", Repo: "a/b", Event: Pushed, Ref: "refs/heads/main"})
	h.Set("Webhook-Id", "8")
	_, err = Hear(GitLab, h, body, secret(hookSecret))
	class(t, err, resource.Denied)
}

// What has nothing to do with pulls is heard as that.
func TestHearOther(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind        Kind
		event, body string
		want        Event
	}{
		{GitHub, "issue_comment", `{"issue":{"number":3},"repository":{"full_name":"a/b"}}`, Other},
		{GitHub, "issue_comment", `{"issue":{"number":3,"pull_request":null},"repository":{"full_name":"a/b"}}`, Other},
		{GitHub, "star", `{}`, Other},
		{GitHub, "pull_request_review", `{"pull_request":{"number":3},"repository":{"full_name":"a/b"}}`, Pulled},
		{Gitea, "issue_comment", `{"issue":{"number":3},"is_pull":false,"repository":{"full_name":"a/b"}}`, Other},
		{Gitea, "pull_request_approved", `{"number":3,"repository":{"full_name":"a/b"}}`, Pulled},
		{GitLab, "Note Hook", `{"object_kind":"note","object_attributes":{"noteable_type":"Issue"},"project":{"path_with_namespace":"a/b"}}`, Other}, //nolint:misspell // GitLab's word
		{GitLab, "System Hook", `{"object_kind":"merge_request","object_attributes":{"iid":3},"project":{"path_with_namespace":"a/b"}}`, Pulled},
	} {
		got, err := Hear(tc.kind, signedBy(tc.kind, tc.event, []byte(tc.body)), []byte(tc.body), secret(hookSecret))
		must(t, err)
		same(t, tc.event+" "+tc.body, got.Event, tc.want)
		if tc.want == Pulled {
			same(t, tc.body, got.Pull, 3)
		}
	}
}

// signedBy gives the headers of a delivery.
func signedBy(kind Kind, event string, body []byte) http.Header {
	h := http.Header{}
	h.Set("Content-Type", "application/json; charset=utf-8")
	sum := hex.EncodeToString(mac([]byte(hookSecret), body))
	switch kind {
	case GitHub:
		h.Set("X-Github-Event", event)
		h.Set("X-Github-Delivery", "1")
		h.Set("X-Hub-Signature-256", "sha256="+sum)
	case Gitea:
		h.Set("X-Forgejo-Event", event)
		h.Set("X-Forgejo-Delivery", "1")
		h.Set("X-Forgejo-Signature", sum)
	case GitLab:
		h.Set("X-Gitlab-Token", hookSecret)
		h.Set("Idempotency-Key", "1")
	}
	return h
}

func FuzzHear(f *testing.F) {
	kinds := []Kind{GitHub, GitLab, Gitea, "svn"}
	for i, body := range []string{
		`{"ref":"refs/heads/main","repository":{"full_name":"a/b"}}`, `{"number":1,"pull_request":{"number":1},"repository":{"full_name":"a/b"}}`,
		`{"object_kind":"merge_request","object_attributes":{"iid":9223372036854775807},"project":{"path_with_namespace":"a/b"}}`,
		`{"issue":{"number":-1,"pull_request":{}},"repository":{"full_name":"a/b"}}`, `[]`, `{"ref":1}`, "",
	} {
		for _, event := range []string{"push", "pull_request", "issue_comment", "ping"} {
			f.Add(i%len(kinds), event, []byte(body), "sha256=00")
		}
	}
	f.Fuzz(func(t *testing.T, k int, event string, body []byte, signature string) {
		kind := kinds[uint(k)%uint(len(kinds))]
		good := signedBy(kind, event, body)
		d, err := Hear(kind, good, body, secret(hookSecret))
		switch {
		case err != nil:
			if c := resource.ClassOf(err); c != resource.Invalid {
				t.Errorf("a signed delivery gave class %q: %v", c, err)
			}
		case d.ID == "", (d.Event == Pulled || d.Event == Commented) != (d.Pull > 0), (d.Event == Pushed) != (d.Ref != ""):
			t.Errorf("heard %+v", d)
		}
		forged := maps.Clone(good)
		for _, name := range []string{"X-Hub-Signature-256", "X-Forgejo-Signature", "X-Gitlab-Token"} {
			if forged.Get(name) != "" {
				forged.Set(name, signature)
			}
		}
		if kind != "svn" && signature != hookSecret && !strings.Contains(signature, hex.EncodeToString(mac([]byte(hookSecret), body))) {
			_, err := Hear(kind, forged, body, secret(hookSecret))
			if c := resource.ClassOf(err); c != resource.Denied {
				t.Errorf("a forged delivery gave class %q: %v", c, err)
			}
		}
	})
}
