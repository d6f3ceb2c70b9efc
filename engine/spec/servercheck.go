package spec

import (
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// serverCheck makes the checks of a server's file that CUE cannot express.
type serverCheck struct {
	at     map[string]resource.Position
	server *Server
	found  diag.List
}

func (c *serverCheck) all() {
	for name, d := range map[string]time.Duration{
		"poll": c.server.Poll, "interval": c.server.Interval, "backoff": c.server.Backoff, "lease": c.server.Lease,
	} {
		c.duration(d, name)
	}
	for i := range c.server.Repos {
		c.repo(&c.server.Repos[i])
	}
	c.twice()
	for _, name := range slices.Sorted(maps.Keys(c.server.Credentials)) {
		c.credentials(name, c.server.Credentials[name])
	}
	if s := c.server.Slack; s != nil {
		c.source(s.Token, "slack", "token")
	}
}

// add files an error under a path, or the nearest above it that was written.
func (c *serverCheck) add(f diag.Finding, at ...string) {
	f.Severity, f.Subject = diag.Error, ""
	for n := len(at); n > 0; n-- {
		if p, ok := c.at[resource.Path(at[:n]).String()]; ok {
			f.Where = diag.Place(p)
			break
		}
	}
	c.found = append(c.found, f)
}

func (c *serverCheck) duration(d time.Duration, at ...string) {
	if d < time.Millisecond || d > 365*24*time.Hour {
		c.add(diag.Finding{Code: codeValue, Message: strings.Join(at, ".") + ": the time is out of range", Mend: `write one from "1ms" to a year, such as "30s"`}, at...)
	}
}

// source wants exactly one of env and file.
func (c *serverCheck) source(s resource.SecretSource, at ...string) {
	name := strings.Join(at, ".")
	switch {
	case s == resource.SecretSource{}:
		c.add(diag.Finding{Code: codeOneOf, Message: name + ": neither env nor file is set", Mend: "write {env: VARIABLE} or {file: PATH}"}, at...)
	case s.Env != "" && s.File != "":
		c.add(diag.Finding{Code: codeOneOf, Message: name + ": env and file exclude each other", Mend: "keep one of them"}, at...)
	}
}

func (c *serverCheck) repo(r *ServerRepo) {
	at := func(more ...string) []string { return append([]string{"repos", r.Name}, more...) }
	c.duration(r.Poll, at("poll")...)
	if c.written(at("auth")) {
		c.source(r.Token, at("auth", "token")...)
	}
	if c.written(at("ssh", "passphrase")) {
		c.source(r.Passphrase, at("ssh", "passphrase")...)
	}
	c.forge(r)
	if s := r.Signers; s != nil && len(s.OpenPGP) == 0 && s.SSH == "" {
		c.add(diag.Finding{
			Code: codeOneOf, Message: "repos." + r.Name + ".requireSigned: it names no keys, so that no commit could be taken",
			Mend: `write ssh: "allowed_signers" or openpgp: ["keys.asc"], or take it out`,
		}, at("requireSigned")...)
	}
	if r.Channel != "" && c.server.Slack == nil {
		c.add(diag.Finding{
			Code: codeReference, Message: "repos." + r.Name + ".slack: there is no bot to tell it there",
			Mend: "add slack: token: file: PATH, beside repos, or take the channel out",
		}, at("slack")...)
	}
	if u, err := url.Parse(r.URL); err == nil && u.User != nil {
		_, secret := u.User.Password()
		if secret || u.Scheme == "http" || u.Scheme == "https" {
			c.add(diag.Finding{
				Code: codeSecret, Message: "repos." + r.Name + ".url: the address holds credentials",
				Mend: "take them out, and name where the token is read from: auth: token: file: PATH",
			}, at("url")...)
			c.found[len(c.found)-1].Where.Col = 0 // no excerpt
		}
	}
	for i, glob := range r.Environments {
		if _, err := path.Match(glob, ""); err != nil {
			c.add(diag.Finding{
				Code: codeValue, Message: strconv.Quote(glob) + " is no pattern", Mend: `write one such as "shop_*"`,
			}, at("environments", strconv.Itoa(i))...)
		}
	}
	known := append(slices.Sorted(maps.Keys(c.server.Credentials)), ServerOwn)
	for i, name := range r.Credentials {
		if !slices.Contains(known, name) {
			c.add(diag.Finding{
				Code: codeReference, Message: "no credentials are called " + name,
				Mend: didYouMean(name, known, "credentials here: "+strings.Join(known, ", ")),
			}, at("credentials", strconv.Itoa(i))...)
		}
	}
}

func (c *serverCheck) written(at []string) bool {
	_, ok := c.at[resource.Path(at).String()]
	return ok
}

// twice refuses two repositories that are one: each environment would be there
// twice.
func (c *serverCheck) twice() {
	seen := map[string]string{}
	for _, r := range c.server.Repos {
		key := r.URL + "\x00" + r.Branch
		if first, ok := seen[key]; ok {
			c.add(diag.Finding{
				Code: codeDuplicate, Message: "repos." + r.Name + " is the same branch of the same repository as repos." + first,
				Mend: "keep one of them, or name another branch",
			}, "repos", r.Name, "url")
			continue
		}
		seen[key] = r.Name
	}
}

func (c *serverCheck) credentials(name string, cred ServerCredentials) {
	at := func(more ...string) []string { return append([]string{"credentials", name}, more...) }
	switch both := c.written(at("aws")) && c.written(at("vsphere")); {
	case both:
		c.add(diag.Finding{Code: codeOneOf, Message: "credentials." + name + ": aws and vsphere exclude each other", Mend: "keep one of them, and give the other a name of its own"}, at()...)
		return
	case cred.Provider == "":
		c.add(diag.Finding{Code: codeOneOf, Message: "credentials." + name + ": none of aws, vsphere is set", Mend: "set one of them"}, at()...)
		return
	}
	for _, field := range slices.Sorted(maps.Keys(cred.Secrets)) {
		c.source(cred.Secrets[field], at(cred.Provider, field)...)
	}
	if cred.Provider != "aws" {
		return
	}
	key, secret := c.written(at("aws", "accessKeyId")), c.written(at("aws", "secretAccessKey"))
	switch {
	case key != secret:
		c.add(diag.Finding{Code: codeOneOf, Message: "credentials." + name + ": a key wants accessKeyId and secretAccessKey", Mend: "write both, or neither"}, at("aws")...)
	case key && cred.Settings["profile"] != "":
		c.add(diag.Finding{Code: codeOneOf, Message: "credentials." + name + ": a key and a profile exclude each other", Mend: "keep one of them"}, at("aws")...)
	case !key && c.written(at("aws", "sessionToken")):
		c.add(diag.Finding{Code: codeOneOf, Message: "credentials." + name + ": a session token wants a key", Mend: "write accessKeyId and secretAccessKey, or remove it"}, at("aws", "sessionToken")...)
	case cred.Settings["externalId"] != "" && cred.Settings["roleArn"] == "":
		c.add(diag.Finding{Code: codeOneOf, Message: "credentials." + name + ": an externalId wants a roleArn", Mend: "write it, or remove the other"}, at("aws", "externalId")...)
	}
}

// named reports whether one of some globs matches a name.
func named(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(g string) bool { ok, err := path.Match(g, name); return err == nil && ok })
}
