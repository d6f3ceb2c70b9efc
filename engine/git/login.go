package git

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// explainHTTP says of a refused login which credential was refused, by its name,
// and what the server said. Other errors stay as they are.
func (a address) explainHTTP(err error, o Options) error {
	if untrusted := (*tls.CertificateVerificationError)(nil); errors.As(err, &untrusted) {
		return a.unknownAuthority(untrusted, o.GiveCA)
	}
	status := loginStatus(err)
	if status == 0 {
		return err
	}
	e := &Error{Kind: Denied, URL: a.shown}
	switch {
	case o.Secret != nil && o.Bearer:
		e.What = "the server refused " + cmp.Or(o.Named, "the token")
	case o.Secret != nil:
		e.What = fmt.Sprintf("the server refused %s for user %q", cmp.Or(o.Named, "the token"), cmp.Or(o.User, defaultUser))
	case a.user != nil:
		e.What = "the server refused the user and the password that stand in the address"
	default:
		e.What, e.Mend = "the server wants a login, and there is none to give", cmp.Or(o.Give, "give a token")
	}
	e.What += ": " + fmt.Sprintf("%d %s", status, http.StatusText(status))
	if words := a.spoken(err, o); words != "" {
		e.What += ", " + words
	}
	switch {
	case e.Mend != "":
	case status == http.StatusForbidden:
		e.Mend = "give it read access to this repository: the server knows it, and does not let it in"
	default:
		e.Mend = "renew it: it is wrong, has expired, or is another server's"
	}
	return e
}

// loginStatus is the HTTP status by which a server refused a login, or 0.
func loginStatus(err error) int {
	var answer *githttp.Err
	switch {
	case errors.Is(err, transport.ErrAuthenticationRequired):
		return http.StatusUnauthorized
	case errors.Is(err, transport.ErrAuthorizationFailed):
		return http.StatusForbidden
	case errors.As(err, &answer) && (answer.StatusCode() == http.StatusUnauthorized || answer.StatusCode() == http.StatusForbidden):
		return answer.StatusCode()
	}
	return 0
}

// spoken is what the server said beside the status, in one line: nothing where it
// sent a page, or what we sent it.
func (a address) spoken(err error, o Options) string {
	_, words, _ := strings.Cut(err.Error(), ": ")
	words, _, _ = strings.Cut(strings.TrimSpace(words), "\n")
	words = clean(strings.TrimSpace(words))
	secret := ""
	if o.Secret != nil {
		secret, _ = o.Secret() // it was read before: the server refused it
	} else if a.user != nil {
		secret, _ = a.user.Password()
	}
	if strings.ContainsAny(words, "<>{}") || secret != "" && strings.Contains(words, secret) {
		return ""
	}
	return words
}
