package spec

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/resource"
)

// goodServer is a server's file that says everything once.
const goodServer = `package server

import "isobar.dev/schemas"

schemas.#Server

store:  "sqlite:isobar.db"
listen: ":9464"
poll:   "1m30s"
workers: 2
secrets: dirs: ["secrets"]
let Secrets = "/run/secrets"
repos: {
	shop: {
		url: "https://git.example.com/shop.git", branch: "main", poll: "10s"
		auth: token: file: Secrets + "/shop"
		ca: "git.pem"
		environments: ["shop", "shop_*"]
		credentials: ["prod", "server"]
		slack: channel: "C0123SHOP"
		forge: {
			kind: "github", url: "https://github.example.com", repo: "acme/shop", ca: "ca.pem", forks: "off", poll: "2m"
			app: {id: "Iv23li", key: file: Secrets + "/app.pem", installation: 7}
			webhook: secrets: [{file: Secrets + "/hook"}, {env: "NEXT_HOOK"}]
		}
	}
	base: {url: "git@git.example.com:base.git", ssh: {key: file: "base.key", passphrase: env: "BASE_PASS", knownHosts: "known_hosts"}}
}
credentials: {
	prod: aws: {profile: "prod", roleArn: "arn:aws:iam::123456789012:role/isobar", externalId: "e-1"}
	vc: vsphere: {url: "https://vc.example.com", user: env: "VC_USER", password: file: "vc"}
}
slack: {token: env: "BOT", channel: "C0123456789"}
`

func TestServer(t *testing.T) {
	t.Parallel()
	got, err := newLoader(t, Limits{}).Server(t.Context(), "etc/server.cue", []byte(goodServer))
	if err != nil {
		t.Fatal(err)
	}
	want := Server{
		Store: "sqlite:isobar.db", Listen: ":9464", Poll: 90 * time.Second, Interval: time.Minute, Backoff: 10 * time.Second, Lease: 6 * time.Second, Workers: 2,
		Secrets: ServerSecrets{Dirs: []string{"secrets"}},
		Slack:   &ServerSlack{Token: resource.SecretSource{Env: "BOT"}, Channel: "C0123456789"},
		Repos: []ServerRepo{
			{
				Name: "base", URL: "git@git.example.com:base.git", Poll: 90 * time.Second, Key: "base.key",
				Passphrase: resource.SecretSource{Env: "BASE_PASS"}, KnownHosts: "known_hosts",
			},
			{
				Name: "shop", URL: "https://git.example.com/shop.git", Branch: "main", Poll: 10 * time.Second, User: "git", CA: "git.pem",
				Token: resource.SecretSource{File: "/run/secrets/shop"}, Environments: []string{"shop", "shop_*"},
				Credentials: []string{"prod", "server"}, Channel: "C0123SHOP",
				Forge: &ServerForge{
					Kind: "github", URL: "https://github.example.com", Repo: "acme/shop", CA: "ca.pem", Poll: 2 * time.Minute,
					App:     ServerApp{ID: "Iv23li", Key: resource.SecretSource{File: "/run/secrets/app.pem"}, Installation: 7},
					Secrets: []resource.SecretSource{{File: "/run/secrets/hook"}, {Env: "NEXT_HOOK"}},
				},
			},
		},
		Credentials: map[string]ServerCredentials{
			"prod": {Provider: "aws", Secrets: map[string]resource.SecretSource{}, Settings: map[string]string{
				"profile": "prod", "roleArn": "arn:aws:iam::123456789012:role/isobar", "externalId": "e-1",
			}},
			"vc": {
				Provider: "vsphere", Settings: map[string]string{"url": "https://vc.example.com"},
				Secrets: map[string]resource.SecretSource{"user": {Env: "VC_USER"}, "password": {File: "vc"}},
			},
		},
	}
	for i := range got.Repos {
		if at := got.Repos[i].At; at.Line == 0 {
			t.Errorf("nothing says where %s stands", got.Repos[i].Name)
		}
		got.Repos[i].At = diag.Place{}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if !got.Repos[1].MayHold("shop_eu") || got.Repos[1].MayHold("base") || !got.Repos[0].MayHold("base") {
		t.Error("what a repository may hold goes by its globs")
	}
}

func TestServerDefaults(t *testing.T) {
	t.Parallel()
	got, err := newLoader(t, Limits{}).Server(t.Context(), "server.cue", []byte("package server\n"))
	if err != nil || got.Listen != "127.0.0.1:9464" || got.Workers != 4 || got.Poll != 30*time.Second || len(got.Repos) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestServerExamples holds the examples of docs and deploy against the schema.
func TestServerExamples(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"docs/reference/server.cue", "deploy/server.cue"} {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string]string{"as it is": string(text), "with all": uncommented(string(text))} {
			got, err := newLoader(t, Limits{}).Server(t.Context(), name, []byte(text))
			if err != nil || len(got.Warnings) > 0 || len(got.Repos) == 0 {
				t.Errorf("%s %s: %+v, %v", name, what, got, err)
			}
		}
	}
}

// uncommented takes the comment signs from the lines that are CUE.
func uncommented(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		rest, ok := strings.CutPrefix(strings.TrimLeft(l, "\t"), "// ")
		if ok && (strings.HasPrefix(rest, "\t") || rest == "}" || strings.HasSuffix(rest, "{") || strings.HasSuffix(rest, "}")) {
			lines[i] = rest
		}
	}
	return strings.Join(lines, "\n")
}

func TestServerMistakes(t *testing.T) {
	t.Parallel()
	l := newLoader(t, Limits{})
	for name, c := range map[string]struct {
		text string
		want []string // the first lines of the findings, in order
	}{
		"all at once": {
			"package server\nwrkers: 3\npoll: \"soon\"\nrepos: {\n\tshop: {urll: \"x\", polll: \"1s\"}\n\tBase: url: \"/srv/base\"\n}\nlease: 6\n",
			[]string{
				"f.cue:2:1: field not allowed: wrkers",
				`f.cue:3:7: poll: "soon" has the wrong form`,
				"f.cue:5:2: field missing: repos.shop.url",
				"f.cue:5:9: field not allowed: urll",
				"f.cue:5:20: field not allowed: polll",
				"f.cue:6:2: repos.Base: a repository's name has up to 63 lower-case letters, digits, _, . and -",
				"f.cue:8:8: lease: want text, got 6",
			},
		},
		"no package":    {"repos: {}\n", []string{"f.cue:1:1: the file has no package clause"}},
		"wrong package": {"// x\npackage prod\n", []string{"f.cue:2:9: the package is called prod"}},
		"syntax":        {"package server\nrepos: {\n", []string{"f.cue:2:9: expected '}', found 'EOF'"}},
		"import":        {"package server\nimport \"example.com/x\"\n", []string{"f.cue:2:8: the package example.com/x cannot be loaded: isobar asks no registry"}},
		"undefined":     {"package server\nstore: Nowhere\n", []string{"f.cue:2:8: nothing is called Nowhere here"}},
		"sources": {
			"package server\nrepos: a: {url: \"/a\", auth: token: {}}\nslack: token: {env: \"A\", file: \"b\"}\n",
			[]string{"f.cue:2:29: repos.a.auth.token: neither env nor file is set", "f.cue:3:8: slack.token: env and file exclude each other"},
		},
		"a secret in place": {
			"package server\nslack: token: \"xoxb-1\"\nrepos: a: url: \"https://me:pw@h.example/a\"\n",
			[]string{"f.cue:2: slack.token: want a struct, got text"},
		},
		"a secret in the address": {
			"package server\nrepos: a: url: \"https://me:pw@h.example/a\"\n",
			[]string{"f.cue:2: repos.a.url: the address holds credentials"},
		},
		"names that lead nowhere": {
			"package server\nrepos: a: {url: \"/a\", credentials: [\"prd\"]}\ncredentials: prod: aws: profile: \"p\"\n",
			[]string{"f.cue:2:37: no credentials are called prd"},
		},
		"credentials": {
			"package server\ncredentials: {\n\ta: {}\n\tb: {aws: {}, vsphere: {url: \"https://h\", user: env: \"U\", password: env: \"P\"}}\n" +
				"\tc: aws: accessKeyId: env: \"K\"\n\td: aws: {accessKeyId: env: \"K\", secretAccessKey: env: \"S\", profile: \"p\"}\n" +
				"\te: aws: externalId: \"x1\"\n\tf: aws: sessionToken: env: \"T\"\n}\n",
			[]string{
				"f.cue:3:2: credentials.a: none of aws, vsphere is set",
				"f.cue:4:2: credentials.b: aws and vsphere exclude each other",
				"f.cue:5:5: credentials.c: a key wants accessKeyId and secretAccessKey",
				"f.cue:6:5: credentials.d: a key and a profile exclude each other",
				"f.cue:7:10: credentials.e: an externalId wants a roleArn",
				"f.cue:8:10: credentials.f: a session token wants a key",
			},
		},
		"the reserved name": {
			"package server\ncredentials: server: aws: profile: \"p\"\n",
			[]string{"f.cue:2:14: credentials.server: server names what the server itself has: choose another name"},
		},
		"channels": {
			"package server\nrepos: a: {url: \"/a\", slack: channel: \"#ops\"}\nslack: {token: env: \"A\", channel: \"ops\"}\n",
			[]string{`f.cue:2:39: repos.a.slack.channel: "#ops" has the wrong form`, `f.cue:3:35: slack.channel: "ops" has the wrong form`},
		},
		"a channel and nobody to tell it": {
			"package server\nrepos: a: {url: \"/a\", slack: channel: \"C0123456789\"}\n",
			[]string{"f.cue:2:23: repos.a.slack: there is no bot to tell it there"},
		},
		"twice":   {"package server\nrepos: {\n\ta: url: \"/a\"\n\tb: url: \"/a\"\n}\n", []string{"f.cue:4:5: repos.b is the same branch of the same repository as repos.a"}},
		"globs":   {"package server\nrepos: a: {url: \"/a\", environments: [\"[a\"]}\n", []string{`f.cue:2:38: "[a" is no pattern`}},
		"no time": {"package server\ninterval: \"0s\"\n", []string{"f.cue:2:1: interval: the time is out of range"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := l.Server(t.Context(), "f.cue", []byte(c.text))
			var list diag.List
			if !errors.As(err, &list) {
				t.Fatalf("got %v", err)
			}
			if got := list.Error(); got != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", got, strings.Join(c.want, "\n"))
			}
			for _, f := range list {
				if f.Mend == "" {
					t.Errorf("%s: nothing says how to mend it", f)
				}
			}
		})
	}
}

// FuzzServer: no file makes the parent fail, and what it refuses has findings.
func FuzzServer(f *testing.F) {
	f.Add(goodServer)
	f.Add("package server\nrepos: a: {url: \"/a\", auth: token: {}}\n")
	f.Add("package server\nrepos: {")
	l := newLoader(f, Limits{})
	f.Fuzz(func(t *testing.T, text string) {
		_, err := l.Server(t.Context(), "f.cue", []byte(text))
		var list diag.List
		if err != nil && !errors.As(err, &list) {
			t.Fatal(err)
		}
	})
}
