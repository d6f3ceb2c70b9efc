package git

import (
	"cmp"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// address is a parsed URL of a repository, its credentials taken out.
type address struct {
	url   string        // what go-git dials; no userinfo
	shown string        // what people see; no userinfo
	local string        // the absolute directory of a local repository, else ""
	user  *url.Userinfo // what stood in the URL, or nil
	ssh   *endpoint     // where an SSH server is, else nil; url then names the relay
}

// Redact gives the URL without user and password, for messages. What Open would
// not take comes out as a placeholder.
func Redact(raw string) string {
	at, err := parseAddress(raw)
	if err != nil {
		return "(unreadable address)"
	}
	return at.shown
}

// Check says what is wrong with an address, as Open would, or nil. It talks to
// nobody.
func Check(raw string) error {
	_, err := parseAddress(raw)
	return err
}

func parseAddress(raw string) (address, error) {
	scheme, _, hasScheme := strings.Cut(raw, "://")
	if !hasScheme {
		if isSCP(raw) {
			return scpAddress(raw)
		}
		return localAddress(raw)
	}
	u, err := url.Parse(raw)
	if err != nil { // its text would quote the whole URL
		return address{}, badAddress("the address can't be parsed")
	}
	switch strings.ToLower(scheme) {
	case "file":
		if u.Host != "" && u.Host != "localhost" {
			return address{}, badAddress("a file address names a host")
		}
		return localAddress(u.Path)
	case "ssh", "git+ssh", "ssh+git":
		return sshAddress(u)
	case "http", "https":
		if u.Host == "" {
			return address{}, badAddress("the address names no host")
		}
		if u.RawQuery != "" { // it may hold a token, and Git has no use for it
			return address{}, badAddress("the address has a query")
		}
		user := u.User
		u.User, u.Fragment = nil, ""
		return address{url: u.String(), shown: u.String(), user: user}, nil
	}
	return address{}, badAddress("addresses of this scheme are not taken")
}

func localAddress(path string) (address, error) {
	if path == "" {
		return address{}, badAddress("the address is empty")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return address{}, badAddress("the path can't be made absolute")
	}
	u := url.URL{Scheme: "file", Path: abs}
	return address{url: u.String(), shown: abs, local: abs}, nil
}

func badAddress(what string) error {
	return &Error{Kind: BadAddress, What: what, Mend: "give a path, USER@HOST:PATH, or a URL that begins with file://, http://, https:// or ssh://"}
}

// auth gives the method of authentication, nil for none. Credentials given in
// options go before those in the URL.
func (a address) auth(o Options) (transport.AuthMethod, error) {
	if a.local != "" {
		return nil, nil
	}
	if o.Secret == nil {
		if a.user == nil {
			return nil, nil
		}
		pass, _ := a.user.Password()
		return &githttp.BasicAuth{Username: a.user.Username(), Password: pass}, nil
	}
	secret, err := o.Secret()
	if err != nil {
		return nil, &Error{Kind: Denied, URL: a.shown, What: "the credentials can't be read", Mend: "check where the secret comes from", Err: err}
	}
	if o.Bearer {
		return &githttp.TokenAuth{Token: secret}, nil
	}
	return &githttp.BasicAuth{Username: cmp.Or(o.User, defaultUser), Password: secret}, nil
}

// defaultUser stands beside a token, or before an SSH address, that comes without
// one: forges take any beside a token, but not none.
const defaultUser = "git"
