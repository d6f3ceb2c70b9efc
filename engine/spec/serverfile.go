package spec

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// Server is what a server's own file says. Paths are as written there.
type Server struct {
	Repos       []ServerRepo // sorted by name
	Credentials map[string]ServerCredentials
	Slack       *ServerSlack // nil: nobody is told
	Secrets     ServerSecrets
	Store       string // "sqlite:PATH", or ""
	Listen      string // "" for nowhere
	Poll        time.Duration
	Interval    time.Duration
	Backoff     time.Duration
	Lease       time.Duration
	Workers     int
	Warnings    diag.List
}

// ServerRepo is one repository and how it is followed.
type ServerRepo struct {
	Name         string
	URL          string
	Branch       string // "" is the remote's own head
	Poll         time.Duration
	User         string
	Token        resource.SecretSource // zero: none
	CA           string                // file of certificates to trust beside the system's, or ""
	Key          string                // file of an SSH key, or ""
	Passphrase   resource.SecretSource
	KnownHosts   string
	Environments []string // globs of what it may hold; nil: any
	Credentials  []string // that its environments may use; nil: not said
	Channel      string
	Forge        *ServerForge   // nil: its pull requests are left alone
	Signers      *ServerSigners // nil: commits need not be signed
	At           diag.Place     // of its address
}

// ServerSigners names the files with the keys of those whose signature counts.
type ServerSigners struct {
	OpenPGP []string `json:"openpgp"`
	SSH     string   `json:"ssh"`
}

// ServerCredentials are credentials of one provider. Settings hold no secret;
// Secrets are read at use. Both are keyed by the schema's field names.
type ServerCredentials struct {
	Provider string // "aws"
	Settings map[string]string
	Secrets  map[string]resource.SecretSource
}

// ServerSecrets says what environments may read as secrets.
type ServerSecrets struct {
	Env  []string `json:"env"`  // beginnings of variables; nil: not said
	Dirs []string `json:"dirs"` // directories beneath which files may be read; nil: not said
}

// ServerSlack is the bot that tells people.
type ServerSlack struct {
	Token   resource.SecretSource
	Channel string // its id; "" for none
	APIURL  string
}

// IsSlackChannel reports whether a text may be a channel's id, as #SlackChannel
// of the schemas has it.
func IsSlackChannel(id string) bool {
	ok, _ := regexp.MatchString(`^[CDG][A-Z0-9]{2,}$`, id) // the pattern is a constant
	return ok
}

// ServerOwn is the name under which a repository is granted what the server
// itself has: no profile, but the variables and files that its SDKs look at.
const ServerOwn = "server"

// MayHold reports whether a repository may hold an environment of this name.
func (r *ServerRepo) MayHold(env string) bool {
	return r.Environments == nil || named(r.Environments, env)
}

// serverJSON is the evaluated file.
type serverJSON struct {
	Repos       map[string]serverRepoJSON            `json:"repos"`
	Credentials map[string]map[string]map[string]any `json:"credentials"`
	Slack       *struct {
		Token   resource.SecretSource `json:"token"`
		Channel string                `json:"channel"`
		APIURL  string                `json:"apiURL"`
	} `json:"slack"`
	Secrets  ServerSecrets `json:"secrets"`
	Store    string        `json:"store"`
	Listen   string        `json:"listen"`
	Poll     length        `json:"poll"`
	Interval length        `json:"interval"`
	Backoff  length        `json:"backoff"`
	Lease    length        `json:"lease"`
	Workers  int           `json:"workers"`
}

type serverRepoJSON struct {
	URL    string  `json:"url"`
	Branch string  `json:"branch"`
	Poll   *length `json:"poll"`
	Auth   struct {
		Token resource.SecretSource `json:"token"`
		User  string                `json:"user"`
	} `json:"auth"`
	CA  string `json:"ca"`
	SSH struct {
		Key struct {
			File string `json:"file"`
		} `json:"key"`
		Passphrase resource.SecretSource `json:"passphrase"`
		KnownHosts string                `json:"knownHosts"`
	} `json:"ssh"`
	Forge        *serverForgeJSON `json:"forge"`
	Signers      *ServerSigners   `json:"requireSigned"`
	Environments []string         `json:"environments"`
	Credentials  []string         `json:"credentials"`
	Slack        struct {
		Channel string `json:"channel"`
	} `json:"slack"`
}

// length is a duration as text.
type length time.Duration

// UnmarshalText implements encoding.TextUnmarshaler. The schema lets no other
// form through; one that overflows counts as none, which the check refuses.
func (l *length) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil {
		d = 0
	}
	*l = length(d)
	return nil
}

// decodeServer reads a child's answer.
func decodeServer(o outcome) (Server, error) {
	var in serverJSON
	if err := json.Unmarshal(o.Server, &in); err != nil {
		return Server{}, fmt.Errorf("the server's file: %w", err)
	}
	out := Server{
		Store: in.Store, Listen: in.Listen, Poll: time.Duration(in.Poll), Interval: time.Duration(in.Interval),
		Backoff: time.Duration(in.Backoff), Lease: time.Duration(in.Lease), Workers: in.Workers,
		Credentials: map[string]ServerCredentials{}, Secrets: in.Secrets,
	}
	if in.Slack != nil {
		out.Slack = &ServerSlack{Token: in.Slack.Token, Channel: in.Slack.Channel, APIURL: in.Slack.APIURL}
	}
	for _, name := range slices.Sorted(maps.Keys(in.Repos)) {
		r := in.Repos[name]
		repo := ServerRepo{
			Name: name, URL: r.URL, Branch: r.Branch, Poll: out.Poll, User: r.Auth.User, Token: r.Auth.Token, CA: r.CA, Key: r.SSH.Key.File,
			Passphrase: r.SSH.Passphrase, KnownHosts: r.SSH.KnownHosts, Environments: r.Environments, Credentials: r.Credentials,
			Channel: r.Slack.Channel, Forge: decodeForge(r.Forge, r.URL), Signers: r.Signers, At: diag.Place(o.At[resource.Path{"repos", name, "url"}.String()]),
		}
		if r.Poll != nil {
			repo.Poll = time.Duration(*r.Poll)
		}
		out.Repos = append(out.Repos, repo)
	}
	for name, sorts := range in.Credentials {
		out.Credentials[name] = ServerCredentials{}
		for provider, fields := range sorts {
			out.Credentials[name] = decodeCredentials(provider, fields)
		}
	}
	return out, nil
}

// decodeCredentials tells settings from sources.
func decodeCredentials(provider string, fields map[string]any) ServerCredentials {
	c := ServerCredentials{Provider: provider, Settings: map[string]string{}, Secrets: map[string]resource.SecretSource{}}
	for name, v := range fields {
		source, ok := v.(map[string]any)
		if !ok {
			c.Settings[name] = fmt.Sprint(v)
			continue
		}
		env, _ := source["env"].(string)
		file, _ := source["file"].(string)
		c.Secrets[name] = resource.SecretSource{Env: env, File: file}
	}
	return c
}
