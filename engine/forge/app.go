package forge

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-github/v93/github"

	"isobar.dev/engine/resource"
)

// How an App proves itself: a JWT of at most ten minutes, dated a minute back for
// clocks that differ. https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
const (
	jwtBack = time.Minute
	jwtLife = 8 * time.Minute
)

// earlier is how long before its end an installation's token, which lives an hour,
// is replaced.
const earlier = 5 * time.Minute

// Installation is a GitHub App's installation on a repository, for those who need
// its token elsewhere: Git over HTTPS takes it as the password of any user.
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation
// Safe for concurrent use.
type Installation struct{ auth *appAuth }

// NewInstallation makes no call. Its errors are those of New.
func NewInstallation(o Options) (*Installation, error) {
	if o.App == nil {
		return nil, invalid("forge", "there is no App")
	}
	f, err := New(o)
	if err != nil {
		return nil, err
	}
	g, ok := f.(*gitHub)
	if !ok {
		return nil, &resource.Failure{Class: resource.Bug, Op: "forge", Message: "an App's forge is another one than GitHub"}
	}
	return &Installation{g.app}, nil
}

// Token gives a token that reaches this repository alone and is good for some
// minutes at least: the one that it has, or a new one. Its errors are those of Forge.
func (i *Installation) Token(ctx context.Context) (string, error) { return i.auth.current(ctx) }

// appAuth signs requests with an installation's token, which it gets and renews by
// itself. Safe for concurrent use.
type appAuth struct {
	asApp       *github.Client // signed with the JWT
	owner, name string
	now         func() time.Time

	turn         turn // to read and write what follows
	installation int64
	token        string
	ends         time.Time
}

func newAppAuth(o Options, base *url.URL, next http.RoundTripper) (*appAuth, error) {
	owner, name, err := o.repo()
	if err != nil {
		return nil, err
	}
	asApp, err := gitHubClient(newWire(o, base, next, &jwtAuth{app: *o.App, now: o.Now}))
	if err != nil {
		return nil, err
	}
	return &appAuth{asApp: asApp, owner: owner, name: name, now: o.Now, turn: newTurn(), installation: o.App.Installation}, nil
}

// authorize implements authorizer.
func (a *appAuth) authorize(r *http.Request) (string, error) {
	token, err := a.current(r.Context())
	if err == nil {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return token, err
}

// current keeps its turn while it gets a token, so that a burst gets one.
func (a *appAuth) current(ctx context.Context) (string, error) {
	if err := a.turn.take(ctx); err != nil {
		return "", err
	}
	defer a.turn.leave()
	if a.token == "" || !a.now().Before(a.ends.Add(-earlier)) {
		if err := a.renew(ctx); err != nil {
			return "", err
		}
	}
	return a.token, nil
}

// refused drops the token, so that the next call gets another.
func (a *appAuth) refused(ctx context.Context, secret string) bool {
	if secret == "" || a.turn.take(ctx) != nil {
		return false
	}
	defer a.turn.leave()
	if a.token == secret {
		a.token = ""
	}
	return true
}

// renew asks for a token that reaches this repository alone. An outcome that is
// not known leaves nothing but a token that nobody uses, so the call whose token
// this is was not sent.
func (a *appAuth) renew(ctx context.Context) error {
	if a.installation == 0 {
		in, _, err := a.asApp.Apps.GetRepositoryInstallation(ctx, a.owner, a.name)
		if err != nil {
			return unsentFor("github: find the App's installation", err, "the App is not installed on the repository, or its id is wrong")
		}
		a.installation = in.GetID()
	}
	t, _, err := a.asApp.Apps.CreateInstallationToken(ctx, a.installation, &github.InstallationTokenOptions{Repositories: []string{a.name}})
	if err != nil {
		return unsentFor("github: get the App's token", err, "the App's installation is gone, or does not reach the repository")
	}
	a.token, a.ends = t.GetToken(), t.GetExpiresAt().Time
	if a.token == "" {
		return &resource.Failure{Class: resource.Transient, Op: "github: get the App's token", Message: "the forge gave an empty token"}
	}
	return nil
}

// unsentFor classifies the failure of a call that another one waits for.
func unsentFor(op string, err error, missing string) error {
	err = classify(op, reading, err)
	var f *resource.Failure
	if errors.As(err, &f) {
		switch f.Class {
		case resource.UnknownOutcome:
			f.Class = resource.Transient
		case resource.NotFound:
			f.Class, f.Message = resource.Denied, missing
		default:
		}
	}
	return err
}

// jwtAuth signs requests as the App itself.
type jwtAuth struct {
	app App
	now func() time.Time
}

func (j *jwtAuth) authorize(r *http.Request) (string, error) {
	denied := func(message string, err error) (string, error) {
		return "", &resource.Failure{Class: resource.Denied, Message: message, Err: err}
	}
	pem, err := j.app.Key()
	if err != nil {
		return denied("the App's private key can't be read; check where it comes from", err)
	}
	key, err := jwt.ParseRSAPrivateKeyFromPEM(pem)
	if err != nil { // its text is not wanted beside a key
		return denied("the App's private key is no RSA key in PEM", nil)
	}
	now := j.now()
	text, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer: j.app.ID, IssuedAt: jwt.NewNumericDate(now.Add(-jwtBack)), ExpiresAt: jwt.NewNumericDate(now.Add(jwtLife)),
	}).SignedString(key)
	if err != nil {
		return denied("the App's private key signs nothing", nil)
	}
	r.Header.Set("Authorization", "Bearer "+text)
	return text, nil
}

func (*jwtAuth) refused(context.Context, string) bool { return false }
