package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/forge"
	labforge "isobar.dev/engine/lab/forge"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
)

// startForge starts a GitHub with an App whose key it writes to a file.
func startForge(t *testing.T, keyFile string) *labforge.Server {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(keyFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	lab, err := labforge.Start(t.Context(), labforge.Options{
		Face: labforge.GitHub, Now: time.Now, App: &labforge.App{ID: "Iv1.lab", Key: &key.PublicKey, Installation: 77},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lab.Close() })
	lab.Repo("acme/shop", "")
	return lab
}

// TestForgeOptions: tokens are read anew at each call, and relative paths are taken
// from the file's directory.
func TestForgeOptions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &settings{name: "server.cue", dir: dir}
	r := spec.ServerRepo{
		Name: "shop", Token: resource.SecretSource{File: "git"},
		Forge: &spec.ServerForge{Kind: "gitea", URL: "https://git.example.com", Repo: "acme/shop", Secrets: []resource.SecretSource{{File: "old"}, {File: "new"}}},
	}
	write("git", "one\n")
	o, err := s.forgeOptions(r)
	if err != nil || o.Kind != forge.Gitea || o.URL != "https://git.example.com" || o.Repo != "acme/shop" || o.App != nil || o.Now == nil {
		t.Fatalf("%+v, %v", o, err)
	}
	for _, want := range []string{"one", "two"} {
		write("git", want)
		if got, err := o.Token(); got != want || err != nil {
			t.Errorf("the token reads %q, %v", got, err)
		}
	}
	write("forge", "its own")
	r.Forge.Token = resource.SecretSource{File: "forge"}
	if o, err = s.forgeOptions(r); err != nil {
		t.Fatal(err)
	}
	if got, err := o.Token(); got != "its own" || err != nil {
		t.Errorf("the token reads %q, %v", got, err)
	}
	write("old", "a")
	write("new", "b")
	var secrets []string
	for _, read := range s.hookSecrets(r) {
		got, err := read()
		if err != nil {
			t.Error(err)
		}
		secrets = append(secrets, got)
	}
	if got := strings.Join(secrets, " "); got != "a b" {
		t.Errorf("the webhook is signed with %q", got)
	}
	r.Forge.CA = "ca.pem"
	if _, err := s.forgeOptions(r); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "ca.pem")+": no such file") {
		t.Errorf("without the file of certificates: %v", err)
	}
	write("ca.pem", "certificates")
	if o, err = s.forgeOptions(r); err != nil || string(o.CA) != "certificates" {
		t.Errorf("%q, %v", o.CA, err)
	}
	s.Repos = []spec.ServerRepo{r}
	found := s.sources()
	if len(found) != 1 || found[0].Code != "SRV-809" || !strings.Contains(found[0].Message, "holds none in PEM") {
		t.Errorf("found %v", found)
	}
}

// TestAppToken: Git takes the App's token where it has no other, and is fetched from
// the App's own forge.
func TestAppToken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lab := startForge(t, filepath.Join(dir, "app.pem"))
	s := &settings{name: "server.cue", dir: dir}
	r := spec.ServerRepo{
		Name: "shop", URL: lab.URL() + "/acme/shop.git",
		Forge: &spec.ServerForge{
			Kind: "github", URL: lab.URL(), Repo: "acme/shop", App: spec.ServerApp{ID: "Iv1.lab", Key: resource.SecretSource{File: "app.pem"}},
		},
	}
	o := s.gitOptions(r, dir)
	if o.User != "x-access-token" || o.Secret == nil || !strings.Contains(o.Named, "Iv1.lab") {
		t.Fatalf("%+v", o)
	}
	first, err := o.Secret()
	if err != nil || first == "" {
		t.Fatalf("%q, %v", first, err)
	}
	if again, err := o.Secret(); again != first || err != nil {
		t.Errorf("%q, and again %q, %v", first, again, err)
	}
	asked := 0
	for _, q := range lab.Requests() {
		if strings.HasSuffix(q.Path, "/access_tokens") {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("%d tokens were asked for", asked)
	}
	for name, change := range map[string]func(*spec.ServerRepo){
		"a token of its own": func(r *spec.ServerRepo) { r.Token = resource.SecretSource{Env: "T"} },
		"another host":       func(r *spec.ServerRepo) { r.URL = "http://127.0.0.1:1/acme/shop.git" },
		"another scheme":     func(r *spec.ServerRepo) { r.URL = strings.Replace(r.URL, "http:", "https:", 1) },
		"ssh":                func(r *spec.ServerRepo) { r.URL = "git@127.0.0.1:acme/shop.git" },
		"no App": func(r *spec.ServerRepo) {
			r.Forge = &spec.ServerForge{Kind: "github", URL: lab.URL(), Token: resource.SecretSource{Env: "T"}}
		},
		"no forge": func(r *spec.ServerRepo) { r.Forge = nil },
	} {
		other := r
		change(&other)
		if o := s.gitOptions(other, dir); o.User == "x-access-token" || o.Secret != nil && name != "a token of its own" {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// TestForgesChangeNoFollowing: a repository of which webhooks' secrets alone are
// changed goes on undisturbed.
func TestForgesChangeNoFollowing(t *testing.T) {
	t.Parallel()
	version := func(f *spec.ServerForge) string {
		r := spec.ServerRepo{Name: "shop", URL: "git@github.com:acme/shop.git", Forge: f}
		o := &office{now: &settings{name: "server.cue", Server: spec.Server{Repos: []spec.ServerRepo{r}}}}
		return o.repos(t.Context())[0].Version
	}
	with := func(app, secret string) *spec.ServerForge {
		return &spec.ServerForge{
			Kind: "github", URL: "https://github.com", Repo: "acme/shop", App: spec.ServerApp{ID: app, Key: resource.SecretSource{Env: "K"}},
			Secrets: []resource.SecretSource{{Env: secret}},
		}
	}
	if version(with("1", "A")) != version(with("1", "B")) {
		t.Error("another secret of webhooks has it followed anew")
	}
	if one := version(with("1", "A")); one == version(with("2", "A")) || one == version(nil) {
		t.Error("another forge has it not followed anew")
	}
}
