package forge

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"isobar.dev/engine/resource"
)

// Options say which repository at which forge, and who speaks there.
type Options struct {
	Kind    Kind
	URL     string                 // the forge's address as people know it; "" is https://github.com or https://gitlab.com
	Repo    string                 // "owner/name"; GitLab's groups nest
	Token   func() (string, error) // asked before each call, so that a renewed one is used at once
	App     *App                   // GitHub alone: instead of Token
	CA      []byte                 // certificates in PEM to trust beside the system's, or nil
	Timeout time.Duration          // of one request; 0 is 30 s
	Now     func() time.Time       // the clock
}

// App is a GitHub App that is installed on the repository. It needs the
// permissions pull_requests, issues and statuses to write, contents and metadata to
// read, and members to read where teams are asked for.
type App struct {
	ID           string                 // client id or app id
	Key          func() ([]byte, error) // the private key in PEM, asked once an hour
	Installation int64                  // 0 finds it by the repository
}

const callTimeout = 30 * time.Second

// New makes a speaker for one repository. It makes no call. Its error is a
// *resource.Failure of class Invalid, in words for whoever wrote the settings.
func New(o Options) (Forge, error) {
	if o.Timeout == 0 {
		o.Timeout = callTimeout
	}
	switch {
	case o.Now == nil:
		return nil, &resource.Failure{Class: resource.Bug, Op: "forge", Message: "there is no clock"}
	case o.App != nil && o.Kind != GitHub:
		return nil, invalid("forge", "an App is GitHub's alone: give a token")
	case (o.App == nil) == (o.Token == nil):
		return nil, invalid("forge", "give either a token or an App")
	}
	base, err := address(o)
	if err != nil {
		return nil, err
	}
	transport, err := o.transport()
	if err != nil {
		return nil, err
	}
	switch o.Kind {
	case GitHub:
		return newGitHub(o, base, transport)
	case GitLab:
		return newGitLab(o, base, transport)
	case Gitea:
		return newGitea(o, base, transport)
	}
	return nil, invalid("forge", "the kind of the forge is none of github, gitlab, gitea")
}

// address gives the forge's address without a slash at its end. Tokens go there,
// so it is https, but for a forge on this machine.
func address(o Options) (*url.URL, error) {
	text := o.URL
	switch {
	case text != "":
	case o.Kind == GitHub:
		text = "https://github.com"
	case o.Kind == GitLab:
		text = "https://gitlab.com"
	default:
		return nil, invalid("forge", "the forge's address is missing: give its URL")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil: // its text would quote the address, which may hold a password
		return nil, invalid("forge", "the forge's address can't be parsed: give https://HOST")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return nil, invalid("forge", "the forge's address holds more than host and path: leave out user, query and fragment, and give the token apart")
	case u.Host == "":
		return nil, invalid("forge", "the forge's address names no host: give https://HOST")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
	default:
		return nil, invalid("forge", "the forge's address is not https: a token would go over the wire in the clear")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// repo gives the repository's owner, which is a path of groups at GitLab, and name.
func (o Options) repo() (owner, name string, err error) {
	parts := strings.Split(o.Repo, "/")
	for _, p := range parts {
		if p == "" || p == "." || p == ".." || strings.ContainsAny(p, "?#%\\ ") {
			return "", "", invalid("forge", "the repository's name is not OWNER/NAME")
		}
	}
	if len(parts) < 2 || len(parts) > 2 && o.Kind != GitLab {
		return "", "", invalid("forge", "the repository's name is not OWNER/NAME")
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], "/"), parts[last], nil
}

// transport is the system's, with the further certificates to trust.
func (o Options) transport() (http.RoundTripper, error) {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, &resource.Failure{Class: resource.Bug, Op: "forge", Message: "the default transport was replaced"}
	}
	t = t.Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if len(o.CA) == 0 {
		return t, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(o.CA) {
		return nil, invalid("forge", "the file of certificates holds none in PEM")
	}
	t.TLSClientConfig.RootCAs = pool
	return t, nil
}
