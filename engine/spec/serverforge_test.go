package spec

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// What a forge does not say is told from the repository's address.
func TestServerForge(t *testing.T) {
	t.Parallel()
	l := newLoader(t, Limits{})
	auth := resource.SecretSource{File: "t"}
	for name, c := range map[string]struct {
		repo, forge string
		want        ServerForge
	}{
		"https":                    {"https://github.com/acme/shop.git", `kind: "github"`, ServerForge{Kind: "github", URL: "https://github.com", Repo: "acme/shop"}},
		"https with a port":        {"https://git.example.com:8443/acme/shop/", `kind: "gitea"`, ServerForge{Kind: "gitea", URL: "https://git.example.com:8443", Repo: "acme/shop"}},
		"scp":                      {"git@gitlab.com:acme/eu/shop.git", `kind: "gitlab"`, ServerForge{Kind: "gitlab", URL: "https://gitlab.com", Repo: "acme/eu/shop"}},
		"ssh with a port":          {"ssh://git@git.example.com:2222/acme/shop.git", `kind: "gitea"`, ServerForge{Kind: "gitea", URL: "https://git.example.com", Repo: "acme/shop"}},
		"beneath a path":           {"https://example.com/git/acme/shop.git", `kind: "gitlab", url: "https://example.com/git/"`, ServerForge{Kind: "gitlab", URL: "https://example.com/git/", Repo: "acme/shop"}},
		"beneath a path, by ssh":   {"git@example.com:acme/shop", `kind: "gitlab", url: "https://example.com/git"`, ServerForge{Kind: "gitlab", URL: "https://example.com/git", Repo: "acme/shop"}},
		"a mirror on this machine": {"/srv/shop.git", `kind: "gitea", url: "http://127.0.0.1:3000", repo: "acme/shop"`, ServerForge{Kind: "gitea", URL: "http://127.0.0.1:3000", Repo: "acme/shop"}},
		"before the merge":         {"/srv/shop.git", `kind: "gitea", url: "http://[::1]:3000", repo: "a/b", applyBeforeMerge: true`, ServerForge{Kind: "gitea", URL: "http://[::1]:3000", Repo: "a/b", Early: true}},
		"a token of its own":       {"/srv/shop.git", `kind: "gitea", url: "http://[::1]:3000", repo: "a/b", token: env: "T"`, ServerForge{Kind: "gitea", URL: "http://[::1]:3000", Repo: "a/b", Token: resource.SecretSource{Env: "T"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := l.Server(t.Context(), "f.cue", []byte(fmt.Sprintf("package server\nrepos: a: {url: %q, auth: token: file: \"t\", forge: {%s}}\n", c.repo, c.forge)))
			if err != nil {
				t.Fatal(err)
			}
			c.want.Plan, c.want.Poll = true, time.Minute
			if r := got.Repos[0]; !reflect.DeepEqual(*r.Forge, c.want) || r.Token != auth {
				t.Errorf("got  %+v\nwant %+v", *r.Forge, c.want)
			}
		})
	}
}

func TestServerForgeMistakes(t *testing.T) {
	t.Parallel()
	l := newLoader(t, Limits{})
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"all at once": {
			`repos: a: {url: "/srv/a", forge: {kind: "gitlab", poll: "0s", app: {id: "1", key: {}}, webhook: secrets: []}}` + "\n" + `listen: ""`,
			[]string{
				"f.cue:2:27: repos.a.forge.url: the repository's url names no host",
				"f.cue:2:27: repos.a.forge.repo: the repository's url does not tell its name at the forge",
				"f.cue:2:51: repos.a.forge.poll: the time is out of range",
				"f.cue:2:63: repos.a.forge: an app is GitHub's alone",
				"f.cue:2:78: repos.a.forge.app.key: neither env nor file is set",
				`f.cue:2:88: repos.a.forge.webhook: nothing listens: listen is ""`,
				"f.cue:2:97: repos.a.forge.webhook.secrets: 0 secrets, want 1 to 4",
			},
		},
		"nobody speaks": {
			`repos: a: {url: "https://github.com/a/b", forge: kind: "github"}`,
			[]string{"f.cue:2:43: repos.a.forge: nothing says who speaks there"},
		},
		"unsigned": {
			`repos: a: {url: "https://github.com/a/b", auth: token: env: "T", requireSigned: ssh: "s", forge: {kind: "github", applyBeforeMerge: true}}`,
			[]string{"f.cue:2:115: repos.a.forge.applyBeforeMerge: requireSigned is set, and nobody has signed a merge that is yet to be made"},
		},
		"two speak": {
			`repos: a: {url: "https://github.com/a/b", forge: {kind: "github", token: {env: "A", file: "b"}, app: {id: "1", key: env: "K"}}}`,
			[]string{"f.cue:2:67: repos.a.forge.token: env and file exclude each other", "f.cue:2:97: repos.a.forge: token and app exclude each other"},
		},
		"the schema": {
			`repos: a: {url: "/a", forge: {kind: "svn", forks: "apply", app: {id: 7, instal: 1}}}`,
			[]string{
				`f.cue:2:37: repos.a.forge.kind: want "gitea" or "github" or "gitlab", got "svn"`,
				`f.cue:2:51: repos.a.forge.forks: want "off" or "plan", got "apply"`,
				"f.cue:2:60: field missing: repos.a.forge.app.key",
				"f.cue:2:70: repos.a.forge.app.id: want text, got 7",
				"f.cue:2:73: field not allowed: instal",
			},
		},
		"a secret in place": {
			`repos: a: {url: "https://h/a/b", forge: {kind: "gitea", token: "hunter2"}}`,
			[]string{"f.cue:2: repos.a.forge.token: want a struct, got text"},
		},
		"a webhook's secret in place": {
			`repos: a: {url: "https://h/a/b", auth: token: env: "T", forge: {kind: "gitea", webhook: secrets: ["hunter2"]}}`,
			[]string{"f.cue:2: repos.a.forge.webhook.secrets.0: want a struct, got text"},
		},
		"a secret in the address": {
			`repos: a: {url: "https://h/a/b", auth: token: env: "T", forge: {kind: "gitea", url: "https://me:hunter2@h"}}`,
			[]string{"f.cue:2: repos.a.forge.url: the address holds credentials"},
		},
		"an address in the clear": {
			`repos: a: {url: "https://h/a/b", auth: token: env: "T", forge: {kind: "gitea", url: "http://h"}}`,
			[]string{"f.cue:2:80: repos.a.forge.url: a token would go over the wire in the clear"},
		},
		"an address with more": {
			`repos: a: {url: "https://h/a/b", auth: token: env: "T", forge: {kind: "gitea", url: "https://h?x=1"}}`,
			[]string{"f.cue:2:80: repos.a.forge.url: the address holds more than host and path"},
		},
		"groups at GitHub": {
			`repos: a: {url: "https://github.com/a/b", auth: token: env: "T", forge: {kind: "github", repo: "a/b/c"}}`,
			[]string{`f.cue:2:90: repos.a.forge.repo: "a/b/c" is no repository at github`},
		},
		"too many secrets": {
			`repos: a: {url: "https://h/a/b", auth: token: env: "T", forge: {kind: "gitea", webhook: secrets: [for n in ["A", "B", "C", "D", "E"] {env: n}]}}`,
			[]string{"f.cue:2:89: repos.a.forge.webhook.secrets: 5 secrets, want 1 to 4"},
		},
		"an odd secret": {
			`repos: a: {url: "https://h/a/b", auth: token: env: "T", forge: {kind: "gitea", webhook: secrets: [{env: "A"}, {}]}}`,
			[]string{"f.cue:2:111: repos.a.forge.webhook.secrets.1: neither env nor file is set"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := l.Server(t.Context(), "f.cue", []byte("package server\n"+c.text+"\n"))
			var list diag.List
			if !errors.As(err, &list) {
				t.Fatalf("got %v", err)
			}
			if got := list.Error(); got != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", got, strings.Join(c.want, "\n"))
			}
			for _, f := range list {
				if f.Mend == "" || strings.Contains(f.String()+f.Mend, "hunter2") {
					t.Errorf("%s: mend %q", f, f.Mend)
				}
			}
		})
	}
}
