package forge

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	labforge "isobar.dev/engine/lab/forge"
	"isobar.dev/engine/resource"
)

// keys are two private keys in PEM, and the public one of the first.
var keys = sync.OnceValue(func() (out struct {
	good, other string
	public      *rsa.PublicKey
},
) {
	for i, into := range []*string{&out.good, &out.other} {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return out
		}
		if i == 0 {
			out.public = &k.PublicKey
		}
		*into = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}))
	}
	return out
})

// asApp is a GitHub with an App installed, and us speaking as it.
func asApp(t *testing.T, a App) *world {
	t.Helper()
	w := &world{repo: "acme/infra", clock: &clock{at: time.Unix(1_800_000_000, 0)}, token: &text{s: keys().good}}
	w.lab = start(t, labforge.Options{Face: labforge.GitHub, Now: w.clock.Now, App: &labforge.App{ID: "Iv1.lab", Key: keys().public, Installation: 77}})
	w.lab.Repo(w.repo, "")
	if a.Key == nil {
		a.Key = func() ([]byte, error) {
			s, err := w.token.get()
			return []byte(s), err
		}
	}
	w.Forge = speak(t, Options{Kind: GitHub, URL: w.lab.URL(), Repo: w.repo, App: &a, Now: w.clock.Now})
	return w
}

// tokens counts the tokens asked for.
func tokens(w *world) int {
	n := 0
	for _, r := range w.lab.Requests() {
		if strings.HasSuffix(r.Path, "/access_tokens") {
			n++
		}
	}
	return n
}

func TestAppToken(t *testing.T) {
	t.Parallel()
	w := asApp(t, App{ID: "Iv1.lab"})
	read := func(want int, when string) {
		t.Helper()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, err := w.Pulls(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		same(t, "tokens "+when, tokens(w), want)
	}
	read(1, "at first")
	w.clock.add(54 * time.Minute)
	read(0, "before its end")
	w.clock.add(time.Minute)
	read(1, "near its end")
	w.lab.Revoke()
	n := w.open(t, labforge.Pull{HeadRef: "web", Head: one})
	if _, err := w.Comment(t.Context(), n, "plan"); err != nil {
		t.Error(err)
	}
	same(t, "tokens after it was revoked", tokens(w), 1)
	same(t, "comments", len(w.look(t, n).Comments), 1)
	self, err := w.Self(t.Context())
	must(t, err)
	same(t, "self", self, "isobar[bot]")
	same(t, "author", w.look(t, n).Comments[0].Author, self)
}

// The installation's token is given to others, renewed before its end, and a burst
// gets one.
func TestInstallation(t *testing.T) {
	t.Parallel()
	w := asApp(t, App{ID: "Iv1.lab"})
	app := App{ID: "Iv1.lab", Key: func() ([]byte, error) { return []byte(keys().good), nil }}
	i, err := NewInstallation(Options{Kind: GitHub, URL: w.lab.URL(), Repo: w.repo, App: &app, Now: w.clock.Now})
	must(t, err)
	got := make(chan string, 8)
	ask := func(n int) {
		t.Helper()
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				token, err := i.Token(t.Context())
				if err != nil {
					t.Error(err)
				}
				got <- token
			})
		}
		all.Wait()
	}
	ask(4)
	first := <-got
	for range 3 {
		same(t, "the others'", <-got, first)
	}
	same(t, "tokens", tokens(w), 1)
	w.clock.add(54 * time.Minute)
	ask(1)
	same(t, "the token before its end", <-got, first)
	w.clock.add(time.Minute)
	ask(1)
	if next := <-got; first == "" || next == "" || next == first {
		t.Errorf("near its end %q follows %q", next, first)
	}
	for name, o := range map[string]Options{
		"no App":       {Kind: GitHub, Repo: w.repo, Token: func() (string, error) { return "t", nil }, Now: w.clock.Now},
		"not GitHub's": {Kind: GitLab, Repo: w.repo, App: &app, Now: w.clock.Now},
		"no key":       {Kind: GitHub, Repo: w.repo, App: &App{ID: "Iv1.lab"}, Now: w.clock.Now},
	} {
		if _, err := NewInstallation(o); resource.ClassOf(err) != resource.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	w = asApp(t, App{ID: "Iv1.lab"})
	i, err = NewInstallation(Options{Kind: GitHub, URL: w.lab.URL(), Repo: w.repo, App: &App{ID: "Iv1.other", Key: app.Key}, Now: w.clock.Now})
	must(t, err)
	_, err = i.Token(t.Context())
	class(t, err, resource.Denied)
}

func TestAppRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		app  App
		key  string
		want string
	}{
		"another key":          {App{ID: "Iv1.lab"}, keys().other, "the forge refuses the token"},
		"another App":          {App{ID: "Iv1.other"}, keys().good, "the forge refuses the token"},
		"no key":               {App{ID: "Iv1.lab"}, "hunter2", "the App's private key is no RSA key in PEM"},
		"another installation": {App{ID: "Iv1.lab", Installation: 78}, keys().good, "the App's installation is gone"},
		"unreadable":           {App{ID: "Iv1.lab", Key: func() ([]byte, error) { return nil, errors.New("no such file") }}, "", "can't be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := asApp(t, tc.app)
			w.token.set(tc.key)
			_, err := w.Comment(t.Context(), 1, "plan")
			class(t, err, resource.Denied)
			said := fmt.Sprint(err)
			if !strings.Contains(said, tc.want) || strings.Contains(said, "eyJ") || strings.Contains(said, "hunter2") {
				t.Errorf("the error is %q, want %q in it and no secret", said, tc.want)
			}
		})
	}
}

// That the App's token could not be had does not make a comment's outcome unknown.
func TestAppTokenLost(t *testing.T) {
	t.Parallel()
	w := asApp(t, App{ID: "Iv1.lab", Installation: 77})
	w.lab.Break(labforge.Fault{Kind: labforge.Lost, Path: "/access_tokens"})
	_, err := w.Comment(t.Context(), 1, "plan")
	class(t, err, resource.Transient)
}

// Who waits for another's token leaves with the context.
func TestWaitForTurn(t *testing.T) {
	t.Parallel()
	o := newOnce()
	must(t, o.turn.take(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := o.get(ctx, func() (string, error) { return "us", nil })
	class(t, err, resource.Transient)
	o.turn.leave()
	got, err := o.get(t.Context(), func() (string, error) { return "us", nil })
	must(t, err)
	same(t, "answer", got, "us")
	got, err = o.get(t.Context(), func() (string, error) { return "", errors.New("asked again") })
	must(t, err)
	same(t, "answer kept", got, "us")
}
