package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/forge"
	"isobar.dev/engine/spec"
)

// forgeOptions say how to speak to a repository's forge, which it has. Tokens and
// keys are read anew each time they are needed, certificates now.
func (s *settings) forgeOptions(r spec.ServerRepo) (forge.Options, error) {
	f := r.Forge
	o := forge.Options{Kind: forge.Kind(f.Kind), URL: f.URL, Repo: f.Repo, Now: time.Now}
	if file := s.path(cmp.Or(f.CA, r.CA)); file != "" {
		ca, err := os.ReadFile(file) //nolint:gosec // the file that the server's own names
		if err != nil {
			return forge.Options{}, fmt.Errorf("the forge's certificates can't be read: %w", plainly(file, err))
		}
		o.CA = ca
	}
	if f.App.ID == "" {
		o.Token = s.reader(cmp.Or(f.Token, r.Token))
		return o, nil
	}
	key := s.reader(f.App.Key)
	o.App = &forge.App{ID: f.App.ID, Installation: f.App.Installation, Key: func() ([]byte, error) {
		text, err := key()
		return []byte(text), err
	}}
	return o, nil
}

// hookSecrets are what a repository's webhook may be signed with, each read anew
// when it is asked for; nil where none is heard.
func (s *settings) hookSecrets(r spec.ServerRepo) (out []func() (string, error)) {
	if r.Forge == nil {
		return nil
	}
	for _, from := range r.Forge.Secrets {
		out = append(out, s.reader(from))
	}
	return out
}

// gitUser is the user beside an App's token.
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation
const gitUser = "x-access-token"

// appToken gives the token of a repository's App, where Git takes it: it has no
// credentials of its own and is fetched from the App's forge over HTTP. Else nil.
//
//nolint:contextcheck,nolintlint // it is called later, by what gives no context; contextcheck heeds this itself
func (s *settings) appToken(r spec.ServerRepo) func() (string, error) {
	if r.Forge == nil || r.Forge.App.ID == "" || s.reader(r.Token) != nil {
		return nil
	}
	at, err := url.Parse(s.url(r))
	home, homeErr := url.Parse(r.Forge.URL)
	if err != nil || homeErr != nil || at.Scheme != home.Scheme || !strings.EqualFold(at.Host, home.Host) || at.User != nil {
		return nil
	}
	var mu sync.Mutex
	var app *forge.Installation
	installed := func() (*forge.Installation, error) {
		mu.Lock()
		defer mu.Unlock()
		if app != nil {
			return app, nil
		}
		o, err := s.forgeOptions(r)
		if err == nil {
			app, err = forge.NewInstallation(o)
		}
		return app, err
	}
	return func() (string, error) {
		app, err := installed()
		if err != nil {
			return "", err
		}
		return app.Token(context.Background()) // two calls at most, whose time is bounded
	}
}

// forges finds what keeps forges from being spoken to as things are now.
func (s *settings) forges() (out diag.List) {
	for _, r := range s.Repos {
		if r.Forge == nil {
			continue
		}
		o, err := s.forgeOptions(r)
		if err == nil {
			_, err = forge.New(o)
		}
		if err != nil {
			out = append(out, diag.Finding{
				Code: diag.ServerForge, Severity: diag.Warning, Where: diag.Place{File: s.name, Line: r.At.Line}, Subject: "repos." + r.Name + ".forge",
				Message: err.Error(), Mend: "look at ca, url and repo there: its pull requests are left alone meanwhile",
			})
		}
	}
	return out
}
