package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
	"isobar.dev/engine/store"
	"isobar.dev/engine/web"
)

// TestDeliveriesAreKept: what a forge delivers lies in the store, once, under the
// repository's name in the server's file; the file and the secret in force count.
func TestDeliveriesAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sign := func(secret string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "hook"), []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	with := func(secrets ...resource.SecretSource) *settings {
		return &settings{name: "server.cue", dir: dir, Server: spec.Server{Repos: []spec.ServerRepo{
			{Name: "base"},
			{Name: "shop", Forge: &spec.ServerForge{Kind: "github", URL: "https://github.com", Repo: "acme/shop", Secrets: secrets}},
		}}}
	}
	keep, st := &office{now: with(resource.SecretSource{File: "hook"})}, store.NewMemory()
	m := web.NewMetrics("", func() int { return 0 })
	public := fronts{health: m.Handler(), hooks: web.Hear(letterbox{keep, st}, m, slog.New(slog.DiscardHandler))}.public()
	deliver := func(repo, id, secret string, want int) {
		t.Helper()
		const body = `{"number":7,"pull_request":{"number":7},"repository":{"full_name":"acme/shop"}}`
		r := httptest.NewRequest(http.MethodPost, "/hooks/"+repo, strings.NewReader(body))
		mac := hmac.New(sha256.New, []byte(secret))
		_, _ = mac.Write([]byte(body))
		for key, value := range map[string]string{
			"Content-Type": "application/json", "X-GitHub-Event": "pull_request", "X-GitHub-Delivery": id,
			"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
		} {
			r.Header.Set(key, value)
		}
		w := httptest.NewRecorder()
		public.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s %s: answered %d %s, want %d", repo, id, w.Code, w.Body, want)
		}
	}
	sign("one")
	deliver("shop", "a", "one", http.StatusAccepted)
	deliver("shop", "a", "one", http.StatusAccepted) // again
	deliver("base", "b", "one", http.StatusNotFound)
	sign("two")
	deliver("shop", "c", "one", http.StatusUnauthorized)
	deliver("shop", "d", "two", http.StatusAccepted)
	keep.now = with()
	deliver("shop", "e", "two", http.StatusNotFound)
	keep.now = with(resource.SecretSource{File: "hook"})
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	deliver("shop", "f", "two", http.StatusServiceUnavailable)
	got, err := st.Reopen().Deliveries(t.Context(), "shop", 0, 9)
	if err != nil || len(got) != 2 || got[0].ID != "a" || got[1].ID != "d" || got[0].Pull != 7 || got[0].Event != "pull" || got[0].At.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	w := httptest.NewRecorder()
	public.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(w.Body.String(), `isobar_webhooks_total{repo="shop",result="kept"} 3`) {
		t.Errorf("the metrics are %s", w.Body)
	}
}
