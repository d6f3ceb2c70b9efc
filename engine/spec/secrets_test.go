package spec

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"isobar.dev/engine/resource"
	"isobar.dev/schemas"
)

// boot is an environment with an instance whose fields follow.
func boot(fields string) string {
	return head + `secrets: "db/shop": env: "SHOP"
aws: vpc: main: cidrBlock: "10.0.0.0/16"
aws: subnet: a: {vpcId: aws.vpc.main.#out.id, cidrBlock: "10.0.1.0/24"}
aws: instance: web: {imageId: "ami-0123456789abcdef0", instanceType: "t3.micro", subnetId: aws.subnet.a.#out.id}
aws: instance: web: {` + fields + "}\n"
}

func TestSecretReference(t *testing.T) {
	t.Parallel()
	l := newLoader(t, Limits{})
	for fields, want := range map[string]resource.Secret{
		`userData: {$secret: "db/shop"}`:                     {Name: "db/shop"},
		`userData: $secret: "db/shop"`:                       {Name: "db/shop"},
		`userData: {"$secret": "db/shop", field: "user"}`:    {Name: "db/shop", Field: "user"},
		`_b: {$secret: "db/shop", field: "b"}, userData: _b`: {Name: "db/shop", Field: "b"},
	} {
		env, err := l.Environment(t.Context(), repo(map[string]string{"prod": boot(fields)}), "prod")
		if err != nil {
			t.Fatalf("%s: %v", fields, err)
		}
		if got := env.Desired[0].Fields["userData"]; got != resource.Value(want) {
			t.Errorf("%s: got %s", fields, resource.Encode(got))
		}
	}
}

func TestBadSecrets(t *testing.T) {
	t.Parallel()
	const (
		doc     = "What the machine runs or reads at its first start: a shell script or cloud-init's data, as plain text of up to 16 KiB. It is not read back"
		here    = "write the value itself; the reference of kinds says which fields take a secret"
		sources = "SPEC-123 secrets: "
	)
	l := newLoader(t, Limits{})
	for name, c := range map[string]bad{
		"not bound":       {boot(`userData: $secret: "db/shp"`), []string{"8:32 SPEC-127 aws.instance/web: no secret is called db/shp | did you mean db/shop?"}},
		"nothing like it": {boot(`userData: $secret: "x"`), []string{`8:32 SPEC-127 aws.instance/web: no secret is called x | bind it: secrets: "x": env: …, or name one that is bound: db/shop`}},
		"none bound": {strings.Replace(boot(`userData: $secret: "x"`), `secrets: "db/shop": env: "SHOP"`, "", 1), []string{
			`8:32 SPEC-127 aws.instance/web: no secret is called x | bind it: secrets: "x": env: …`,
		}},
		"a field that takes none": {boot(`keyName: $secret: "db/shop"`), []string{"8:31 SPEC-130 aws.instance/web: keyName: a secret can't stand here | " + here}},
		"a tag":                   {boot(`tags: Owner: {$secret: "db/shop"}`), []string{"8:35 SPEC-130 aws.instance/web: tags.Owner: a secret can't stand here | " + here}},
		"within a text": {boot(`_s: {$secret: "db/shop"}, userData: "pw=\(_s)"`), []string{
			"8:58 SPEC-130 aws.instance/web: userData: a secret can't be part of a text | put the whole text into the secret's source, and refer to it alone",
		}},
		"neither text nor secret": {boot(`userData: 3`), []string{"8:32 SPEC-104 aws.instance/web: userData: want text or a secret, got 3 | " + doc}},
		"an empty struct":         {boot(`userData: {}`), []string{`8:22 SPEC-103 aws.instance/web: field missing: userData.$secret | write the text itself, or {$secret: "name"}`}},
		"a misspelt key": {boot(`userData: {$secrt: "db/shop"}`), []string{
			`8:22 SPEC-103 aws.instance/web: field missing: userData.$secret | write the text itself, or {$secret: "name"}`,
			"8:33 SPEC-102 aws.instance/web: field not allowed: $secrt | did you mean $secret?",
		}},
		"a misspelt field": {boot(`userData: {$secret: "db/shop", fild: "x"}`), []string{"8:53 SPEC-102 aws.instance/web: field not allowed: fild | did you mean field?"}},
		"a version":        {boot(`userData: {$secret: "db/shop", hmac: "x"}`), []string{`8:53 SPEC-102 aws.instance/web: field not allowed: hmac | a secret is {$secret: "name", field?: "member"}`}},
		"a name of another type": {boot(`userData: {$secret: 3}`), []string{
			"8:42 SPEC-104 aws.instance/web: userData.$secret: want text, got 3 | " + doc,
		}},
		"a provider's setting": {head + `providers: aws: profile: $secret: "x"` + "\n", []string{"4:26 SPEC-130 providers.aws.profile: a secret can't stand here | " + here}},
		"two sources":          {head + `secrets: a: {env: "A", file: "/b"}` + "\n", []string{"4:10 " + sources + "a: env and file exclude each other | keep one of them"}},
		"no source":            {head + `secrets: a: {}` + "\n", []string{"4:10 " + sources + "a: none of env, file is set | set one of them"}},
		"an unknown source":    {head + `secrets: a: vault: "x"` + "\n", []string{"4:13 SPEC-102 field not allowed: vault | remove it"}},
		"no variable": {head + `secrets: a: env: "A-B"` + "\n", []string{
			`4:18 SPEC-104 secrets.a.env: "A-B" has the wrong form | An environment variable of the isobar process. A daemon allows those that start with ISOBAR_SECRET_ unless told otherwise`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := l.Environment(t.Context(), repo(map[string]string{"prod": c.body}), "prod")
			wantFindings(t, err, c.want)
		})
	}
}

// TestDescribeSecrets: which fields take a secret is said by their type.
func TestDescribeSecrets(t *testing.T) {
	t.Parallel()
	const field = "userData?: string | resource.#Secret"
	for name, c := range map[string]struct{ new, want string }{
		"a list of them":    {"userData?: [...(string | resource.#Secret)]", "no element of a list takes a secret"},
		"structs in a list": {"userData?: [...{a?: string | resource.#Secret}]", "no element of a list takes a secret"},
		"another struct":    {"userData?: string | {a?: string}", "has no descriptor"},
		"two structs":       {"userData?: string | resource.#Secret | {a?: string}", "has no descriptor"},
		"as it is":          {field, ""},
		"a map of them":     {"userData?: [string]: string | resource.#Secret", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mod := fstest.MapFS{}
			err := fs.WalkDir(schemas.FS(), ".", func(p string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				b, err := fs.ReadFile(schemas.FS(), p)
				mod[p] = &fstest.MapFile{Data: bytes.Replace(b, []byte(field), []byte(c.new), 1)}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			list, err := Describe(mod)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range list {
				if list[i].Kind == "aws.instance" && !list[i].TakesSecrets() || list[i].Kind == "aws.vpc" && list[i].TakesSecrets() {
					t.Errorf("%s takes secrets: %v", list[i].Kind, list[i].TakesSecrets())
				}
			}
		})
	}
}
