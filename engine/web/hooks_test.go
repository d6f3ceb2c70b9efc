package web

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"isobar.dev/engine/forge"
)

const hookSecret, body = "hunter2-of-the-webhook", `{"number":7,"pull_request":{"number":7},"repository":{"full_name":"Acme/Shop"}}`

// post is an office that keeps deliveries in memory, as a store does.
type post struct {
	mu     sync.Mutex
	kept   []forge.Delivery
	fails  error         // of Deliver
	unread error         // of the secret
	asked  chan struct{} // a signal that the secret is asked for; nil: none
	answer chan struct{} // closed once it may be given; with asked
}

func (*post) kind(repo string) forge.Kind {
	switch repo {
	case "shop", "deaf":
		return forge.GitHub
	case "base":
		return forge.Gitea
	case "lab":
		return forge.GitLab
	}
	return ""
}

func (p *post) Hook(repo string) (forge.Kind, string, []func() (string, error), bool) {
	secrets := []func() (string, error){
		func() (string, error) { return "the old one", nil },
		func() (string, error) {
			if p.asked != nil {
				p.asked <- struct{}{}
				<-p.answer
			}
			return hookSecret, p.unread
		},
	}
	if repo == "deaf" {
		secrets = nil
	}
	return p.kind(repo), "acme/shop", secrets, p.kind(repo) != ""
}

func (p *post) Deliver(ctx context.Context, repo string, d forge.Delivery) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil || repo == "" {
		return errors.New("nobody waits for it")
	}
	if p.fails == nil {
		p.kept = append(p.kept, d)
	}
	return p.fails
}

// delivery is a request as GitHub or GitLab sends it.
func delivery(repo, event, text, secret string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/hooks/"+repo, strings.NewReader(text))
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write([]byte(text))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", event)
	r.Header.Set("X-GitHub-Delivery", "id-1")
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	r.Header.Set("X-Gitlab-Token", secret)
	r.Header.Set("Idempotency-Key", "id-1")
	return r
}

// hooked gives a handler, its metrics and its log.
func hooked(p *post) (http.Handler, *Metrics, *bytes.Buffer) {
	m, log := NewMetrics("", func() int { return 0 }), &bytes.Buffer{}
	return Hear(p, m, slog.New(slog.NewTextHandler(log, nil))), m, log
}

func replied(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// counted reads the deliveries of a repository by result off the metrics.
func counted(t *testing.T, m *Metrics, repo, result string) bool {
	t.Helper()
	w := replied(m.Handler(), httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return strings.Contains(w.Body.String(), fmt.Sprintf(`isobar_webhooks_total{repo=%q,result=%q} 1`, repo, result))
}

func TestHooks(t *testing.T) {
	t.Parallel()
	change := func(r *http.Request, key, value string) *http.Request { r.Header.Set(key, value); return r }
	chunked := func(r *http.Request) *http.Request { r.ContentLength = -1; return r }
	huge := strings.Repeat(" ", forge.MaxBody) + body
	for name, c := range map[string]struct {
		post   *post
		r      *http.Request
		status int
		repo   string // of the metric
		result string
		kept   int
	}{
		"a pull":               {nil, delivery("shop", "pull_request", body, hookSecret), 202, "shop", "kept", 1},
		"the old secret":       {nil, delivery("shop", "pull_request", body, "the old one"), 202, "shop", "kept", 1},
		"Gitea's":              {nil, delivery("base", "pull_request", body, hookSecret), 202, "base", "kept", 1},
		"GitLab's":             {nil, delivery("lab", "", `{"object_kind":"push","ref":"refs/heads/main","project":{"path_with_namespace":"acme/shop"}}`, hookSecret), 202, "lab", "kept", 1},
		"a ping":               {nil, delivery("shop", "ping", `{"repository":{"full_name":"acme/shop"}}`, hookSecret), 202, "shop", "ignored", 0},
		"a star":               {nil, delivery("shop", "star", `{}`, hookSecret), 202, "shop", "ignored", 0},
		"another secret":       {nil, delivery("shop", "pull_request", body, "guess"), 401, "shop", "refused", 0},
		"not signed":           {nil, change(delivery("shop", "pull_request", body, hookSecret), "X-Hub-Signature-256", ""), 401, "shop", "refused", 0},
		"no JSON, not signed":  {nil, delivery("shop", "pull_request", "hello", "guess"), 401, "shop", "refused", 0},
		"no JSON":              {nil, delivery("shop", "pull_request", "hello", hookSecret), 400, "shop", "invalid", 0},
		"a form":               {nil, change(delivery("shop", "pull_request", body, hookSecret), "Content-Type", "text/plain"), 400, "shop", "invalid", 0},
		"a long id":            {nil, change(delivery("shop", "pull_request", body, hookSecret), "X-GitHub-Delivery", strings.Repeat("x", 256)), 400, "shop", "invalid", 0},
		"another repository":   {nil, delivery("shop", "pull_request", strings.Replace(body, "Shop", "shop2", 1), hookSecret), 400, "shop", "invalid", 0},
		"another's ping":       {nil, delivery("shop", "ping", `{"repository":{"full_name":"acme/shop2"}}`, hookSecret), 400, "shop", "invalid", 0},
		"too large":            {nil, delivery("shop", "pull_request", huge, hookSecret), 413, "shop", "large", 0},
		"too large, unsaid":    {nil, chunked(delivery("shop", "pull_request", huge, hookSecret)), 413, "shop", "large", 0},
		"nobody's":             {nil, delivery("nobody", "pull_request", body, hookSecret), 404, "", "unknown", 0},
		"no secret":            {nil, delivery("deaf", "pull_request", body, hookSecret), 404, "", "unknown", 0},
		"a store that is away": {&post{fails: errors.New("the store is away")}, delivery("shop", "pull_request", body, hookSecret), 503, "shop", "failed", 0},
		"an unread secret":     {&post{unread: errors.New("no such file")}, delivery("shop", "pull_request", body, hookSecret), 503, "shop", "failed", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := c.post
			if p == nil {
				p = &post{}
			}
			h, m, log := hooked(p)
			w := replied(h, c.r)
			if w.Code != c.status || len(p.kept) != c.kept || !counted(t, m, c.repo, c.result) {
				t.Errorf("answered %d %q with %d kept, want %d %s", w.Code, w.Body, len(p.kept), c.status, c.result)
			}
			if (w.Header().Get("Retry-After") != "") != (c.status == 503) {
				t.Errorf("Retry-After is %q", w.Header().Get("Retry-After"))
			}
			if (log.Len() > 0) != (c.result == "failed") {
				t.Errorf("the log says %s", log)
			}
			if said := w.Body.String() + log.String(); strings.Contains(said, hookSecret) || strings.Contains(said, "full_name") || strings.Contains(said, "hello") {
				t.Errorf("what is told holds too much: %s", said)
			}
		})
	}
	h, _, _ := hooked(&post{})
	if w := replied(h, httptest.NewRequest(http.MethodGet, "/hooks/shop", nil)); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET gives %d", w.Code)
	}
}

// TestHooksReadFew: while four bodies are read, the next one is told to come again,
// and once one is done there is room.
func TestHooksReadFew(t *testing.T) {
	t.Parallel()
	p := &post{asked: make(chan struct{}), answer: make(chan struct{})}
	h, m, _ := hooked(p)
	var all sync.WaitGroup
	for range bodies {
		all.Go(func() {
			if w := replied(h, delivery("shop", "pull_request", body, hookSecret)); w.Code != 202 {
				t.Errorf("answered %d", w.Code)
			}
		})
	}
	for range bodies {
		<-p.asked
	}
	w := replied(h, delivery("shop", "pull_request", body, hookSecret))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || !counted(t, m, "shop", "busy") {
		t.Errorf("the fifth gets %d", w.Code)
	}
	close(p.answer)
	all.Wait()
	p.asked = nil
	if w := replied(h, delivery("shop", "pull_request", body, hookSecret)); w.Code != 202 {
		t.Errorf("with room there is %d", w.Code)
	}
}

// A forge that hangs up once it has sent all is not in the way of its delivery.
func TestHooksKeepWithoutAnAudience(t *testing.T) {
	t.Parallel()
	p := &post{}
	h, _, _ := hooked(p)
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	if w := replied(h, delivery("shop", "pull_request", body, hookSecret).WithContext(ctx)); w.Code != 202 || len(p.kept) != 1 {
		t.Errorf("answered %d, kept %v", w.Code, p.kept)
	}
}

// A body that ends early is no delivery.
func TestHooksBrokenBody(t *testing.T) {
	t.Parallel()
	p := &post{}
	h, _, _ := hooked(p)
	r := delivery("shop", "pull_request", body, hookSecret)
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(body[:9]), iotestErr{}))
	if w := replied(h, r); w.Code != 400 || len(p.kept) != 0 {
		t.Errorf("answered %d, kept %v", w.Code, p.kept)
	}
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// FuzzHooks: whatever is sent, nothing is kept that is not signed, the answer is one
// of those that are promised, and neither it nor the log repeats secret or body.
func FuzzHooks(f *testing.F) {
	for _, event := range []string{"push", "pull_request", "issue_comment", "ping", "x"} {
		f.Add("shop", event, []byte(body), "sha256=00", true)
		f.Add("base", event, []byte(`{"ref":"refs/heads/main","repository":{"full_name":"acme/shop"}}`), "", false)
	}
	f.Add("lab", "", []byte(`{"object_kind":"merge_request","object_attributes":{"iid":3},"project":{"path_with_namespace":"acme/shop"}}`), hookSecret, true)
	f.Add("..", "", []byte(`[]`), "%", false)
	f.Fuzz(func(t *testing.T, repo, event string, text []byte, signature string, signed bool) {
		p := &post{}
		h, _, log := hooked(p)
		r := delivery("shop", event, string(text), hookSecret)
		r.URL.Path = "/hooks/" + repo
		if !signed {
			r.Header.Set("X-Hub-Signature-256", signature)
			r.Header.Set("X-Gitlab-Token", signature)
		}
		good := signed || signature == hookSecret || signature == "the old one" ||
			len(signature) >= 64 // may be a good one: nobody guesses it
		w := replied(h, r)
		switch w.Code {
		case 202, 301, 307, 400, 401, 404, 405: // of the mux some
		default:
			t.Errorf("answered %d", w.Code)
		}
		if len(p.kept) > 0 && (!good || w.Code != 202) {
			t.Errorf("kept %+v, answered %d", p.kept, w.Code)
		}
		for _, d := range p.kept {
			if !strings.EqualFold(d.Repo, "acme/shop") || d.ID == "" {
				t.Errorf("kept %+v", d)
			}
		}
		if said := w.Body.String() + log.String(); strings.Contains(said, hookSecret) || len(text) > 24 && strings.Contains(said, string(text)) {
			t.Errorf("what is told holds too much: %s", said)
		}
	})
}
