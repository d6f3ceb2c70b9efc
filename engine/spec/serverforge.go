package spec

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// ServerForge is where a repository's pull requests are, and who speaks there.
type ServerForge struct {
	Kind    string                  // "github", "gitlab" or "gitea"
	URL     string                  // its address; told from the repository's where the file names none
	Repo    string                  // "OWNER/NAME" there, GitLab's groups nest; told alike
	Token   resource.SecretSource   // zero: App, or the repository's own Token
	App     ServerApp               // zero: none
	Secrets []resource.SecretSource // of the webhook; any of them may sign. nil: none is heard
	CA      string                  // file of certificates to trust beside the system's, or ""
	Plan    bool                    // whether pull requests from forks are planned
	Early   bool                    // whether a comment may have a pull request applied before its merge
	Poll    time.Duration           // the time between two looks at the pull requests
}

// ServerApp is a GitHub App.
type ServerApp struct {
	ID           string
	Key          resource.SecretSource
	Installation int64 // 0: found by the repository
}

type serverForgeJSON struct {
	Kind  string                `json:"kind"`
	URL   string                `json:"url"`
	Repo  string                `json:"repo"`
	Token resource.SecretSource `json:"token"`
	App   struct {
		ID           string                `json:"id"`
		Key          resource.SecretSource `json:"key"`
		Installation int64                 `json:"installation"`
	} `json:"app"`
	Webhook struct {
		Secrets []resource.SecretSource `json:"secrets"`
	} `json:"webhook"`
	CA    string `json:"ca"`
	Forks string `json:"forks"`
	Early bool   `json:"applyBeforeMerge"`
	Poll  length `json:"poll"`
}

// decodeForge reads the forge of a repository at an address, or nil for none.
func decodeForge(in *serverForgeJSON, repo string) *ServerForge {
	if in == nil {
		return nil
	}
	f := &ServerForge{
		Kind: in.Kind, URL: in.URL, Repo: in.Repo, Token: in.Token, App: ServerApp(in.App), Secrets: in.Webhook.Secrets,
		CA: in.CA, Plan: in.Forks == "plan", Early: in.Early, Poll: time.Duration(in.Poll),
	}
	host, path := parted(repo)
	if f.URL == "" && host != "" {
		f.URL = "https://" + host
	}
	if f.Repo == "" {
		if at, err := url.Parse(f.URL); err == nil { // a forge beneath a path
			path = strings.TrimPrefix(path, strings.Trim(at.Path, "/")+"/")
		}
		f.Repo = path
	}
	return f
}

// parted gives the host of a repository's address, with its port where the forge
// answers there too, and the path without ".git"; "" where it has none.
func parted(repo string) (host, path string) {
	if !strings.Contains(repo, "://") { // USER@HOST:PATH, or a path
		user, rest, ok := strings.Cut(repo, "@")
		if !ok || strings.Contains(user, "/") {
			return "", ""
		}
		host, path, _ = strings.Cut(rest, ":")
	} else {
		u, err := url.Parse(repo)
		if err != nil || u.Scheme == "file" {
			return "", ""
		}
		if host, path = u.Host, u.Path; u.Scheme != "https" && u.Scheme != "http" {
			host = u.Hostname()
		}
	}
	return host, strings.TrimSuffix(strings.Trim(path, "/"), ".git")
}

// hooks is how many secrets a webhook may have: the old and the new one of a change,
// and room for another such.
const hooks = 4

// forge checks what a repository says of its forge.
func (c *serverCheck) forge(r *ServerRepo) {
	f := r.Forge
	if f == nil {
		return
	}
	at := func(more ...string) []string { return append([]string{"repos", r.Name, "forge"}, more...) }
	c.duration(f.Poll, at("poll")...)
	c.speaker(r)
	c.forgeAddress(f, at)
	if parts := strings.Split(f.Repo, "/"); len(parts) < 2 || len(parts) > 2 && f.Kind != "gitlab" ||
		slices.ContainsFunc(parts, func(p string) bool { return p == "" || p == "." || p == ".." || strings.ContainsAny(p, `?#%\ `) }) {
		message := fmt.Sprintf("%s: %q is no repository at %s", strings.Join(at("repo"), "."), f.Repo, f.Kind)
		if f.Repo == "" {
			message = strings.Join(at("repo"), ".") + ": the repository's url does not tell its name at the forge"
		}
		c.add(diag.Finding{Code: codeValue, Message: message, Mend: `write repo: "OWNER/NAME"`}, at("repo")...)
	}
	if f.Early && r.Signers != nil {
		c.add(diag.Finding{
			Code: codeOneOf, Message: strings.Join(at("applyBeforeMerge"), ".") + ": requireSigned is set, and nobody has signed a merge that is yet to be made",
			Mend: "take out one of them",
		}, at("applyBeforeMerge")...)
	}
	if !c.written(at("webhook")) {
		return
	}
	if n := len(f.Secrets); n < 1 || n > hooks {
		c.add(diag.Finding{
			Code: codeValue, Message: fmt.Sprintf("%s: %d secrets, want 1 to %d", strings.Join(at("webhook", "secrets"), "."), n, hooks),
			Mend: "name the one that the forge signs with, and for as long as it changes the next one",
		}, at("webhook", "secrets")...)
	}
	for i, s := range f.Secrets {
		c.source(s, at("webhook", "secrets", fmt.Sprint(i))...)
	}
	if c.server.Listen == "" {
		c.add(diag.Finding{
			Code: codeReference, Message: strings.Join(at("webhook"), ".") + `: nothing listens: listen is ""`,
			Mend: `set listen to where the forge, or a proxy before it, delivers, or take the webhook out: the forge is asked every poll then`,
		}, at("webhook")...)
	}
}

// speaker checks that just one says who speaks at the forge.
func (c *serverCheck) speaker(r *ServerRepo) {
	at := func(more ...string) []string { return append([]string{"repos", r.Name, "forge"}, more...) }
	name, token, app := strings.Join(at(), "."), c.written(at("token")), c.written(at("app"))
	if token {
		c.source(r.Forge.Token, at("token")...)
	}
	if app {
		c.source(r.Forge.App.Key, at("app", "key")...)
	}
	switch {
	case token && app:
		c.add(diag.Finding{Code: codeOneOf, Message: name + ": token and app exclude each other", Mend: "keep one of them"}, at("app")...)
	case app && r.Forge.Kind != "github":
		c.add(diag.Finding{Code: codeOneOf, Message: name + ": an app is GitHub's alone", Mend: "write token: file: PATH in its place"}, at("app")...)
	case !token && !app && r.Token == (resource.SecretSource{}):
		c.add(diag.Finding{
			Code: codeOneOf, Message: name + ": nothing says who speaks there",
			Mend: "write token: file: PATH, or app: {id, key} at GitHub, or auth: token beside forge, which is taken then",
		}, at()...)
	}
}

// forgeAddress checks where tokens would go.
func (c *serverCheck) forgeAddress(f *ServerForge, at func(...string) []string) {
	name := strings.Join(at("url"), ".")
	wrong := func(code diag.Code, message, mend string) {
		c.add(diag.Finding{Code: code, Message: name + ": " + message, Mend: mend}, at("url")...)
	}
	u, err := url.Parse(f.URL)
	switch {
	case f.URL == "":
		wrong(codeMissingField, "the repository's url names no host", `write url: "https://HOST"`)
	case err != nil, u.Host == "":
		wrong(codeValue, "the address can't be read", `write one such as "https://git.example.com"`)
		c.found[len(c.found)-1].Where.Col = 0 // no excerpt: what can't be read may hold a password
	case u.User != nil:
		wrong(codeSecret, "the address holds credentials", "take them out, and name where the token is read from: token: file: PATH")
		c.found[len(c.found)-1].Where.Col = 0 // no excerpt
	case u.RawQuery != "" || u.Fragment != "":
		wrong(codeValue, "the address holds more than host and path", `write one such as "https://git.example.com"`)
	case u.Scheme != "https" && !onThisMachine(u.Hostname()):
		wrong(codeValue, "a token would go over the wire in the clear", "write https://")
	}
}

func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
